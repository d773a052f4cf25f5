"""
Tests of L{openclaw.workers}.
"""
