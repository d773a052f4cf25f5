"""
Wire forms of providers, a package each: requests out, answers in, without I/O.
"""
