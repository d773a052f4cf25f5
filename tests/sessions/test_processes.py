"""
Tests of the SQLite store with several processes, and with one that is killed.
"""

import os
import sys
from pathlib import Path
from time import monotonic

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

import tests
from openclaw.interfaces import Claim
from openclaw.messages import AssistantMessage, UserMessage
from tests.contracts.store_opening import AGAIN, ANSWER
from tests.sessions.store_case import SQLiteTestCase
from tests.sessions.store_process import LEASE_SECONDS


class Child(ProcessProtocol):
    """
    A process of L{tests.sessions.store_process}.

    @ivar ended: Fires with its lines when it has been reaped.
    @ivar killAfter: The number of lines after which it is killed, if any.
    """

    def __init__(self, killAfter: int | None) -> None:
        self.ready: Deferred[None] = Deferred()
        self.ended: Deferred[list[str]] = Deferred()
        self.killAfter = killAfter
        self._said = b""
        self._complaint = b""

    def lines(self) -> list[str]:
        """
        Return the complete lines so far, except for the first.
        """
        return self._said.decode().split("\n")[1:-1]

    def go(self) -> None:
        """
        Let it begin.
        """
        self.transport.write(b"go\n")

    def outReceived(self, data: bytes) -> None:
        wasReady = b"\n" in self._said
        self._said += data
        if not wasReady and b"\n" in self._said:
            self.ready.callback(None)
        if self.killAfter is not None and len(self.lines()) >= self.killAfter:
            self.killAfter = None
            self.transport.signalProcess("KILL")

    def errReceived(self, data: bytes) -> None:
        """
        Pass on its errors.
        """
        self._complaint += data

    def processEnded(self, reason: Failure) -> None:
        reason.trap(ProcessDone, ProcessTerminated)
        if self._complaint:
            self.ended.errback(AssertionError(self._complaint.decode()))
        else:
            self.ended.callback(self.lines())


class ProcessTestCase(SQLiteTestCase):
    """
    A test case with other processes.
    """

    async def run_(
        self, command: str, number: int, *names: str, killAfter: int | None = None
    ) -> list[list[str]]:
        """
        Run a process for each name concurrently, to their ends.

        @return: The lines of each.
        """
        children = [Child(killAfter) for _ in names]
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(tests.__file__).absolute().parent.parent),
        }
        module = [sys.executable, "-m", "tests.sessions.store_process"]
        for child, name in zip(children, names, strict=True):
            reactor.spawnProcess(
                child,
                sys.executable,
                [*module, command, str(self.path), name, str(number)],
                env=environment,
            )
            self.addCleanup(killed, child)
        await gatherResults([child.ready for child in children])
        for child in children:
            child.go()
        return await gatherResults([child.ended for child in children])


class KilledTests(ProcessTestCase):
    """
    A killed daemon loses nothing that it had acknowledged.
    """

    async def test_kill(self) -> None:
        """
        After a kill during its work, everything that the daemon had acknowledged is
        stored in order.  The session of its run can be used immediately, though the
        lease was an hour.
        """
        (said,) = await self.run_("turns", 100_000, "s", killAfter=101)
        self.assertGreater(len(said), 100)
        store = await self.openStore(uptime=monotonic, leaseSeconds=LEASE_SECONDS)
        sessions = await store.sessions()
        self.assertTrue(sessions)
        for info in sessions:
            key = info.sessionKey
            acknowledged = [
                line.partition(": ")[2] for line in said if line.startswith(f"{key}:")
            ]
            kept = [message.content for message in await store.transcript(key)]
            self.assertEqual(kept[: len(acknowledged)], acknowledged)
            self.assertLessEqual(len(kept), len(acknowledged) + 1)
            claim = Claim(key, "next")
            begun = await store.beginTurn(claim, "main", [], [AGAIN])
            self.assertEqual(len(begun.messages), len(kept) + 1)
            await store.endTurn(claim, [ANSWER])

    async def test_held(self) -> None:
        """
        The killed daemon held a claim, as the test above assumes.
        """
        (said,) = await self.run_("turns", 100_000, "s", killAfter=1)
        self.assertEqual(said[0], "s0: question 0")
        store = await self.openStore(uptime=monotonic, leaseSeconds=LEASE_SECONDS)
        begun = await store.beginTurn(Claim("s0", "next"), "main", [], [AGAIN])
        self.assertEqual(
            list(begun.messages), [UserMessage(content="question 0"), AGAIN]
        )


class TogetherTests(ProcessTestCase):
    """
    Several processes use a database concurrently.
    """

    async def test_openNewAtOnce(self) -> None:
        """
        Many processes can open a new database at the same time.
        """
        self.path.parent.mkdir(parents=True)
        names = ["a", "b", "c"]
        said = await self.run_("open", 12, *names)
        self.assertEqual(said, [["done"]] * len(names))
        self.path = self.path.with_name(f"{self.path.name}11")
        store = await self.openStore()
        self.assertEqual({info.sessionKey for info in await store.sessions()}, {*names})

    async def test_takingTurns(self) -> None:
        """
        Two processes that use a session never interleave their turns, and lose no
        message.
        """
        names = ["a", "b"]
        said = await self.run_("append", 60, *names)
        self.assertEqual(said, [["done"]] * len(names))
        store = await self.openStore()
        kept = await store.transcript("shared")
        runs = [message.content for message in kept[::2]]
        for name in names:
            self.assertEqual(
                [run for run in runs if run.startswith(name)],
                [f"{name} {index}" for index in range(60)],
            )
        turns = [
            message
            for run in runs
            for message in (UserMessage(content=run), AssistantMessage(content=run))
        ]
        self.assertEqual(list(kept), turns)


def killed(child: Child) -> None:
    """
    Leave no process behind when a test fails.
    """
    if not child.ended.called:
        child.transport.signalProcess("KILL")
