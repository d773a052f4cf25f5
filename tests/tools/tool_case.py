"""
The test case of tools.
"""

import os
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.trial.unittest import TestCase

from openclaw.interfaces import ToolContext, ToolError
from openclaw.sessions.store.memory import MemorySessionStore


class ToolTestCase(TestCase):
    """
    An agent with a workspace, and files outside of it.

    @ivar outside: A directory outside of the workspace, with a file C{secret}.
    """

    def setUp(self):
        top = Path(self.mktemp()).absolute()
        self.workspace = top / "workspace"
        self.workspace.mkdir(parents=True)
        self.outside = top / "outside"
        self.outside.mkdir()
        (self.outside / "secret").write_text("the secret")

    def context(self, **changes):
        """
        Return the context of a call.
        """
        given = {
            "agentID": "main",
            "sessionKey": "agent:main:a",
            "runID": "run",
            "workspace": self.workspace,
            "reactor": reactor,
            "sessions": MemorySessionStore(clock=reactor),
            "settings": None,
            "log": Logger(observer=lambda event: None),
        }
        return ToolContext(**{**given, **changes})

    def put(self, name, contents=""):
        """
        Write a file into the workspace.

        @return: Its path.
        """
        path = self.workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = contents if isinstance(contents, bytes) else contents.encode()
        path.write_bytes(data)
        return path

    def names(self):
        """
        Return the names of everything in the workspace.
        """
        return sorted(os.listdir(self.workspace))

    async def failing(self, deferred):
        """
        Return the error message of a call that fails.
        """
        try:
            result = await deferred
        except ToolError as error:
            return str(error)
        raise self.failureException(f"it succeeded: {result!r}")

    async def cancelling(self, deferred):
        """
        Cancel a call, and wait for it to end.
        """
        deferred.cancel()
        try:
            result = await deferred
        except CancelledError:
            return
        raise self.failureException(f"it succeeded: {result!r}")


def openFiles(directory):
    """
    Return the open files and directories below a directory.
    """
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            path = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
        if Path(path).is_relative_to(directory):
            found.append(path)
    return found


def childProcesses():
    """
    Return the commands of all descendants of this process.
    """
    parents, commands = {}, {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            stat = Path(f"/proc/{name}/stat").read_text()
            commands[int(name)] = Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        parents[int(name)] = int(stat.rpartition(")")[2].split()[1])
    found, waiting = [], [os.getpid()]
    while waiting:
        above = waiting.pop()
        for pid in [pid for pid, parent in parents.items() if parent == above]:
            found.append(commands[pid].replace(b"\0", b" ").decode().strip())
            waiting.append(pid)
    return found


async def appearing(look, clock=reactor, seconds=10):
    """
    Wait until a function returns a true value, between iterations of the reactor.

    @return: The value.
    """
    deadline = clock.seconds() + seconds
    while not (found := look()):
        if clock.seconds() > deadline:
            raise AssertionError("it never appeared")
        await deferLater(clock, 0.005)
    return found
