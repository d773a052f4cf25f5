"""
Tests of L{openclaw.web}: raw bytes in, raw bytes out, without a socket.
"""
