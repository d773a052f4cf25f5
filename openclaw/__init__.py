"""
OpenClaw for Twisted: an agent gateway that runs as a twistd daemon.

C{docs/architecture.md} describes the packages and the path of a request; the parts that
can be replaced are in L{openclaw.interfaces}.
"""

__version__ = "0.2.0"

__all__ = ["__version__"]
