"""
Tests of the example: run them with C{python -m twisted.trial tests}.
"""
