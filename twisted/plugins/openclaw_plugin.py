"""
The C{openclaw} command of twistd, given by name so that listing it imports nothing.
"""

from twisted.application.service import ServiceMaker

openclaw = ServiceMaker(
    "OpenClaw",
    "openclaw.tap",
    "An OpenAI-compatible agent gateway.",
    "openclaw",
)
