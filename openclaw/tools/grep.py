"""
The tool that searches files for text.
"""

import json
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from openclaw.interfaces import ITool, ToolContext, ToolError
from openclaw.net.threads import runInToolThread
from openclaw.tools.confinement import Workspace, openRegular
from openclaw.tools.file_contents import toolErrorsFor
from openclaw.tools.file_globs import BadGlob, compileGlobs
from openclaw.tools.file_tools import requireWorkspace
from openclaw.tools.grep_main import START
from openclaw.tools.subprocesses import (
    BoundedOutput,
    Program,
    runProgram,
    scrubEnvironment,
)
from openclaw.tools.tool_settings import GrepSettings, settingsFor

PACKAGES = Path(__file__).parents[2]
PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]);"
    " from openclaw.tools.grep_main import main; sys.exit(main(sys.argv[2]))"
)
"""
The program, which starts without what is installed; that takes three times as long.
"""

MAX_PATTERN_CHARACTERS = 1000
MAX_GLOB_CHARACTERS = 1000
MAX_FOUND = 500
DEFAULT_FOUND = 100

MAX_OUTPUT_BYTES = 256 * 1024
"""
Above the program's own limit, which is in characters.
"""


@implementer(ITool)
class GrepTool:
    """
    Searches files for lines that match a pattern.
    """

    name = "grep"
    description = (
        "Find the lines of the workspace's text files that match a pattern.\n"
        "Each is shown as path:line:text. Symbolic links and the directories of version"
        " control are skipped."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "pattern": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_PATTERN_CHARACTERS,
                "description": "A Python regular expression.",
            },
            "path": {
                "type": "string",
                "minLength": 1,
                "description": "A file, or a directory to search recursively;"
                " default: the whole workspace.",
            },
            "literal": {
                "type": "boolean",
                "description": "Take the pattern as plain text.",
            },
            "ignoreCase": {"type": "boolean"},
            "include": {
                "type": ["string", "array"],
                "minLength": 1,
                "maxLength": MAX_GLOB_CHARACTERS,
                "items": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": MAX_GLOB_CHARACTERS,
                },
                "minItems": 1,
                "maxItems": 50,
                "description": "Globs of the files to search, such as *.{js,ts},"
                " src/**/*.py or !*.min.js.",
            },
            "limit": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_FOUND,
                "description": f"The most lines to return; default {DEFAULT_FOUND}.",
            },
        },
        "required": ["pattern"],
        "additionalProperties": False,
    }
    readOnly = True

    def run(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> "Deferred[str]":
        return Deferred.fromCoroutine(self._run(arguments, context))

    async def _run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        seconds = settingsFor(context, GrepSettings).timeoutSeconds
        workspace = Workspace(requireWorkspace(context))
        path = arguments.get("path", ".")
        opened: list[int] = []
        rules: list[dict[str, Any]] = []

        def openStart(_: Event) -> None:
            rules.extend(_compileInclude(arguments, context))
            opened.append(_openStart(workspace, path))

        try:
            await runInToolThread(context, openStart)
            output = BoundedOutput(MAX_OUTPUT_BYTES)
            program = Program(
                arguments=[
                    sys.executable,
                    "-I",
                    "-S",
                    "-c",
                    PROGRAM,
                    str(PACKAGES),
                    _encodeJob(arguments, rules, seconds),
                ],
                environment=scrubEnvironment(os.environ),
                seconds=seconds,
                graceSeconds=0,
                descriptors={START: opened[0]},
            )
            status = await runProgram(context.reactor, program, output)
        finally:
            for descriptor in opened:
                os.close(descriptor)
        text = output.text().removesuffix("\n")
        if status.stopReason is not None:
            note = f"[the search was stopped after {seconds:g} s; narrow it]"
            if not text:
                raise ToolError(note)
            return f"{text}\n{note}"
        if status.code != 0:
            raise ToolError(text or "The search failed.")
        return text


def _openStart(workspace: Workspace, path: str) -> int:
    with toolErrorsFor(path), workspace.target(path) as target:
        try:
            return os.open(
                target.name,
                os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
                dir_fd=target.directory,
            )
        except NotADirectoryError:
            return openRegular(target)


def _compileInclude(
    arguments: Mapping[str, Any], context: ToolContext
) -> list[dict[str, Any]]:
    if "include" not in arguments:
        return []
    try:
        return compileGlobs(arguments["include"], str(context.workspace))
    except BadGlob as error:
        raise ToolError(f"include is not a valid glob: {error}.") from None


def _encodeJob(
    arguments: Mapping[str, Any], rules: list[dict[str, Any]], seconds: float
) -> str:
    """
    Encode the job of L{openclaw.tools.grep_main}, in ASCII: the locale's encoding does
    not matter then.
    """
    path = os.path.normpath(arguments.get("path", "."))
    return json.dumps(
        {
            "pattern": arguments["pattern"],
            "literal": arguments.get("literal", False),
            "ignoreCase": arguments.get("ignoreCase", False),
            "include": rules,
            "limit": arguments.get("limit", DEFAULT_FOUND),
            "base": "" if path == "." else path,
            "seconds": math.ceil(seconds) + 1,
            "path": [os.path.abspath(each) for each in sys.path],
        }
    )
