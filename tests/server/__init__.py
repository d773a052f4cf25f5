"""
Tests of L{openclaw.server}.
"""
