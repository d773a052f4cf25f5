"""
The tool that runs commands.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from secrets import token_hex
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from openclaw.interfaces import ITool, ToolContext, ToolError
from openclaw.net.threads import runInThread, runInToolThread
from openclaw.tools.file_tools import requireWorkspace
from openclaw.tools.leftovers import MARK, killMarked
from openclaw.tools.printable import escapeControls
from openclaw.tools.reaper import REPORT
from openclaw.tools.sandbox import LAUNCHER, NoSandbox, Sandbox, resolveSandbox
from openclaw.tools.subprocesses import (
    EXIT_GRACE_SECONDS,
    BoundedOutput,
    ExitStatus,
    Program,
    nameSignal,
    runProgram,
    scrubEnvironment,
)
from openclaw.tools.tool_settings import ExecSettings, settingsFor

MAX_SHOWN = 90_000
"""
Limit of the characters of a result, below that of all tools, so that the end is shown.
"""

MAX_REPORT_BYTES = 4096

LIMITS = {
    "disk": "disk space",
    "memory": "memory",
    "processes": "processes",
}

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
        "It may be in a sandbox that has no network and can write only the workspace."
        " It has no input. The middle of long output is left out. Background"
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
        workspace = requireWorkspace(context)

        def prepare(_: Event) -> Sandbox | None:
            if not workspace.is_dir():
                raise ToolError("The workspace does not exist.")
            return resolveSandbox(settings)

        try:
            sandbox = await runInToolThread(context, prepare)
        except NoSandbox as error:
            raise ToolError(f"Commands can't be run: {error}.") from None
        report = _Report(context)
        try:
            program = Program(
                arguments=_wrap(command, workspace, sandbox, settings),
                environment=_environment(settings, sandbox, report.mark),
                seconds=seconds,
                # The reaper waits twice: after SIGTERM, then after SIGKILL.
                graceSeconds=2 * settings.graceSeconds + EXIT_GRACE_SECONDS,
                descriptors={REPORT: report.writer},
                exited=report.read,
            )
            output = BoundedOutput(min(settings.maxOutputBytes, MAX_SHOWN))
            status = await runProgram(context.reactor, program, output)
        finally:
            if report.cleaning is not None:
                await report.cleaning
            report.close()
        return _formatOutput(output.text(), status, report.end, seconds)


def _wrap(
    command: str, workspace: Path, sandbox: Sandbox | None, settings: ExecSettings
) -> list[str]:
    """
    Return the arguments that run a shell command under the reaper.
    """
    directory = str(workspace) if sandbox is None else os.path.realpath(workspace)
    limits = {
        "processes": settings.maxProcesses,
        "memory": settings.maxMemoryBytes,
        "fileSize": settings.maxFileBytes,
        "disk": settings.maxDiskBytes,
    }
    job = json.dumps(
        {
            "command": ["/bin/sh", "-c", command],
            "directory": directory,
            "grace": settings.graceSeconds,
            "limits": limits if sandbox is not None else None,
        },
        ensure_ascii=False,
    )
    # The reaper needs neither the environment nor site-packages.
    if sandbox is None:
        return [sys.executable, "-I", "-S", str(REAPER_PROGRAM), job]
    return sandbox.wrap(
        ["-I", "-S", LAUNCHER, job], REAPER_PROGRAM, directory, settings
    )


def _environment(
    settings: ExecSettings, sandbox: Sandbox | None, mark: str
) -> dict[str, str]:
    environment = scrubEnvironment(os.environ, settings.environment)
    environment[MARK] = mark
    if sandbox is not None:
        for name, value in (("HOME", "/tmp"), ("TMPDIR", "/tmp")):
            if name not in settings.environment:
                environment[name] = value
    return environment


class _Report:
    """
    The reaper's report on the end of a command.

    @ivar mark: The mark of the command's processes.
    @ivar writer: The descriptor that the reaper writes to.
    @ivar end: The report, or C{None} if the reaper was killed.
    @ivar cleaning: Fires when the processes that it left have been killed.
    """

    def __init__(self, context: ToolContext) -> None:
        """
        @raise ToolError: There are too many open files.
        """
        self.mark = token_hex(16)
        self.end: dict[str, Any] | None = None
        self.cleaning: Deferred[None] | None = None
        self._context = context
        try:
            self._reader, self.writer = os.pipe()
        except OSError as error:
            raise ToolError(f"No process could be started: {error.strerror}.") from None
        os.set_blocking(self._reader, False)

    def read(self) -> "Deferred[None] | None":
        """
        Read the report when the reaper has ended.  If there is none, kill the processes
        that it could not kill.
        """
        try:
            self.end = json.loads(os.read(self._reader, MAX_REPORT_BYTES))
        except (BlockingIOError, ValueError):
            self.cleaning = runInThread(
                self._context.reactor, lambda stop: killMarked(self.mark, stop)
            )
        return self.cleaning

    def close(self) -> None:
        os.close(self._reader)
        os.close(self.writer)


def _formatOutput(
    text: str, status: ExitStatus, end: Mapping[str, Any] | None, seconds: float
) -> str:
    """
    Format the result for the model.

    @param end: The reaper's report.
    @raise ToolError: The command was stopped, or could not be run.
    """
    text = escapeControls(text)
    if len(text) > MAX_SHOWN:
        half = MAX_SHOWN // 2
        text = f"{text[:half]}\n[... the middle is left out ...]\n{text[-half:]}"
    if text and not text.endswith("\n"):
        text += "\n"
    if status.stopReason == "timeout":
        raise ToolError(f"{text}[stopped: it took longer than {seconds:g} s]")
    if status.stopReason == "output":
        raise ToolError(f"{text}[stopped: it wrote too much]")
    if end is None:
        if status.signal is None:
            raise ToolError(f"{text}[it could not be run]")
        return f"{text}[{status}]"
    if "limit" in end:
        raise ToolError(f"{text}[stopped: it used too much: {LIMITS[end['limit']]}]")
    if "stopped" in end:
        return f"{text}[stopped by {nameSignal(end['stopped'])}, and killed]"
    return f"{text}[{ExitStatus(end.get('code'), end.get('signal'))}]"
