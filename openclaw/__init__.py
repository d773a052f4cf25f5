"""
OpenClaw for Twisted: an agent gateway that runs as a twistd daemon.

The packages and the path of a request through them are in C{docs/architecture.md};
what can be replaced is in L{openclaw.interfaces}.
"""

__version__ = "0.2.0"

__all__ = ["__version__"]
