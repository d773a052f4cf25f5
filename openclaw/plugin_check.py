"""
Check at the start that everything a configuration names is installed.
"""

from collections.abc import Iterator

from twisted.logger import Logger

from openclaw.config import Config
from openclaw.models.registry import checkDialects
from openclaw.tools.catalogue import Catalogue
from openclaw.tools.policy import checkImplicitDefault, checkToolNames
from openclaw.tools.sandbox import checkSandbox


def checkInstalled(config: Config, log: Logger) -> Iterator[str]:
    """
    Look for the model providers and the tools, and check who gets the tools.  Does
    nothing in the daemon's own process but import plug-ins, so it can run in a thread.

    @param log: Receives the plug-ins that can't be used.

    @return: A line for each error, which begins with its key.
    """
    tools = Catalogue(log=log).tools
    yield from checkToolNames(config, tools)
    yield from checkDialects(config, log)
    yield from checkImplicitDefault(config, tools)
    yield from checkSandbox(config.tools.exec)
