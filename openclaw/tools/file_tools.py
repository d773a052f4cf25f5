"""
The tools for files: C{read}, C{write}, C{edit} and C{ls}.
"""

import os
import stat
from collections.abc import Iterator, Mapping
from heapq import nsmallest
from pathlib import Path
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from openclaw.interfaces import ITool, ToolContext, ToolError
from openclaw.net.threads import checkStop, inToolThread
from openclaw.tools.confinement import Workspace
from openclaw.tools.file_contents import (
    MAX_EDIT_BYTES,
    Sync,
    explained,
    readLines,
    readWhole,
    replaceFile,
)
from openclaw.tools.grep_main import printable

MAX_LINES = 2000
"""
The lines that are read when nothing is said.
"""

MAX_ENTRIES = 1000
"""
The entries of a directory that are listed.
"""

MAX_SCANNED = 100_000
"""
The entries of a directory that are looked at, to find the first ones.
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

        return inToolThread(context, work)


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
            with explained(path), workspace.target(path, makeParents=True) as target:
                new = replaceFile(target, data, stop, self._sync)
            done = "Created" if new else "Replaced"
            return f"{done} {path}: {len(data)} bytes."

        return inToolThread(context, work)


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
            with explained(path), workspace.target(path) as target:
                before = readWhole(target, path)
                found, put, count = _matching(before, old, new)
                if not count:
                    raise ToolError(f"{path}: oldText is not in the file")
                if count > 1 and not everywhere:
                    raise ToolError(
                        f"{path}: oldText is there {count} times; give more of the"
                        " text around it, or set replaceAll"
                    )
                size = len(before) + count * (len(put) - len(found))
                if size > MAX_EDIT_BYTES:
                    raise ToolError(
                        f"{path}: it would have {size} bytes after {count}"
                        f" replacements; at most {MAX_EDIT_BYTES} may be"
                    )
                replaceFile(target, before.replace(found, put), stop)
            times = "once" if count == 1 else f"{count} times"
            return f"Changed {path}: replaced {times}."

        return inToolThread(context, work)


def _matching(data: bytes, old: bytes, new: bytes) -> tuple[bytes, bytes, int]:
    """
    Find out what is to be replaced by what, with the line ends that a file has.
    Works on bytes, so that what is not replaced stays as it is, whatever its
    encoding.

    @return: Both, and how often the first is in the file.
    """
    count = data.count(old)
    if not count and b"\r\n" in data and b"\r" not in old:
        # Models write plain line ends, also for files that have others.
        old, new = (text.replace(b"\n", b"\r\n") for text in (old, new))
        count = data.count(old)
    return old, new, count


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

        return inToolThread(context, work)


def _listed(directory: int, stop: Event) -> str:
    names, count = _firstNames(directory, stop)
    lines = []
    for name in names:
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
    if count > MAX_SCANNED:
        lines.append(f"[there are more than {MAX_SCANNED}; these are some of them]")
    elif count > MAX_ENTRIES:
        lines.append(f"[{count - MAX_ENTRIES} more are not shown]")
    return "\n".join(lines)


def _firstNames(directory: int, stop: Event) -> tuple[list[str], int]:
    """
    The first names in a directory, in their order, and how many it has.  Of a very
    large one not all are looked at.
    """
    count = 0

    def names() -> Iterator[str]:
        nonlocal count
        with os.scandir(directory) as entries:
            for entry in entries:
                checkStop(stop)
                count += 1
                if count > MAX_SCANNED:
                    return
                yield entry.name

    return nsmallest(MAX_ENTRIES, names()), count
