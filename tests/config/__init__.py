"""
Tests for L{openclaw.config}.

They hand plain data, or text in a temporary file, to the public functions, with an
environment of their own; the machine's is never looked at.
"""
