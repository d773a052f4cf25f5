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
from openclaw.tools.file_tools import requireWorkspace
from openclaw.tools.subprocesses import (
    EXIT_GRACE_SECONDS,
    BoundedOutput,
    ExitStatus,
    Program,
    runProgram,
    scrubEnvironment,
)
from openclaw.tools.tool_settings import ExecSettings, settingsFor

REAPER_PROGRAM = Path(__file__).with_name("reaper.py")

MAX_COMMAND_CHARACTERS = 30_000
"""
Linux accepts no argument of 128 KiB or more, and a character has up to four bytes.
"""


@implementer(ITool)
class ExecTool:
    name = "exec"
    description = (
        "Run a shell command in the workspace and see its output.\n"
        "It has no input. The middle of long output is left out. Background"
        " processes are killed when the command ends."
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
                "description": "Seconds after which the command is stopped.",
            },
        },
        "required": ["command"],
        "additionalProperties": False,
    }
    readOnly = False

    def run(
        self, arguments: Mapping[str, Any], context: ToolContext
    ) -> "Deferred[str]":
        return Deferred.fromCoroutine(self._run(arguments, context))

    async def _run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        settings = settingsFor(context, ExecSettings)
        command = arguments["command"]
        if "\0" in command:
            raise ToolError("A command cannot contain a NUL character.")
        seconds = min(
            arguments.get("timeout", settings.timeoutSeconds),
            settings.maxTimeoutSeconds,
        )
        program = Program(
            arguments=[
                sys.executable,
                # The reaper needs neither the environment nor site-packages.
                "-I",
                "-S",
                str(REAPER_PROGRAM),
                str(settings.graceSeconds),
                str(requireWorkspace(context)),
                "/bin/sh",
                "-c",
                command,
            ],
            environment=scrubEnvironment(os.environ, settings.environment),
            seconds=seconds,
            # The reaper waits twice: after SIGTERM, then after SIGKILL.
            graceSeconds=2 * settings.graceSeconds + EXIT_GRACE_SECONDS,
            descriptors={},
        )
        output = BoundedOutput(settings.maxOutputBytes)
        status = await runProgram(context.reactor, program, output)
        return _formatOutput(output.text(), status, seconds)


def _formatOutput(text: str, status: ExitStatus, seconds: float) -> str:
    """
    Format the result for the model.

    @raise ToolError: The command was stopped.
    """
    if text and not text.endswith("\n"):
        text += "\n"
    if status.stopReason == "timeout":
        raise ToolError(f"{text}[stopped: it took longer than {seconds:g} s]")
    if status.stopReason == "output":
        raise ToolError(f"{text}[stopped: it wrote too much]")
    return f"{text}[{status}]"
