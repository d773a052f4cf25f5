"""
Check at the start that everything a configuration names is installed.
"""

from twisted.logger import Logger

from openclaw.config import LoadedConfig
from openclaw.errors import ConfigError
from openclaw.models.registry import checkDialects
from openclaw.tools.catalogue import Catalogue
from openclaw.tools.policy import checkImplicitDefault, checkToolNames


def checkInstalled(loaded: LoadedConfig, log: Logger) -> None:
    """
    Look for the model providers and the tools.  Does nothing in the daemon's own
    process but import plug-ins, so it can run in a thread.

    @param log: Is told of plug-ins that can't be used.

    @raise ConfigError: Something is missing; all of it is named.
    """
    config = loaded.config
    tools = Catalogue(log=log).tools
    errors = [
        *checkToolNames(config, tools),
        *checkDialects(config, log),
        *checkImplicitDefault(config, tools),
    ]
    if errors:
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        raise ConfigError(f"{loaded.path}: {count}:", errors)
