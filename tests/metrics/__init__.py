"""
Tests of L{openclaw.metrics}.
"""
