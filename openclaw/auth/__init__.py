"""
Authentication: credentials, checkers and the realm, in Twisted cred's terms.
"""
