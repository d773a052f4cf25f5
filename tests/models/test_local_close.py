"""
Tests for L{openclaw.models.local}: closing.
"""

from twisted.internet.defer import Deferred

from openclaw.errors import ShuttingDown
from openclaw.models.local.engine_process import STOP_SECONDS
from tests.models.local_doubles import LocalModelTestCase


class CloseTests(LocalModelTestCase):
    """
    C{close} leaves nothing behind, in any phase.
    """

    def assertClosed(self, provider, closed):
        """
        Assert that no result, process or delayed call is pending, and that calls fail.
        """
        self.successResultOf(closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual([c for c in self.processes.children if not c.ended], [])
        self.failureResultOf(self.ask(provider).done, ShuttingDown)
        self.assertEqual(provider.state, "closed")

    def test_beforeTheFirstUse(self):
        """
        An unused model is closed immediately.
        """
        provider = self.makeProvider()
        self.assertClosed(provider, provider.close())

    def test_whileItLoads(self):
        """
        Waiting calls fail, and the process's stdin is closed.
        """
        provider = self.makeProvider()
        call = self.ask(provider)
        closed = provider.close()
        self.assertEqual(
            self.failureResultOf(call.done, ShuttingDown).value.status, 503
        )
        self.assertFalse(self.child.stdinOpen)
        self.assertNoResult(closed)
        self.child.ends(signal=29)
        self.assertClosed(provider, closed)
        self.assertEqual(self.lines(), ["The embedded model is stopped"])

    def test_asItBecomesReady(self):
        """
        A process that becomes ready too late gets no calls, and is killed if it does
        not end.
        """
        provider = self.makeProvider()
        call = self.ask(provider)
        closed = provider.close()
        self.failureResultOf(call.done, ShuttingDown)
        self.child.listens()
        self.assertEqual(self.upstreams, [])
        self.clock.advance(STOP_SECONDS)
        self.assertEqual(self.child.signals, ["KILL"])
        self.child.ends(signal=9)
        self.assertClosed(provider, closed)

    def test_whenReady(self):
        """
        The connections are closed, then the process ends.
        """
        provider = self.makeProvider(start="atOnce")
        provider.start()
        self.child.listens()
        closed = provider.close()
        self.assertTrue(self.upstream.closed)
        self.child.ends()
        self.assertClosed(provider, closed)

    def test_whileItAnswers(self):
        """
        A call in progress can end first.
        """
        provider = self.makeProvider(start="atOnce")
        provider.start()
        self.child.listens()
        self.upstream.closing = Deferred()
        closed = provider.close()
        self.failureResultOf(self.ask(provider).done, ShuttingDown)
        self.assertTrue(self.child.stdinOpen)
        self.upstream.closing.callback(None)
        self.assertFalse(self.child.stdinOpen)
        self.child.ends()
        self.assertClosed(provider, closed)

    def test_inThePauseAfterDeath(self):
        """
        The next start is cancelled.
        """
        provider = self.makeProvider(start="atOnce")
        provider.start()
        self.child.listens()
        self.child.ends(signal=9)
        call = self.ask(provider)
        closed = provider.close()
        self.failureResultOf(call.done, ShuttingDown)
        self.assertClosed(provider, closed)

    def test_inThePauseAfterAFailedStart(self):
        """
        The same applies after a failed start.
        """
        provider = self.makeProvider(start="atOnce")
        provider.start()
        self.child.ends(status=1)
        self.assertClosed(provider, provider.close())

    def test_aStubbornProcessIsKilled(self):
        """
        A process that does not end is killed after a while.
        """
        provider = self.makeProvider(start="atOnce")
        provider.start()
        self.child.listens()
        closed = provider.close()
        self.clock.advance(STOP_SECONDS)
        self.assertEqual(self.child.signals, ["KILL"])
        self.assertNoResult(closed)
        self.child.ends(signal=9)
        self.assertClosed(provider, closed)

    def test_twice(self):
        """
        A second call waits for the same end.
        """
        provider = self.makeProvider(start="atOnce")
        provider.start()
        first, second = provider.close(), provider.close()
        self.assertNoResult(second)
        self.child.ends()
        self.assertClosed(provider, first)
        self.assertClosed(provider, second)

    def test_connectionsThatCannotBeClosed(self):
        """
        The process is stopped even if closing the connections fails.
        """
        provider = self.makeProvider(start="atOnce")
        provider.start()
        self.child.listens()
        self.upstream.closing = Deferred()
        closed = provider.close()
        self.upstream.closing.errback(RuntimeError("a bug"))
        self.assertFalse(self.child.stdinOpen)
        self.child.ends()
        self.assertClosed(provider, closed)
        self.assertEqual(len(self.lines("critical")), 1)

    def test_fromWithinAnAnswer(self):
        """
        Closing it when the first of two waiting calls fails, fails the second.
        """
        provider = self.makeProvider()
        first, second = self.ask(provider), self.ask(provider)
        closing = []
        first.done.addErrback(lambda _: closing.append(provider.close()))
        self.bug = TypeError("a bug")
        self.child.listens()
        self.failureResultOf(second.done, ShuttingDown)
        self.child.ends()
        self.assertClosed(provider, closing[0])
