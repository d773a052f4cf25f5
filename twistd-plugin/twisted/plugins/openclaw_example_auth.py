"""
What this distribution adds to twistd's C{--auth}.
"""

from openclaw_example.passwords import ScryptCheckerFactory

scrypt = ScryptCheckerFactory()
