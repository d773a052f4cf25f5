"""
The tools C{read}, C{write}, C{edit} and C{ls}.
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
from openclaw.net.threads import checkStop, runInToolThread
from openclaw.tools.confinement import Workspace
from openclaw.tools.file_contents import (
    MAX_EDIT_BYTES,
    Sync,
    readLines,
    readWhole,
    replaceFile,
    toolErrorsFor,
)
from openclaw.tools.grep_main import escapeName

MAX_LINES = 2000
"""
Lines that C{read} returns if the call has no limit.
"""

MAX_ENTRIES = 1000
"""
Limit of directory entries listed.
"""

MAX_SCANNED = 100_000
"""
Limit of directory entries read to find the first ones.
"""

PATH = {
    "type": "string",
    "minLength": 1,
    "description": "Relative to the workspace.",
}


def requireWorkspace(context: ToolContext) -> Path:
    """
    Return the agent's workspace.

    @raise ToolError: It has none.
    """
    if context.workspace is None:
        raise ToolError("This agent has no workspace.")
    return context.workspace


@implementer(ITool)
class ReadTool:
    name = "read"
    description = (
        "Read a text file of the workspace.\n"
        "Long files are returned in parts: use offset and limit to continue."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "path": PATH,
            "offset": {
                "type": "integer",
                "minimum": 1,
                "description": "The first line to read, from 1.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "description": f"The most lines to read; default {MAX_LINES}.",
            },
        },
        "required": ["path"],
        "additionalProperties": False,
    }
    readOnly = True

    def run(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> "Deferred[str]":
        def work(stop: Event) -> str:
            return readLines(
                Workspace(requireWorkspace(context)),
                arguments["path"],
                arguments.get("offset", 1),
                arguments.get("limit", MAX_LINES),
                stop,
            )

        return runInToolThread(context, work)


@implementer(ITool)
class WriteTool:
    name = "write"
    description = (
        "Create or replace a file in the workspace.\n"
        "Missing directories are created. To change a part of a file, use edit."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "path": PATH,
            "content": {"type": "string", "description": "The complete new text."},
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
        path = arguments["path"]
        data = arguments["content"].encode("utf-8", "replace")

        def work(stop: Event) -> str:
            workspace = Workspace(requireWorkspace(context))
            with (
                toolErrorsFor(path),
                workspace.target(path, makeParents=True) as target,
            ):
                new = replaceFile(target, data, stop, self._sync)
            done = "Created" if new else "Replaced"
            return f"{done} {path}: {len(data)} bytes."

        return runInToolThread(context, work)


@implementer(ITool)
class EditTool:
    name = "edit"
    description = (
        "Replace text in a file of the workspace.\n"
        "oldText must occur in the file exactly as given, and only once unless"
        " replaceAll is true."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "path": PATH,
            "oldText": {
                "type": "string",
                "minLength": 1,
                "description": "The current text, with its whitespace and line ends.",
            },
            "newText": {"type": "string", "description": "The replacement."},
            "replaceAll": {
                "type": "boolean",
                "description": "Replace every occurrence.",
            },
        },
        "required": ["path", "oldText", "newText"],
        "additionalProperties": False,
    }
    readOnly = False

    def run(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> "Deferred[str]":
        path = arguments["path"]
        old = arguments["oldText"].encode("utf-8", "replace")
        new = arguments["newText"].encode("utf-8", "replace")
        replaceAll = arguments.get("replaceAll", False)

        def work(stop: Event) -> str:
            workspace = Workspace(requireWorkspace(context))
            with toolErrorsFor(path), workspace.target(path) as target:
                before = readWhole(target, path)
                found, replacement, count = _matchLineEnds(before, old, new)
                if not count:
                    raise ToolError(f"{path}: oldText is not in the file")
                if count > 1 and not replaceAll:
                    raise ToolError(
                        f"{path}: oldText occurs {count} times; include more of the"
                        " surrounding text, or set replaceAll"
                    )
                size = len(before) + count * (len(replacement) - len(found))
                if size > MAX_EDIT_BYTES:
                    raise ToolError(
                        f"{path}: it would have {size} bytes after {count}"
                        f" replacements; the limit is {MAX_EDIT_BYTES}"
                    )
                replaceFile(target, before.replace(found, replacement), stop)
            times = "once" if count == 1 else f"{count} times"
            return f"Changed {path}: replaced {times}."

        return runInToolThread(context, work)


def _matchLineEnds(data: bytes, old: bytes, new: bytes) -> tuple[bytes, bytes, int]:
    """
    Adapt the line ends of an edit to those of the file.  Works on bytes, so that the
    rest of the file stays as it is in any encoding.

    @return: The text to replace, its replacement, and the number of occurrences.
    """
    count = data.count(old)
    if not count and b"\r\n" in data and b"\r" not in old:
        # Models write LF, also for files that have CRLF.
        old, new = (text.replace(b"\n", b"\r\n") for text in (old, new))
        count = data.count(old)
    return old, new, count


@implementer(ITool)
class ListTool:
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
                "description": "Relative to the workspace; default: the workspace"
                " itself.",
            }
        },
        "additionalProperties": False,
    }
    readOnly = True

    def run(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> "Deferred[str]":
        path = arguments.get("path", ".")

        def work(stop: Event) -> str:
            workspace = Workspace(requireWorkspace(context))
            with toolErrorsFor(path), workspace.directory(path) as directory:
                return _listEntries(directory, stop)

        return runInToolThread(context, work)


def _listEntries(directory: int, stop: Event) -> str:
    names, count = _readNames(directory, stop)
    lines = []
    for name in names:
        checkStop(stop)
        try:
            status = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            continue
        escaped = escapeName(name)
        if stat.S_ISDIR(status.st_mode):
            lines.append(f"{escaped}/")
        elif stat.S_ISLNK(status.st_mode):
            lines.append(f"{escaped}@")
        else:
            lines.append(f"{escaped}  {status.st_size}")
    if not lines:
        return "[the directory is empty]"
    if count > MAX_SCANNED:
        lines.append(f"[more than {MAX_SCANNED} entries; only some are shown]")
    elif count > MAX_ENTRIES:
        lines.append(f"[{count - MAX_ENTRIES} more are not shown]")
    return "\n".join(lines)


def _readNames(directory: int, stop: Event) -> tuple[list[str], int]:
    """
    Return the first names of a directory in sorted order, and the number of its
    entries, of which at most L{MAX_SCANNED} are read.
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
