"""
The configuration of tools: the ones that an agent has, and their settings.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from openclaw.config.value_types import (
    Amount,
    Bytes,
    RemotePort,
    Seconds,
    ToolName,
    ToolProfile,
    VariableName,
)


class ToolPolicy(Struct, frozen=True, kw_only=True):
    """
    The tools of an agent. A field that is C{None} in an agent's entry comes from
    C{agents.defaults}.

    @ivar profile: The set of tools to begin with.  Default: C{none}.
    @ivar allow: More than the profile gives.  Default: nothing more.
    @ivar deny: What is taken away, whoever gave it.  Nobody can give back what
        C{agents.defaults} take away.  Default: nothing.
    """

    profile: ToolProfile | None = None
    allow: tuple[ToolName, ...] | None = None
    deny: tuple[ToolName, ...] = ()


class ReachableTools(Struct, frozen=True, kw_only=True):
    """
    The agent's tools that callers over HTTP may reach.

    @ivar allow: These only.  Default: all that the agent has.
    @ivar deny: What they may not reach, allowed or not.  Default: nothing.
    """

    allow: tuple[ToolName, ...] = ()
    deny: tuple[ToolName, ...] = ()

    def permits(self, tool: str) -> bool:
        """
        May a caller over HTTP reach this tool of an agent that has it?
        """
        return tool not in self.deny and (not self.allow or tool in self.allow)


class GrepSettings(Struct, frozen=True, kw_only=True):
    """
    @ivar timeoutSeconds: How long a search may take.  Default: 10.
    """

    timeoutSeconds: Seconds = 10


class ExecSettings(Struct, frozen=True, kw_only=True):
    """
    @ivar timeoutSeconds: How long a command may take if the model does not say.
        Default: 120.
    @ivar maxTimeoutSeconds: The most that the model may say.  Default: 600.
    @ivar maxOutputBytes: How much of a command's output is kept.  Default: 32 KiB.
    @ivar graceSeconds: The time between SIGTERM and SIGKILL.  Default: 1.
    @ivar environment: Variables of the daemon's environment that commands get beside
        the usual ones.  Default: none.
    """

    timeoutSeconds: Seconds = 120
    maxTimeoutSeconds: Seconds = 600
    maxOutputBytes: Bytes = 32_768
    graceSeconds: Seconds = 1
    environment: tuple[VariableName, ...] = ()


class WebFetchSettings(Struct, frozen=True, kw_only=True):
    """
    The first two hold for images that callers give by their URL, too.

    @ivar allowPrivate: May it reach addresses that are not of the public Internet?
        Default: no.
    @ivar ports: The TCP ports it may reach.  Default: 80 and 443.
    @ivar timeoutSeconds: How long a fetch may take, redirects included.
        Default: 30.
    @ivar maxBytes: How much of a page is read.  Default: 1 MiB.
    @ivar maxCharacters: How much text of it the model gets.  Default: 40,000.
    """

    allowPrivate: bool = False
    ports: tuple[RemotePort, ...] = (80, 443)
    timeoutSeconds: Seconds = 30
    maxBytes: Bytes = 1_048_576
    maxCharacters: Amount = 40_000


class WebTools(Struct, frozen=True, kw_only=True):
    """
    The tools that reach into the web.

    @ivar fetch: C{web_fetch}.
    """

    fetch: WebFetchSettings = WebFetchSettings()


OWN_KEYS: Mapping[str, str] = {
    "grep": "tools.grep",
    "exec": "tools.exec",
    "web_fetch": "tools.web.fetch",
}
"""
The tools whose settings are not below C{tools.plugins}, and where they are.
"""


class Tools(Struct, frozen=True, kw_only=True):
    """
    The settings of all tools.

    @ivar plugins: What plug-ins' tools are told, by the tool's name: each knows
        what it understands.
    """

    grep: GrepSettings = GrepSettings()
    exec: ExecSettings = ExecSettings()
    web: WebTools = WebTools()
    plugins: Mapping[ToolName, Mapping[str, Any]] = {}

    def settingsOf(self, name: str) -> Any:
        """
        Return the settings of a tool: one of the classes above for the tools that have
        one, else a mapping, which may be empty.
        """
        own = {"grep": self.grep, "exec": self.exec, "web_fetch": self.web.fetch}
        return own[name] if name in own else self.plugins.get(name, {})

    def __repr__(self) -> str:
        """
        Plug-ins' settings may hold secrets, and only the plug-in knows where.
        """
        return (
            f"Tools(grep={self.grep!r}, exec={self.exec!r}, web={self.web!r}, "
            f"plugins=<{len(self.plugins)}>)"
        )
