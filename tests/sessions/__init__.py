"""
Tests of L{openclaw.sessions}.
"""
