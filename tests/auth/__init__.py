"""
Tests of L{openclaw.auth}.
"""
