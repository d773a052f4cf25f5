"""
The live configuration, which a reload replaces as a whole.
"""

from dataclasses import dataclass
from pathlib import Path

from openclaw.agents.agent_directory import AgentDirectory
from openclaw.auth.doorkeeper import Doorkeeper
from openclaw.config import Config


@dataclass(frozen=True, kw_only=True)
class LiveConfig:
    """
    The configuration in force, and the objects built from it.

    @ivar path: The configuration file, or C{None} if the defaults are used.
    """

    config: Config
    path: Path | None
    directory: AgentDirectory
    doorkeeper: Doorkeeper
