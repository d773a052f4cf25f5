"""
Tests of L{openclaw.agents}.
"""
