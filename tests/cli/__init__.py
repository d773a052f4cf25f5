"""
Tests of L{openclaw.cli}.
"""
