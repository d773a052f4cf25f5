"""
The keys of C{tools}, and the tool policies of agents.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from openclaw.config.value_types import (
    AbsolutePath,
    AllBytes,
    Amount,
    Bytes,
    RemotePort,
    SandboxMode,
    Seconds,
    ToolName,
    ToolProfile,
    VariableName,
)


class ToolPolicy(Struct, frozen=True, kw_only=True):
    """
    The tools of an agent.  A field that is C{None} in an agent's entry is taken from
    C{agents.defaults}.

    @ivar profile: The named set of tools.  Default: C{none}.
    @ivar allow: Tools in addition to the profile's.  Default: none.
    @ivar deny: Tools to remove, from the profile or from C{allow}.  An agent's entry
        can't restore a tool that C{agents.defaults} deny.  Default: none.
    """

    profile: ToolProfile | None = None
    allow: tuple[ToolName, ...] | None = None
    deny: tuple[ToolName, ...] = ()


class ReachableTools(Struct, frozen=True, kw_only=True):
    """
    The tools that runs of HTTP requests may use.

    @ivar allow: Only these.  Default: all that the agent has.
    @ivar deny: Tools to remove, even if allowed.  Default: none.
    """

    allow: tuple[ToolName, ...] = ()
    deny: tuple[ToolName, ...] = ()

    def permits(self, tool: str) -> bool:
        """
        Return whether a run of an HTTP request may use this tool, if its agent has it.
        """
        return tool not in self.deny and (not self.allow or tool in self.allow)


class GrepSettings(Struct, frozen=True, kw_only=True):
    """
    @ivar timeoutSeconds: The limit of a search.  Default: 10.
    """

    timeoutSeconds: Seconds = 10


class ExecSettings(Struct, frozen=True, kw_only=True):
    """
    @ivar timeoutSeconds: The limit of a command if the model gives none.  Default: 120.
    @ivar maxTimeoutSeconds: The highest limit that the model may give.  Default: 600.
    @ivar maxOutputBytes: The limit of a command's output that is kept.  Default: 32
        KiB.
    @ivar graceSeconds: The time between SIGTERM and SIGKILL.  Default: 1.
    @ivar environment: Variables of the daemon's environment that commands get in
        addition to the usual ones.  Default: none.
    @ivar sandbox: The sandbox of commands: C{bubblewrap}, C{none}, or C{auto} for
        bubblewrap where it works.  Default: C{auto}.
    @ivar network: Commands in the sandbox have the network.  Default: no.
    @ivar readOnlyPaths: Further paths that commands in the sandbox can read.  Default:
        none.
    @ivar maxMemoryBytes: The limit of memory in the sandbox.  Default: 2 GiB.
    @ivar maxProcesses: The limit of processes and threads there.  Default: 512.
    @ivar maxFileBytes: The limit of the size of a file.  Default: 1 GiB.
    @ivar maxDiskBytes: The limit by which the free space may shrink.  Default: 4 GiB.
    """

    timeoutSeconds: Seconds = 120
    maxTimeoutSeconds: Seconds = 600
    maxOutputBytes: Bytes = 32_768
    graceSeconds: Seconds = 1
    environment: tuple[VariableName, ...] = ()
    sandbox: SandboxMode = "auto"
    network: bool = False
    readOnlyPaths: tuple[AbsolutePath, ...] = ()
    maxMemoryBytes: AllBytes = 2_147_483_648
    maxProcesses: Amount = 512
    maxFileBytes: AllBytes = 1_073_741_824
    maxDiskBytes: AllBytes = 4_294_967_296


class WebFetchSettings(Struct, frozen=True, kw_only=True):
    """
    Settings of C{web_fetch}.  The first two also apply to images that requests give by
    URL.

    @ivar allowPrivate: Allow addresses outside the public Internet.  Default: no.
    @ivar ports: The allowed TCP ports.  Default: 80 and 443.
    @ivar timeoutSeconds: The limit of a fetch, including redirects.  Default: 30.
    @ivar maxBytes: The limit of the body that is read.  Default: 1 MiB.
    @ivar maxCharacters: The limit of the text that the model gets.  Default: 40,000.
    """

    allowPrivate: bool = False
    ports: tuple[RemotePort, ...] = (80, 443)
    timeoutSeconds: Seconds = 30
    maxBytes: Bytes = 1_048_576
    maxCharacters: Amount = 40_000


class WebTools(Struct, frozen=True, kw_only=True):
    """
    @ivar fetch: Settings of C{web_fetch}.
    """

    fetch: WebFetchSettings = WebFetchSettings()


OWN_KEYS: Mapping[str, str] = {
    "grep": "tools.grep",
    "exec": "tools.exec",
    "web_fetch": "tools.web.fetch",
}
"""
The tools whose settings are not in C{tools.plugins}, and the keys of their settings.
"""


class Tools(Struct, frozen=True, kw_only=True):
    """
    The settings of all tools.

    @ivar plugins: Settings of plug-ins' tools, by the tool's name.  The plug-in checks
        them.
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
        Leave out plug-ins' settings, which may hold secrets.
        """
        return (
            f"Tools(grep={self.grep!r}, exec={self.exec!r}, web={self.web!r}, "
            f"plugins=<{len(self.plugins)}>)"
        )
