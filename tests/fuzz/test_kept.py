"""
Nothing is kept of a run that is over, and it is freed at once.  An object that waits
for the garbage collector, with a conversation of megabytes, waits long in an idle
daemon.
"""

import gc
from weakref import WeakSet, ref

from twisted.trial.unittest import SynchronousTestCase

from openclaw.api.chat_chunks import CompletionFormat
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


def _forms() -> "WeakSet[CompletionFormat]":
    """
    The forms of replies that there are.
    """
    return WeakSet(each for each in gc.get_objects() if type(each) is CompletionFormat)


class RunTests(WithoutCollector, GatewayTestCase):
    """
    Runs, with what they were asked.
    """

    def assertNothingKept(self, body, end) -> None:
        """
        Assert that a run is gone when it has ended, and the form of its reply.

        @param end: Ends it, by its call and its caller.
        """
        before = _forms()
        caller = self.gateway.post(body)
        [run] = map(ref, self.gateway.runtime.runs.values())
        forms = _forms() - before
        self.assertTrue(forms)
        del before
        self.gateway.call.say("Well")
        end(self.gateway.call, caller)
        caller.leave()
        del caller
        self.gateway.provider.calls.clear()
        self.gateway.clock.advance(5)
        self.assertIsNone(run())
        self.assertEqual(_forms() & forms, WeakSet())

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
