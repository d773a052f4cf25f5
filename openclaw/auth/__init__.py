"""
Authentication: credentials, checkers and realms, in terms of Twisted's cred.
"""
