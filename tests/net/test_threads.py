"""
Tests of L{openclaw.net.threads}.
"""

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from openclaw.interfaces import ToolContext
from openclaw.net.threads import TOOL_THREADS, runInToolThread
from openclaw.sessions.store.memory import MemorySessionStore
from tests.server.memory_internet import Internet


class FairThreadsTests(SynchronousTestCase):
    """
    The threads of tools are shared fairly.
    """

    def setUp(self) -> None:
        self.net = Internet()
        self.done: list[str] = []

    def work(self, caller: str) -> "Deferred[None]":
        """
        Run a tool call of a caller.
        """
        context = ToolContext(
            agentID="main",
            sessionKey="agent:main:a",
            runID="run",
            workspace=None,
            reactor=self.net,
            sessions=MemorySessionStore(clock=self.net),
            settings=None,
            log=Logger(observer=lambda event: None),
            shareKey=caller,
        )
        return runInToolThread(context, lambda stop: self.done.append(caller))

    def test_greedy(self) -> None:
        """
        A caller with many calls leaves a thread for others, and waiting callers take
        turns.
        """
        for _ in range(24):
            self.work("greedy")
        self.assertEqual(len(self.net.threads.work), TOOL_THREADS - 1)
        self.work("polite")
        self.assertEqual(len(self.net.threads.work), TOOL_THREADS)
        self.work("polite")
        while self.net.threads.work:
            self.net.threads.run()
        self.assertEqual(self.done.count("greedy"), 24)
        last = max(i for i, caller in enumerate(self.done) if caller == "polite")
        self.assertLess(last, 2 * TOOL_THREADS)

    def test_cancelled(self) -> None:
        """
        Cancelled work that waits is never started, and the next in turn is.
        """
        calls = [self.work("ann") for _ in range(TOOL_THREADS + 1)]
        calls[TOOL_THREADS - 1].cancel()
        self.failureResultOf(calls[TOOL_THREADS - 1], CancelledError)
        while self.net.threads.work:
            self.net.threads.run()
        self.assertEqual(len(self.done), TOOL_THREADS)
        self.successResultOf(calls[TOOL_THREADS])
