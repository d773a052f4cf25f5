"""
Transcripts on disk.
"""
