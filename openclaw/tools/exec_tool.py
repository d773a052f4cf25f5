"""
The tool that runs commands.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from openclaw.interfaces import ITool, ToolContext, ToolError
from openclaw.tools.file_tools import rootOf
from openclaw.tools.subprocesses import (
    LAST_GRACE_SECONDS,
    BoundedOutput,
    Ending,
    Program,
    runProgram,
    scrubbed,
)
from openclaw.tools.tool_settings import ExecSettings, settingsFor

KEEPER = Path(__file__).with_name("reaper.py")

MAX_COMMAND_CHARACTERS = 30_000
"""
Linux takes no argument of 128 KiB or more, and a character has up to four bytes.
"""


@implementer(ITool)
class ExecTool:
    """
    Runs a command.
    """

    name = "exec"
    description = (
        "Run a shell command in the workspace and see its output.\n"
        "It gets no input. Long output loses its middle. Processes it leaves behind"
        " are ended with it."
    )
    parameters: Mapping[str, Any] = {
        "type": "object",
        "properties": {
            "command": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_COMMAND_CHARACTERS,
                "description": "For /bin/sh.",
            },
            "timeout": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "Seconds after which it is ended.",
            },
        },
        "required": ["command"],
        "additionalProperties": False,
    }
    readOnly = False

    def run(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> "Deferred[str]":
        """
        Run the command to its end.
        """
        return Deferred.fromCoroutine(self._run(arguments, context))

    async def _run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        settings = settingsFor(context, ExecSettings)
        command = arguments["command"]
        if "\0" in command:
            raise ToolError("A command can't hold a NUL character.")
        wanted = arguments.get("timeout", settings.timeoutSeconds)
        seconds = min(wanted, settings.maxTimeoutSeconds)
        program = Program(
            arguments=[
                sys.executable,
                # Neither the environment nor site-packages are the reaper's business.
                "-I",
                "-S",
                str(KEEPER),
                str(settings.graceSeconds),
                str(rootOf(context)),
                "/bin/sh",
                "-c",
                command,
            ],
            environment=scrubbed(os.environ, settings.environment),
            seconds=seconds,
            # The reaper needs the grace twice: for SIGTERM, then for SIGKILL.
            graceSeconds=2 * settings.graceSeconds + LAST_GRACE_SECONDS,
            descriptors={},
        )
        output = BoundedOutput(settings.maxOutputBytes)
        ending = await runProgram(context.reactor, program, output)
        return _told(output.text(), ending, seconds)


def _told(text: str, ending: Ending, seconds: float) -> str:
    """
    Build the text for the model.

    @raise ToolError: The command had to be ended.
    """
    if text and not text.endswith("\n"):
        text += "\n"
    if ending.why == "time":
        raise ToolError(f"{text}[ended: it took longer than {seconds:g} s]")
    if ending.why == "flood":
        raise ToolError(f"{text}[ended: it wrote too much]")
    return f"{text}[{ending}]"
