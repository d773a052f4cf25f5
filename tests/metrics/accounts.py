"""
Runs that are over, for tests.
"""

from openclaw.messages import NO_USAGE
from openclaw.metrics.account import RunAccount


def account(**changes):
    """
    A run that went well, with some changes.
    """
    usual = {
        "run": "run_1",
        "request": "req_1",
        "caller": "operator",
        "agent": "main",
        "session": "agent:main:a",
        "model": "scripted/m1",
        "outcome": "stop",
        "callerGone": False,
        "queueSeconds": 0.0,
        "firstSeconds": 0.3,
        "totalSeconds": 1.5,
        "usage": NO_USAGE,
    }
    return RunAccount(**{**usual, **changes})


__all__ = ["account"]
