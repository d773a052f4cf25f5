"""
TODO.
"""
