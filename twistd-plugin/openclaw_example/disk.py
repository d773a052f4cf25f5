"""
A tool: how much room is left on the disks of the machine.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred
from zope.interface import implementer

from openclaw.interfaces import ITool, ToolContext, ToolError
from openclaw.net.threads import runInToolThread
from openclaw.tools.tool_settings import settingsFor

GIB = 1 << 30


class DiskSpaceSettings(Struct, frozen=True):
    """
    The settings in C{tools.plugins.disk_space} of the configuration.

    @ivar paths: A directory on each of the file systems that the agent may see.
    """

    paths: tuple[str, ...] = ("/",)


@implementer(ITool)
class DiskSpaceTool:
    """
    The tool.  There is one for all agents and all calls at once, so it remembers
    nothing.
    """

    name = "disk_space"
    description = "Tell how much space is free on the disks of this machine."
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "One of the disks; else all."},
        },
        "additionalProperties": False,
    }
    readOnly = True

    def __init__(self, look: Callable[[str], os.statvfs_result] = os.statvfs) -> None:
        """
        @param look: Asks the operating system about a path.
        """
        self._look = look

    def run(self, arguments: Mapping[str, Any], context: ToolContext) -> Deferred[str]:
        """
        See L{ITool.run}.  The arguments are as C{parameters} says.
        """
        return Deferred.fromCoroutine(self._run(arguments.get("path"), context))

    async def _run(self, wanted: str | None, context: ToolContext) -> str:
        paths = settingsFor(context, DiskSpaceSettings).paths
        if wanted is not None and wanted not in paths:
            # The model is told, and may try one of these.
            raise ToolError(f"No such disk. There are: {', '.join(paths)}")
        shown = paths if wanted is None else (wanted,)
        # A network's file system may take its time, which the daemon does not have.
        lines = await runInToolThread(
            context, lambda stop: [self._line(path) for path in shown]
        )
        return "\n".join(lines)

    def _line(self, path: str) -> str:
        try:
            found = self._look(path)
        except OSError as error:
            return f"{path}: {error.strerror}"
        free = found.f_bavail * found.f_frsize / GIB
        size = found.f_blocks * found.f_frsize / GIB
        return f"{path}: {free:.1f} GiB of {size:.1f} GiB are free"


__all__ = ["DiskSpaceSettings", "DiskSpaceTool"]
