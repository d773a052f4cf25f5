"""
What stays of a run that is over: nothing, and at once.  What waits for the garbage
collector, with a conversation of megabytes, waits long in a daemon that has no work.
"""

import gc
from weakref import ref

from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import OpenClawError, UpstreamRefused
from tests.models.provider_case import DONE, HELLO, ProviderTestCase
from tests.server.memory_gateway import HELLO as ASKED
from tests.server.memory_gateway import STREAMED, GatewayTestCase


class WithoutCollector(SynchronousTestCase):
    """
    To be mixed in: nobody collects garbage.
    """

    def setUp(self) -> None:
        """
        Switch the collector off.
        """
        super().setUp()
        gc.disable()
        self.addCleanup(gc.enable)


class RunTests(WithoutCollector, GatewayTestCase):
    """
    Runs, with what they were asked.
    """

    def assertNothingKept(self, body, end) -> None:
        """
        Assert that a run is gone when it has ended.

        @param end: Ends it, by its call and its caller.
        """
        caller = self.gateway.post(body)
        [run] = map(ref, self.gateway.runtime.runs.values())
        self.gateway.call.say("Well")
        end(self.gateway.call, caller)
        caller.leave()
        del caller
        self.gateway.provider.calls.clear()
        self.gateway.clock.advance(5)
        self.assertIsNone(run())

    def test_ended(self) -> None:
        """
        After an answer.
        """
        for body in (ASKED, STREAMED, {**ASKED, "user": "alice"}):
            self.assertNothingKept(body, lambda call, caller: call.finish())

    def test_failed(self) -> None:
        """
        After an error.
        """
        for body in (ASKED, STREAMED):
            self.assertNothingKept(
                body, lambda call, caller: call.fail(UpstreamRefused("No."))
            )

    def test_left(self) -> None:
        """
        When its caller has gone.
        """
        for body in (ASKED, STREAMED):
            self.assertNothingKept(body, lambda call, caller: caller.reset())


class CallTests(WithoutCollector, ProviderTestCase):
    """
    Calls of models over HTTP.
    """

    def test_ended(self) -> None:
        """
        A call is gone when its connection rests in the pool.
        """
        call = self.asked()
        self.served.send(HELLO + DONE)
        self.served.end()
        self.network.flush()
        self.successResultOf(call.done)
        kept = ref(call)
        del call
        self.assertIsNone(kept())
        self.assertCloses()

    def test_cancelled(self) -> None:
        """
        And when it was cancelled.
        """
        call = self.asked()
        self.served.send(HELLO)
        self.network.flush()
        call.cancel()
        self.failureResultOf(call.done, OpenClawError)
        self.network.flush()
        kept = ref(call)
        del call
        self.assertIsNone(kept())
        self.assertCloses()


__all__ = ["WithoutCollector"]
