"""
Tells twistd about C{openclaw}; made of strings, so listing it imports nothing.
"""

from twisted.application.service import ServiceMaker

openclaw = ServiceMaker(
    "OpenClaw",
    "openclaw.tap",
    "An OpenAI-compatible agent gateway.",
    "openclaw",
)
