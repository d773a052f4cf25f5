"""
Tests for L{openclaw.config}.

They pass plain data, or text in a temporary file, to the public functions, with a
separate environment.
"""
