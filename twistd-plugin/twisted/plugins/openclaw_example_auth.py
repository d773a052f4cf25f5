"""
The checker of this distribution for twistd's C{--auth}.
"""

from openclaw_example.passwords import ScryptCheckerFactory

scrypt = ScryptCheckerFactory()
