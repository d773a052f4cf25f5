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
from openclaw.tools.edit_hints import describeNearest
from openclaw.tools.file_contents import (
    MAX_EDIT_BYTES,
    Sync,
    readWhole,
    replaceFile,
    toolErrorsFor,
)
from openclaw.tools.file_reading import readLines
from openclaw.tools.grep_main import escapeName
from openclaw.tools.printable import describeCharacter
from openclaw.tools.text_edits import Edit, EditRefused, planEdit
from openclaw.tools.text_encoding import BinaryData, detectEncoding

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
            "column": {
                "type": "integer",
                "minimum": 1,
                "description": "The first character of that line, from 1, to go on"
                " within a long line.",
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
                arguments.get("column", 1),
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
                replaced = replaceFile(target, data, stop, self._sync)
            done = "Created" if replaced.new else "Replaced"
            return f"{done} {path}: {len(data)} bytes.{replaced}"

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
        old, new = arguments["oldText"], arguments["newText"]
        replaceAll = arguments.get("replaceAll", False)

        def work(stop: Event) -> str:
            workspace = Workspace(requireWorkspace(context))
            with toolErrorsFor(path), workspace.target(path) as target:
                before = readWhole(target, path)
                after, edit = _edit(before, path, old, new, replaceAll, stop)
                replaced = replaceFile(target, after, stop)
            times = "once" if edit.count == 1 else f"{edit.count} times"
            overlap = ", from the left, since some overlap" if edit.overlapping else ""
            return f"Changed {path}: replaced {times}{overlap}.{replaced}"

        return runInToolThread(context, work)


def _edit(
    data: bytes, path: str, old: str, new: str, replaceAll: bool, stop: Event
) -> tuple[bytes, Edit]:
    """
    Replace text in a file's contents, in the encoding of the file.

    @raise ToolError: The text is not found, not unique, or can't be encoded, or the
        result is too large.
    """
    if old == new:
        raise ToolError(f"{path}: oldText and newText are the same")
    try:
        encoding = detectEncoding(data)
    except BinaryData:
        raise ToolError(f"{path}: it is a binary file of {len(data)} bytes") from None
    text = encoding.decode(data)
    if not encoding.isUTF8 and (encoding.damaged or encoding.encode(text) != data):
        raise ToolError(
            f"{path}: it seems to be in {encoding.label}, but could not be written back"
            " as it is; it can't be edited here"
        )
    try:
        edit = planEdit(text, old, new, replaceAll, stop)
    except EditRefused as error:
        raise ToolError(f"{path}: {error}") from None
    if not edit.count:
        raise ToolError(
            f"{path}: oldText is not in the file{describeNearest(text, old)}"
        )
    try:
        grown = len(encoding.encode(edit.largest)) - len(encoding.encode(edit.old))
    except UnicodeEncodeError as error:
        character = describeCharacter(error.object[error.start])
        raise ToolError(
            f"{path}: it is in {encoding.label}, which does not have {character} of"
            " newText"
        ) from None
    size = len(data) + edit.count * grown
    if size > MAX_EDIT_BYTES:
        raise ToolError(
            f"{path}: it would have {size} bytes after {edit.count} replacements; the"
            f" limit is {MAX_EDIT_BYTES}"
        )
    return encoding.encode(edit.apply(text)), edit


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
