"""
The live configuration: the part of the gateway that a reload replaces as a whole.
"""

from dataclasses import dataclass
from pathlib import Path

from openclaw.agents.agent_directory import AgentDirectory
from openclaw.auth.doorkeeper import Doorkeeper
from openclaw.config import Config


@dataclass(frozen=True, kw_only=True)
class LiveConfig:
    """
    The configuration, and what was made from it.

    @ivar path: The configuration's file, or C{None} for the defaults.
    """

    config: Config
    path: Path | None
    directory: AgentDirectory
    doorkeeper: Doorkeeper
