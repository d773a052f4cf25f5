"""
The tests; laid out as L{openclaw} is.
"""
