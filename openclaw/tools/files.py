"""
The tools for files: C{read}, C{write}, C{edit} and C{ls}.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from openclaw.interfaces import ITool, ToolContext, ToolError
from openclaw.tools.confinement import Workspace
from openclaw.tools.contents import Sync, explained, readLines, readWhole, replaceFile
from openclaw.tools.threads import checkStop, inThread

MAX_LINES = 2000
"""
The lines that are read when nothing is said.
"""

MAX_ENTRIES = 1000
"""
The entries of a directory that are listed.
"""

PATH = {
    "type": "string",
    "minLength": 1,
    "description": "Relative to the workspace.",
}


def rootOf(context: ToolContext) -> Path:
    """
    The agent's workspace.

    @raise ToolError: It has none.
    """
    if context.workspace is None:
        raise ToolError("This agent has no workspace.")
    return context.workspace


@implementer(ITool)
class ReadTool:
    """
    Shows text.
    """

    name = "read"
    description = (
        "Read a text file of the workspace.\n"
        "Long files come in pieces: use offset and limit to go on."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "path": PATH,
            "offset": {
                "type": "integer",
                "minimum": 1,
                "description": "The first line wanted, from 1.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "description": f"The most lines wanted; {MAX_LINES} if left out.",
            },
        },
        "required": ["path"],
        "additionalProperties": False,
    }
    readOnly = True

    def run(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> "Deferred[str]":
        """
        Read.
        """

        def work(stop: Event) -> str:
            return readLines(
                Workspace(rootOf(context)),
                arguments["path"],
                arguments.get("offset", 1),
                arguments.get("limit", MAX_LINES),
                stop,
            )

        return inThread(context.reactor, work)


@implementer(ITool)
class WriteTool:
    """
    Makes files.
    """

    name = "write"
    description = (
        "Write a whole file in the workspace, new or in place of the old one.\n"
        "Directories that are missing are made. To change a part, use edit."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "path": PATH,
            "content": {"type": "string", "description": "All of the new text."},
        },
        "required": ["path", "content"],
        "additionalProperties": False,
    }
    readOnly = False

    def __init__(self, sync: Sync = os.fsync) -> None:
        self._sync = sync

    def run(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> "Deferred[str]":
        """
        Write.
        """
        path = arguments["path"]
        data = arguments["content"].encode("utf-8", "replace")

        def work(stop: Event) -> str:
            workspace = Workspace(rootOf(context))
            with explained(path), workspace.place(path, makeParents=True) as place:
                new = replaceFile(place, data, stop, self._sync)
            done = "Created" if new else "Replaced"
            return f"{done} {path}: {len(data)} bytes."

        return inThread(context.reactor, work)


@implementer(ITool)
class EditTool:
    """
    Changes a part of a file.
    """

    name = "edit"
    description = (
        "Replace a piece of text in a file of the workspace.\n"
        "oldText must be in the file exactly as given, and only once unless"
        " replaceAll is true."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "path": PATH,
            "oldText": {
                "type": "string",
                "minLength": 1,
                "description": "What is there now, with its blanks and line ends.",
            },
            "newText": {"type": "string", "description": "What shall be there."},
            "replaceAll": {
                "type": "boolean",
                "description": "Replace it wherever it is.",
            },
        },
        "required": ["path", "oldText", "newText"],
        "additionalProperties": False,
    }
    readOnly = False

    def run(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> "Deferred[str]":
        """
        Edit.
        """
        path = arguments["path"]
        old = arguments["oldText"].encode("utf-8", "replace")
        new = arguments["newText"].encode("utf-8", "replace")
        everywhere = arguments.get("replaceAll", False)

        def work(stop: Event) -> str:
            workspace = Workspace(rootOf(context))
            with explained(path), workspace.place(path) as place:
                before = readWhole(place, path)
                after, count = _replaced(before, old, new)
                if not count:
                    raise ToolError(f"{path}: oldText is not in the file")
                if count > 1 and not everywhere:
                    raise ToolError(
                        f"{path}: oldText is there {count} times; give more of the"
                        " text around it, or set replaceAll"
                    )
                replaceFile(place, after, stop)
            times = "once" if count == 1 else f"{count} times"
            return f"Changed {path}: replaced {times}."

        return inThread(context.reactor, work)


def _replaced(data: bytes, old: bytes, new: bytes) -> tuple[bytes, int]:
    """
    Contents with a replacement, and how often it was made.  Works on bytes, so that
    what is not replaced stays as it is, whatever its encoding.
    """
    count = data.count(old)
    if not count and b"\r\n" in data and b"\r" not in old:
        # Models write plain line ends, also for files that have others.
        old, new = (text.replace(b"\n", b"\r\n") for text in (old, new))
        count = data.count(old)
    return data.replace(old, new), count


@implementer(ITool)
class ListTool:
    """
    Shows what is in a directory.
    """

    name = "ls"
    description = (
        "List a directory of the workspace.\n"
        "Directories end in /, symbolic links in @, files show their size in bytes."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "path": {
                "type": "string",
                "minLength": 1,
                "description": "Relative to the workspace; the workspace itself"
                " if left out.",
            }
        },
        "additionalProperties": False,
    }
    readOnly = True

    def run(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> "Deferred[str]":
        """
        List.
        """
        path = arguments.get("path", ".")

        def work(stop: Event) -> str:
            workspace = Workspace(rootOf(context))
            with explained(path), workspace.directory(path) as directory:
                return _listed(directory, stop)

        return inThread(context.reactor, work)


def _listed(directory: int, stop: Event) -> str:
    names = sorted(os.listdir(directory))
    lines = []
    for name in names[:MAX_ENTRIES]:
        checkStop(stop)
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            continue
        shown = printable(name)
        if stat.S_ISDIR(status.st_mode):
            lines.append(f"{shown}/")
        elif stat.S_ISLNK(status.st_mode):
            lines.append(f"{shown}@")
        else:
            lines.append(f"{shown}  {status.st_size}")
    if not lines:
        return "[the directory is empty]"
    if len(names) > MAX_ENTRIES:
        lines.append(f"[{len(names) - MAX_ENTRIES} more are not shown]")
    return "\n".join(lines)


def printable(name: str) -> str:
    """
    A file's name on one line.  Names may hold line ends and bytes that are no text.
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else ascii(text)[1:-1]


__all__ = [
    "MAX_ENTRIES",
    "MAX_LINES",
    "EditTool",
    "ListTool",
    "ReadTool",
    "WriteTool",
    "printable",
    "rootOf",
]
