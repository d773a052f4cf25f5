"""
Tests for L{openclaw.models.local}: fair sharing among callers.
"""

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from openclaw.config import LOCAL_MODEL, Secret
from openclaw.errors import ModelUnavailable, RunCancelled
from openclaw.interfaces import (
    EmbeddingReply,
    EmbeddingRequest,
    IEmbedder,
    IModelProvider,
    ModelRequest,
)
from openclaw.messages import UserMessage
from openclaw.models.local.caller_turns import TURN_INPUTS, FairSharingProvider
from tests.models.local_doubles import REPLY, LocalModelTestCase, UpstreamInMemory

PARALLEL = 2


def question(caller: str, text: str = "Hello.") -> ModelRequest:
    """
    Return a caller's request.
    """
    return ModelRequest(LOCAL_MODEL, "", [UserMessage(text)], caller=caller)


class TurnTests(SynchronousTestCase):
    """
    The process handles two requests concurrently.
    """

    def setUp(self) -> None:
        """
        Load the model.
        """
        self.upstream = UpstreamInMemory("http://127.0.0.1:9", Secret("k"), None)
        self.provider = FairSharingProvider(self.upstream, PARALLEL, Clock())

    def ask(self, caller: str, text: str = "Hello."):
        """
        Make a call without reading its result.
        """
        call = self.provider.ask(question(caller, text), lambda events: None)
        self.addCleanup(call.done.addErrback, lambda failure: None)
        return call

    @property
    def asked(self) -> list[str]:
        """
        Return the callers whose requests have reached the process.
        """
        return [call.request.caller for call in self.upstream.calls]

    def test_interfaces(self) -> None:
        """
        It provides the interfaces of the wrapped provider.
        """
        verifyObject(IModelProvider, self.provider)
        verifyObject(IEmbedder, self.provider)

    def test_alone(self) -> None:
        """
        A single caller can use everything, and calls that need not wait are made
        directly.
        """
        calls = [self.ask("ann") for _ in range(PARALLEL)]
        self.assertEqual(calls, self.upstream.calls)

    def test_greedy(self) -> None:
        """
        However many requests a caller has, another caller's is next.
        """
        for number in range(20):
            self.ask("greedy", str(number))
        polite = self.ask("polite")
        self.assertEqual(self.asked, ["greedy"] * PARALLEL)
        self.upstream.calls[0].done.callback(REPLY)
        self.assertEqual(self.asked, ["greedy", "greedy", "polite"])
        self.upstream.calls[2].done.callback(REPLY)
        self.assertEqual(self.successResultOf(polite.done), REPLY)
        for call in self.upstream.calls:
            if not call.done.called:
                call.done.callback(REPLY)
        texts = [call.request.messages[0].text for call in self.upstream.calls]
        self.assertEqual(texts[3:5], ["2", "3"])

    def test_cancelled(self) -> None:
        """
        A cancelled call frees its turn, waiting or not.
        """
        under_way = [self.ask("ann") for _ in range(PARALLEL)]
        waiting, last = self.ask("bob"), self.ask("eve")
        waiting.cancel()
        self.failureResultOf(waiting.done, RunCancelled)
        under_way[0].cancel()
        self.assertEqual(self.asked, ["ann", "ann", "eve"])
        self.upstream.calls[2].done.callback(REPLY)
        self.assertEqual(self.successResultOf(last.done), REPLY)

    def test_failed(self) -> None:
        """
        A failing call frees its turn, and so does one that can't be made.
        """
        for _ in range(PARALLEL):
            self.ask("ann")
        bad, good = self.ask("bob"), self.ask("eve")
        self.upstream.error = TypeError("a bug")
        self.upstream.calls[0].done.errback(ModelUnavailable("Gone."))
        self.failureResultOf(bad.done, TypeError)
        self.assertEqual(self.asked, ["ann", "ann", "eve"])
        self.assertNoResult(good.done)
        self.upstream.calls[1].done.callback(REPLY)
        self.upstream.error = TypeError("a bug")
        self.assertRaises(TypeError, self.ask, "bob")
        self.assertIs(self.ask("bob"), self.upstream.calls[-1])

    def test_embeddings(self) -> None:
        """
        A large request takes many turns, in between those of others; its vectors keep
        their order.
        """
        count = 3 * TURN_INPUTS + 1
        texts = [str(number) for number in range(count)]
        many = [
            self.provider.embed(EmbeddingRequest(LOCAL_MODEL, texts, caller="greedy"))
            for _ in range(PARALLEL)
        ]
        few = self.provider.embed(EmbeddingRequest(LOCAL_MODEL, ["a"], caller="polite"))
        parts = self.upstream.embeddings
        self.assertEqual([len(part.request.inputs) for part in parts], [16, 16])
        self.answer(parts[0])
        self.assertEqual(parts[2].request.caller, "polite")
        self.answer(parts[2])
        self.assertEqual(self.successResultOf(few).promptTokens, 1)
        for part in parts:
            if part not in (parts[0], parts[2]):
                self.answer(part)
        for done in many:
            reply = self.successResultOf(done)
            self.assertEqual(reply.vectors, [[float(text)] for text in texts])
            self.assertEqual(reply.promptTokens, count)

    def answer(self, call) -> None:
        """
        Reply to a call for embeddings.
        """
        inputs = call.request.inputs
        vectors = [[0.0 if text == "a" else float(text)] for text in inputs]
        call.done.callback(EmbeddingReply(vectors, len(inputs)))

    def test_close(self) -> None:
        """
        The connections are closed when no call waits for a turn.
        """
        calls = [self.ask("ann") for _ in range(PARALLEL + 1)]
        self.upstream.closing = Deferred()
        closed = self.provider.close()
        self.assertFalse(self.upstream.closed)
        self.upstream.calls[0].done.callback(REPLY)
        self.assertTrue(self.upstream.closed)
        self.assertNoResult(closed)
        self.upstream.calls[2].done.callback(REPLY)
        self.assertEqual(self.successResultOf(calls[2].done), REPLY)
        self.upstream.closing.callback(None)
        self.successResultOf(closed)

    def test_closeBetweenParts(self) -> None:
        """
        A large request in progress can end.
        """
        texts = ["1"] * (2 * TURN_INPUTS)
        done = self.provider.embed(EmbeddingRequest(LOCAL_MODEL, texts))
        self.provider.close()
        self.answer(self.upstream.embeddings[0])
        self.assertFalse(self.upstream.closed)
        self.answer(self.upstream.embeddings[1])
        self.assertEqual(len(self.successResultOf(done).vectors), len(texts))
        self.assertTrue(self.upstream.closed)


class WholeProviderTests(LocalModelTestCase):
    """
    The embedded model shares its turns.
    """

    def test_turns(self) -> None:
        """
        This includes calls from before it was loaded.
        """
        provider = self.makeProvider(parallel=1)
        for _ in range(3):
            self.ask(provider, question("greedy"))
        self.ask(provider, question("polite"))
        self.child.listens()
        self.upstream.calls[0].done.callback(REPLY)
        asked = [call.request.caller for call in self.upstream.calls]
        self.assertEqual(asked, ["greedy", "polite"])
