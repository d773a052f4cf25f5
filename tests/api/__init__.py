"""
Tests of L{openclaw.api}: raw bytes in, raw bytes out, without a socket.
"""
