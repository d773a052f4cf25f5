"""
What holds now: the part of the gateway that a reload replaces as a whole.
"""

from dataclasses import dataclass

from openclaw.agents.target import Directory
from openclaw.auth.doorkeeper import Doorkeeper
from openclaw.config import Config


@dataclass(frozen=True, kw_only=True)
class Standing:
    """
    The configuration, and what was made from it.
    """

    config: Config
    directory: Directory
    doorkeeper: Doorkeeper


__all__ = ["Standing"]
