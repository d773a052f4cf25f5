"""
Log lines of ended runs, for tests.
"""

from openclaw.messages import NO_USAGE
from openclaw.metrics.run_log_lines import EmbeddingLogEntry, RunLogEntry


def account(**changes):
    """
    Return the account of a successful run, with some changes.
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
    return RunLogEntry(**{**usual, **changes})


def embeddings(**changes):
    """
    Return the account of a successful request for embeddings, with some changes.
    """
    usual = {
        "request": "req_1",
        "caller": "operator",
        "agent": "main",
        "model": "scripted/vectors",
        "inputs": 3,
        "outcome": "done",
        "callerGone": False,
        "totalSeconds": 0.5,
        "tokens": 12,
    }
    return EmbeddingLogEntry(**{**usual, **changes})


__all__ = ["account", "embeddings"]
