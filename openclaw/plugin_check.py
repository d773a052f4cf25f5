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
    Check that the dialects and tools of a configuration exist.  This only imports
    plug-ins, so it can run in a thread.

    @param log: For plug-ins that can't be used.

    @raise ConfigError: Some are missing; the error names all of them.
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
