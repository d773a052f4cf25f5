"""
The catalogue of installed tools.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.logger import Logger
from twisted.plugin import getPlugins
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from openclaw import plugins
from openclaw.interfaces import ITool, ToolSpec
from openclaw.tools.arguments import ArgumentReader, BadSchema

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""
The function names that every provider accepts.
"""


def findInstalledTools() -> Iterable[Any]:
    return getPlugins(ITool, plugins)


class Catalogue:
    """
    All installed tools by name.  They are looked up once, at the first use.
    """

    def __init__(
        self, *, log: Logger, find: Callable[[], Iterable[Any]] = findInstalledTools
    ) -> None:
        """
        @param find: Finds the tools.  Of two with one name, the first is used.
        """
        self._log = log
        self._find = find
        self._found: dict[str, ITool] | None = None
        self._readers: dict[str, ArgumentReader] = {}

    def tools(self) -> Mapping[str, ITool]:
        if self._found is None:
            self._found = {}
            for tool in self._find():
                self._add(tool, self._found)
        return self._found

    def _add(self, tool: Any, found: dict[str, ITool]) -> None:
        kind = type(tool)
        origin = f"{kind.__module__}.{kind.__qualname__}"
        try:
            reader = checkTool(tool)
        except ValueError as fault:
            self._log.error(
                "The tool {origin} is left out: {fault}", origin=origin, fault=fault
            )
            return
        if tool.name in found:
            self._log.warn(
                "The tool {origin} is left out: there is another {name}",
                origin=origin,
                name=tool.name,
            )
            return
        found[tool.name] = tool
        self._readers[tool.name] = reader

    def reader(self, name: str) -> ArgumentReader:
        """
        Return the reader of a tool's arguments.

        @raise KeyError: There is no such tool.
        """
        self.tools()
        return self._readers[name]

    def spec(self, name: str) -> ToolSpec:
        """
        Return a tool's description for a model.

        @raise KeyError: There is no such tool.
        """
        tool = self.tools()[name]
        return ToolSpec(tool.name, tool.description, tool.parameters)


def checkTool(tool: Any) -> ArgumentReader:
    """
    Check that an object is a usable tool.

    @return: The reader of its arguments.
    @raise ValueError: It is not usable.  The message says why.
    """
    try:
        verifyObject(ITool, tool)
    except Invalid as error:
        raise ValueError(" ".join(str(error).split())) from None
    if not isinstance(tool.name, str) or not NAME.fullmatch(tool.name):
        raise ValueError("its name is not one that models can call")
    if not isinstance(tool.description, str) or not tool.description.strip():
        raise ValueError("it has no description")
    if not isinstance(tool.readOnly, bool):
        raise ValueError("its readOnly is neither True nor False")
    if not isinstance(tool.parameters, Mapping):
        raise ValueError("its parameters are not a JSON Schema")
    try:
        return ArgumentReader(tool.parameters)
    except BadSchema as error:
        raise ValueError(f"its parameters are not a JSON Schema: {error}") from None
