"""
Sessions: their keys, and the store of their transcripts.
"""
