"""
The tests of L{openclaw.models}.
"""
