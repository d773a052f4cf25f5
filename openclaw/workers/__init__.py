"""
More than one process behind the same ports.
"""
