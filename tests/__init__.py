"""
The tests; laid out as L{openclaw} is.

Hypothesis has one profile for all of them: without deadlines, since another program may
have the machine just then, and in CI the same examples each time.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "openclaw",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "openclaw-ci",
    parent=settings.get_profile("openclaw"),
    derandomize=True,
    database=None,
    print_blob=True,
)
settings.load_profile("openclaw-ci" if os.environ.get("CI") else "openclaw")
