"""
Conversations that last: their keys, and the store that keeps them.
"""
