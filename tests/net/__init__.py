"""
Tests of L{openclaw.net}.
"""
