"""
Is all that a configuration names installed?  Asked before anything is started.
"""

from twisted.logger import Logger

from openclaw.config import Loaded
from openclaw.errors import ConfigError
from openclaw.models.registry import dialectFaults
from openclaw.tools.catalogue import Catalogue
from openclaw.tools.policy import checkToolNames


def checkInstalled(loaded: Loaded, log: Logger) -> None:
    """
    Look for the model providers and the tools.  Does nothing in the daemon's own
    process but import plug-ins, so it can run in a thread.

    @param log: Is told of plug-ins that can't be used.

    @raise ConfigError: Something is missing; all of it is named.
    """
    config = loaded.config
    faults = [
        *checkToolNames(config, Catalogue(log=log).tools),
        *dialectFaults(config, log),
    ]
    if faults:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise ConfigError(f"{loaded.path}: {count}:", faults)
