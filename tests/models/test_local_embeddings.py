"""
Tests for L{openclaw.models.local}: embeddings.
"""

from zope.interface.verify import verifyObject

from openclaw.config import LOCAL_MODEL
from openclaw.errors import ModelUnavailable, NotFound, RunCancelled, ShuttingDown
from openclaw.interfaces import EmbeddingReply, EmbeddingRequest, IEmbedder
from openclaw.models.local.local_provider import EMBEDDING_TOKENS
from openclaw.models.local.weights import ENGINE, NO_ENGINE
from tests.models.local_doubles import LocalModelTestCase

REQUEST = EmbeddingRequest(LOCAL_MODEL, ["a"])
REPLY = EmbeddingReply([[1.0]], 1)


class EmbeddingProcessTests(LocalModelTestCase):
    """
    Embeddings have a separate process.
    """

    def setUp(self):
        super().setUp()
        self.provider = self.makeProvider(parallel=3, threads=7)

    def embed(self, request=REQUEST):
        """
        Request embeddings without reading the error.
        """
        done = self.provider.embed(request)
        self.addCleanup(done.addErrback, lambda failure: None)
        return done

    def test_interface(self):
        """
        The embedded model provides embeddings.
        """
        verifyObject(IEmbedder, self.provider)

    def test_startsWithTheFirst(self):
        """
        Replies start no process for embeddings, and the other way round.
        """
        self.ask(self.provider)
        self.assertFalse(self.child.order().embeddings)
        self.assertEqual(len(self.processes.children), 1)
        self.embed()
        self.embed()
        self.assertEqual(len(self.processes.children), 2)
        order = self.child.order()
        self.assertTrue(order.embeddings)
        self.assertEqual(
            (order.name, order.contextSize, order.parallel, order.threads),
            (LOCAL_MODEL, EMBEDDING_TOKENS, 3, 7),
        )

    def test_neverAtOnce(self):
        """
        The daemon's start loads nothing for embeddings.
        """
        provider = self.makeProvider(start="atOnce")
        provider.start()
        orders = [child.order().embeddings for child in self.processes.children]
        self.assertEqual(orders, [False])

    def test_waits(self):
        """
        Early requests are made when the process is ready; later ones use the same
        process.
        """
        early = self.embed()
        self.child.listens()
        self.assertIn("is ready for embeddings after", self.lines()[-1])
        late = self.embed()
        for done, call in zip((early, late), self.upstream.embeddings, strict=True):
            self.assertEqual(call.request, REQUEST)
            call.done.callback(REPLY)
            self.assertEqual(self.successResultOf(done), REPLY)

    def test_cancelled(self):
        """
        A request that is cancelled during loading is dropped; later, the call is
        cancelled.
        """
        early = self.embed()
        early.cancel()
        self.failureResultOf(early, RunCancelled)
        waiting = self.embed()
        self.child.listens()
        late = self.embed()
        self.assertEqual(len(self.upstream.embeddings), 2)
        for done, call in zip((waiting, late), self.upstream.embeddings, strict=True):
            done.cancel()
            self.assertTrue(call.cancelled)
            self.failureResultOf(done, RunCancelled)

    def test_otherModels(self):
        """
        There is one embedded model.
        """
        self.failureResultOf(self.embed(EmbeddingRequest("x", ["a"])), NotFound)
        self.assertEqual(self.processes.children, [])

    def test_missing(self):
        """
        Without the engine the error has instructions.
        """
        self.missing.add(ENGINE)
        error = self.failureResultOf(self.embed(), ModelUnavailable).value
        self.assertEqual(error.message, NO_ENGINE)

    def test_failedStart(self):
        """
        A failed start is reported, and does not affect replies.
        """
        done = self.embed()
        self.child.ends(1)
        self.failureResultOf(done, ModelUnavailable)
        self.failureResultOf(self.embed(), ModelUnavailable)
        self.assertEqual(self.provider.state, "stopped")
        self.clock.advance(10)

    def test_close(self):
        """
        Closing ends both processes, and waiting calls fail.
        """
        self.ask(self.provider)
        speaking = self.child
        speaking.listens()
        done = self.embed()
        embedding = self.child
        closing = self.provider.close()
        self.failureResultOf(done, ShuttingDown)
        self.assertFalse(speaking.stdinOpen or embedding.stdinOpen)
        speaking.ends()
        self.assertNoResult(closing)
        embedding.ends()
        self.successResultOf(closing)
        self.failureResultOf(self.embed(), ShuttingDown)
