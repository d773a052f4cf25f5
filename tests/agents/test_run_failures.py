"""
Tests of L{openclaw.agents.run}: failures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from openclaw.config import ModelRef
from openclaw.errors import (
    InternalError,
    ModelUnavailable,
    RunCancelled,
    StoreError,
    UpstreamAuthFailed,
    UpstreamRefused,
)
from openclaw.events import ModelListener
from openclaw.interfaces import (
    Claim,
    IModelCall,
    IModelProvider,
    ModelReply,
    ModelRequest,
)
from openclaw.messages import NO_USAGE, Message
from tests.agents.run_harness import HELLO, FailingStore, RunHarness, Watched


def raising(error: BaseException) -> Callable:
    """
    Return a function that raises an exception.
    """

    def fault(*arguments: object) -> None:
        raise error

    return fault


class FailingTestCase(SynchronousTestCase):
    """
    A test case with a failing run.
    """

    def setUp(self) -> None:
        self.harness = RunHarness()

    def assertFailed(
        self, run: Watched, kind: type, kept: Sequence[Message] = (HELLO,)
    ) -> None:
        """
        Assert that a run failed, and stored only the caller's message.
        """
        self.assertIs(type(run.error), kind)
        self.assertEqual(len(run.ends), 1)
        self.assertEqual(self.harness.kept(), list(kept))
        self.assertTrue(self.harness.claim())
        self.assertEqual(self.harness.clock.getDelayedCalls(), [])
        self.assertIsNone(run.run.claim)


class ModelFailureTests(FailingTestCase):
    """
    The model fails.
    """

    def test_atOnce(self) -> None:
        """
        The caller gets the error; the message is stored, and the session is free.
        """
        run = self.harness.begin()
        error = UpstreamAuthFailed("The provider refuses us.")
        self.harness.call.fail(error)
        self.assertFailed(run, UpstreamAuthFailed)
        self.assertIs(run.error, error)
        self.assertEqual(self.harness.logged, [])

    def test_afterSomeWords(self) -> None:
        """
        A partial reply is not stored.
        """
        run = self.harness.begin()
        self.harness.call.say("I th")
        self.harness.call.fail(UpstreamAuthFailed("The provider refuses us."))
        self.assertFailed(run, UpstreamAuthFailed)
        self.assertEqual(run.text, "I th")

    def test_unknownProvider(self) -> None:
        """
        A provider that a reload removed has a clear error.
        """
        run = self.harness.begin(model=ModelRef("elsewhere", "m"))
        self.assertFailed(run, ModelUnavailable)
        self.assertIn("'elsewhere'", run.error.message)
        self.assertEqual(run.error.status, 503)

    def test_unknownProviderStateless(self) -> None:
        """
        The same applies without a session.
        """
        run = self.harness.begin(model=ModelRef("elsewhere", "m"), kept=False)
        self.assertFailed(run, ModelUnavailable, kept=[])

    def test_nextRun(self) -> None:
        """
        After a failure the next run of the session starts.
        """
        first, second = self.harness.begin(), self.harness.begin()
        self.harness.call.fail(UpstreamRefused("The provider refuses it."))
        self.assertIs(type(first.error), UpstreamRefused)
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(second.result.text, "Hi.")


class OwnFaultTests(FailingTestCase):
    """
    Unexpected exceptions.
    """

    def assertOwnFault(self, run: Watched, kept: Sequence[Message] = (HELLO,)) -> None:
        """
        Assert that the caller gets no detail, and that the log has all.
        """
        self.assertFailed(run, InternalError, kept)
        self.assertEqual(run.error.status, 500)
        self.assertNotIn("bug", run.error.message)
        (event,) = self.harness.events
        self.assertIn(run.run.runID, self.harness.logged[0])
        self.assertEqual(event["log_failure"].getErrorMessage(), "a bug")

    def test_provider(self) -> None:
        """
        The provider's C{ask} raises an exception.
        """
        self.harness.provider.answer = raising(ZeroDivisionError("a bug"))
        self.assertOwnFault(self.harness.begin())

    def test_listener(self) -> None:
        """
        The listener raises an exception at the start of the run.
        """
        run = self.harness.prepare()
        run.listener = raising(ZeroDivisionError("a bug"))
        run.run.start()
        self.assertOwnFault(run)
        self.assertEqual(self.harness.provider.calls, [])

    def test_callFailsOddly(self) -> None:
        """
        The call fails with an exception that is not ours.
        """
        run = self.harness.begin()
        self.harness.call.done.errback(Failure(ZeroDivisionError("a bug")))
        self.assertOwnFault(run)

    def test_callCancelledByItself(self) -> None:
        """
        The call was cancelled without cancelling the run.
        """
        run = self.harness.begin()
        self.harness.call.done.errback(Failure(CancelledError("a bug")))
        self.assertOwnFault(run)

    def test_providers(self) -> None:
        """
        The table of providers raises an exception.
        """
        self.harness.services = replace(
            self.harness.services, providers=raising(ZeroDivisionError("a bug"))
        )
        self.assertOwnFault(self.harness.begin())


@implementer(IModelCall)
class PlainCall:
    """
    A call that only implements the interface: cancelling its C{done} does not cancel
    it.
    """

    usage = NO_USAGE
    ignoredParams = ()

    def __init__(self) -> None:
        self.done: Deferred[ModelReply] = Deferred()
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True
        self.done.errback(Failure(RunCancelled("The run was cancelled.")))

    def pauseProducing(self) -> None:
        """
        Do nothing.
        """

    def resumeProducing(self) -> None:
        """
        Do nothing.
        """

    def stopProducing(self) -> None:
        self.cancel()


@implementer(IModelProvider)
@dataclass
class PlainProvider:
    """
    A provider with one call.
    """

    name: str
    call: PlainCall

    def ask(self, request: ModelRequest, listener: ModelListener) -> PlainCall:
        return self.call

    def close(self) -> Deferred[None]:
        return succeed(None)


class OtherProviderTests(FailingTestCase):
    """
    A run works with any implementation of the interface.
    """

    def test_cancel(self) -> None:
        """
        A call is cancelled by its method C{cancel}.
        """
        call = PlainCall()
        self.harness.services = replace(
            self.harness.services, providers=lambda name: PlainProvider(name, call)
        )
        run = self.harness.begin()
        run.run.cancel()
        self.assertTrue(call.cancelled)
        self.assertFailed(run, RunCancelled)


class StoreFailureTests(FailingTestCase):
    """
    The store fails.
    """

    def setUp(self) -> None:
        self.harness = RunHarness(makeStore=FailingStore)
        self.store = self.harness.store

    def test_beginning(self) -> None:
        """
        If the caller's message can't be stored, the model is not called.
        """
        self.store.failing = frozenset({"beginTurn"})
        run = self.harness.begin()
        self.store.failing = frozenset()
        self.assertFailed(run, StoreError, kept=[])
        self.assertEqual(self.harness.provider.calls, [])

    def test_ending(self) -> None:
        """
        If the reply can't be stored, the run fails.
        """
        run = self.harness.begin()
        self.store.failing = frozenset({"endTurn"})
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertIs(type(run.error), StoreError)
        self.assertEqual(run.error.status, 500)
        self.assertEqual(self.harness.clock.getDelayedCalls(), [])

    def test_claimLost(self) -> None:
        """
        The same applies if another process has taken over the session.
        """
        run = self.harness.begin()
        self.harness.clock.advance(self.store.leaseSeconds + 1)
        other = Claim(run.run.request.sessionKey, "another")
        self.successResultOf(self.store.beginTurn(other, "main", [], [HELLO]))
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertIs(type(run.error), StoreError)
        self.assertEqual(self.harness.kept(), [HELLO, HELLO])

    def test_nextRun(self) -> None:
        """
        The slots are released nevertheless.
        """
        first, second = self.harness.begin(), self.harness.begin("agent:main:b")
        self.store.failing = frozenset({"endTurn"})
        for call in self.harness.provider.calls:
            call.say("Hi.")
            call.finish()
        self.store.failing = frozenset()
        self.assertIs(type(first.error), StoreError)
        self.assertIs(type(second.error), StoreError)
        self.harness.begin(kept=False)
        self.harness.begin(kept=False)
        self.assertEqual(len(self.harness.provider.calls), 4)
