"""
Tests of L{openclaw.api}, with raw bytes in memory.
"""
