"""
Tests for L{openclaw.tools}.
"""
