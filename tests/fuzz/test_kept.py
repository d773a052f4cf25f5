"""
A finished run is freed immediately.  An object that waits for the garbage collector,
with a conversation of megabytes, waits long in an idle daemon.
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
    A mixin that disables the garbage collector.
    """

    def setUp(self) -> None:
        """
        Disable the garbage collector.
        """
        super().setUp()
        gc.disable()
        self.addCleanup(gc.enable)


def _forms() -> "WeakSet[CompletionFormat]":
    """
    Return all encoders of replies.
    """
    return WeakSet(each for each in gc.get_objects() if type(each) is CompletionFormat)


class RunTests(WithoutCollector, GatewayTestCase):
    """
    Runs with their requests.
    """

    def assertNothingKept(self, body, end) -> None:
        """
        Assert that a run and its encoder are freed when it has ended.

        @param end: Ends it, by its call and its client.
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
        After a reply.
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
        After a disconnect.
        """
        for body in (ASKED, STREAMED):
            self.assertNothingKept(body, lambda call, caller: caller.reset())


class CallTests(WithoutCollector, ProviderTestCase):
    """
    Model calls over HTTP.
    """

    def test_ended(self) -> None:
        """
        A call is freed when its connection is back in the pool.
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
        A cancelled call is freed.
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
