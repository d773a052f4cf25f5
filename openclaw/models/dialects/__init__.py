"""
The wire formats of providers, a package each: requests out, responses in, without I/O.
"""
