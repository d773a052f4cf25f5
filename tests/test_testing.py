"""
Tests of L{openclaw.testing}.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from openclaw import testing
from openclaw.errors import RunCancelled, UpstreamError
from openclaw.events import ModelEvent, ReasoningDelta, TextDelta, ToolCallDelta
from openclaw.interfaces import (
    EmbeddingReply,
    EmbeddingRequest,
    IEmbedder,
    IModelCall,
    IModelProvider,
    ISessionStore,
    ModelReply,
    ModelRequest,
)
from openclaw.messages import NO_USAGE, ToolCall, Usage, UserMessage
from openclaw.testing import (
    MemorySessionStore,
    ScriptedCall,
    ScriptedModelServer,
    ScriptedProvider,
    ServedCall,
)
from tests.contracts.model_calls import ModelCallContract
from tests.models.memory_network import Network, siteOf

QUESTION = ModelRequest("some-model", "Be kind.", [UserMessage("Hello?")])
PATH = b"/v1/chat/completions"


class PublicNamesTests(SynchronousTestCase):
    """
    The public names.
    """

    def test_names(self) -> None:
        """
        All doubles exist, with docstrings.
        """
        self.assertTrue(testing.__all__)
        for name in testing.__all__:
            self.assertTrue(getattr(testing, name).__doc__.strip(), name)

    def test_store(self) -> None:
        """
        The store is one.
        """
        self.assertTrue(verifyObject(ISessionStore, MemorySessionStore(clock=Clock())))


class ScriptedCallTests(ModelCallContract, SynchronousTestCase):
    """
    The contract of model calls, for the double.
    """

    def makeCall(self) -> IModelCall:
        """
        Ask the double.
        """
        return ScriptedProvider().ask(QUESTION, lambda events: None)


class ScriptedProviderTests(SynchronousTestCase):
    """
    A provider in the process.
    """

    def setUp(self) -> None:
        """
        Create a provider and a call.
        """
        self.provider = ScriptedProvider()
        self.batches: list[list[ModelEvent]] = []
        self.call = self.provider.ask(QUESTION, self.batches.append)

    def test_interfaces(self) -> None:
        """
        The doubles provide the interfaces of the real objects.
        """
        self.assertTrue(verifyObject(IModelProvider, self.provider))

    def test_name(self) -> None:
        """
        It can have any name.
        """
        self.assertEqual(self.provider.name, "scripted")
        self.assertEqual(ScriptedProvider(name="other").name, "other")

    def test_calls(self) -> None:
        """
        It records its calls with their requests.
        """
        second = self.provider.ask(QUESTION, self.batches.append)
        self.assertEqual(self.provider.calls, [self.call, second])
        self.assertEqual(self.call.request, QUESTION)
        self.assertEqual(ScriptedProvider().calls, [])

    def test_answer(self) -> None:
        """
        The scripted texts are sent, a batch each, and add up to the reply.
        """
        self.call.think("Hm.")
        self.call.say("Good", " day")
        self.call.say("!")
        self.assertEqual(
            self.batches,
            [
                [ReasoningDelta("Hm.")],
                [TextDelta("Good"), TextDelta(" day")],
                [TextDelta("!")],
            ],
        )
        self.assertNoResult(self.call.done)
        self.call.finish("length", Usage(3, 2))
        self.assertEqual(
            self.successResultOf(self.call.done),
            ModelReply("Good day!", "length", Usage(3, 2)),
        )

    def test_embeddings(self) -> None:
        """
        The test can reply with vectors, or detect the cancellation.
        """
        self.assertTrue(verifyObject(IEmbedder, self.provider))
        request = EmbeddingRequest("some-model", ["a"])
        done = [self.provider.embed(request) for _ in range(3)]
        given, failing, cancelled = self.provider.embeddings
        self.assertEqual(given.request, request)
        given.give([1.0, 2.0], tokens=3)
        self.assertEqual(
            self.successResultOf(done[0]), EmbeddingReply(([1.0, 2.0],), 3)
        )
        failing.fail(UpstreamError("Oops."))
        self.failureResultOf(done[1], UpstreamError)
        done[2].cancel()
        self.assertTrue(cancelled.cancelled)
        self.failureResultOf(done[2], RunCancelled)

    def test_ordinaryEnd(self) -> None:
        """
        The default finish reason is C{stop}.
        """
        self.call.finish()
        reply = self.successResultOf(self.call.done)
        self.assertEqual(reply, ModelReply("", "stop", NO_USAGE))

    def test_toolCalls(self) -> None:
        """
        Tool calls are sent in pieces, and are in the reply.
        """
        self.call.say("Let me see.")
        self.call.callTool("c1", "look", '{"at":', ' "it"}')
        self.call.callTool("c2", "wait")
        self.assertEqual(
            self.batches[1:],
            [
                [ToolCallDelta(0, "c1", "look", "")],
                [ToolCallDelta(0, None, None, '{"at":')],
                [ToolCallDelta(0, None, None, ' "it"}')],
                [ToolCallDelta(1, "c2", "wait", "")],
            ],
        )
        self.call.finish("tool_calls")
        calls = (ToolCall("c1", "look", '{"at": "it"}'), ToolCall("c2", "wait", ""))
        self.assertEqual(
            self.successResultOf(self.call.done),
            ModelReply("Let me see.", "tool_calls", NO_USAGE, calls),
        )

    def test_failure(self) -> None:
        """
        It can fail with any error.
        """
        error = UpstreamError("No.")
        self.call.fail(error)
        self.assertIs(self.failureResultOf(self.call.done).value, error)

    def test_byItself(self) -> None:
        """
        It can reply automatically.
        """

        def answer(call: ScriptedCall) -> None:
            call.say("Good day")
            call.finish()

        call = ScriptedProvider(answer=answer).ask(QUESTION, self.batches.append)
        self.assertEqual(self.successResultOf(call.done).text, "Good day")
        self.assertEqual(self.batches, [[TextDelta("Good day")]])

    def test_cancel(self) -> None:
        """
        Like a real call, it fails immediately, and no event follows.
        """
        for cancel in (
            ScriptedCall.cancel,
            ScriptedCall.stopProducing,
            lambda call: call.done.cancel(),
        ):
            call = self.provider.ask(QUESTION, self.batches.append)
            self.assertFalse(call.cancelled)
            cancel(call)
            self.failureResultOf(call.done, RunCancelled)
            self.assertTrue(call.cancelled)
            call.say("Good")
            call.think("Hm.")
            call.callTool("c1", "look", "{}")
            call.finish()
            call.fail(UpstreamError("No."))
            call.cancel()
        self.assertEqual(self.batches, [])

    def test_cancelTooLate(self) -> None:
        """
        A finished call can't be cancelled.
        """
        self.call.finish()
        self.call.cancel()
        self.call.stopProducing()
        self.assertFalse(self.call.cancelled)
        self.successResultOf(self.call.done)

    def test_pause(self) -> None:
        """
        Tests can detect a pause.
        """
        self.assertFalse(self.call.paused)
        self.call.pauseProducing()
        self.assertTrue(self.call.paused)
        self.call.resumeProducing()
        self.assertFalse(self.call.paused)

    def test_close(self) -> None:
        """
        Tests can detect the closing.
        """
        self.assertFalse(self.provider.closed)
        self.successResultOf(self.provider.close())
        self.assertTrue(self.provider.closed)


class ScriptedModelServerTests(SynchronousTestCase):
    """
    A provider on the network.
    """

    def setUp(self) -> None:
        """
        Create a server and a client.
        """
        self.server = ScriptedModelServer()
        self.network = Network()
        self.network.listen(80, siteOf(self.server))
        self.received = bytearray()

    def post(self, path: bytes = PATH, method: bytes = b"POST") -> None:
        """
        Send a request on a new connection.
        """
        body = b'{"model":"some-model"}'
        head = b"%s %s HTTP/1.1\r\nHost: model.test\r\nX-Team: a\r\nX-TEAM: b\r\n"
        self.link = self.network.dial(80, self.received)
        self.link.client.write(
            head % (method, path) + b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        self.network.flush()

    def call(self) -> ServedCall:
        """
        Return a call that has just arrived.
        """
        self.post()
        return self.server.calls[-1]

    @property
    def answered(self) -> bytes:
        """
        Return the bytes that the client has received, without the lengths of chunks.
        """
        self.network.flush()
        head, _, body = bytes(self.received).partition(b"\r\n\r\n")
        return head + b"\r\n\r\n" + b"".join(body.split(b"\r\n")[1::2])

    def test_request(self) -> None:
        """
        Tests can read the request and its headers.
        """
        call = self.call()
        self.assertEqual(call.body, {"model": "some-model"})
        self.assertEqual(call.headers["x-team"], "b")
        self.assertEqual(call.headers["host"], "model.test")
        self.assertFalse(call.ended)
        self.assertEqual(self.server.calls, [call])

    def test_paths(self) -> None:
        """
        Any base URL works, but only chat completions are served.
        """
        self.post(b"/some/where/chat/completions")
        self.post(b"/chat/completions?a=b")
        self.assertEqual(len(self.server.calls), 2)
        for path in (b"/v1/models", b"/v1/chat/completions/", b"/v1//completions"):
            self.received.clear()
            self.post(path)
            self.assertTrue(self.answered.startswith(b"HTTP/1.1 404 "), path)
        self.received.clear()
        self.post(method=b"GET")
        self.assertTrue(self.answered.startswith(b"HTTP/1.1 405 "))
        self.assertEqual(len(self.server.calls), 2)

    def test_answer(self) -> None:
        """
        A reply is a stream like OpenAI's.
        """
        call = self.call()
        call.delta(role="assistant", content="")
        call.say("Good", " day")
        call.finish("length", {"prompt_tokens": 3})
        self.assertTrue(call.ended)
        head, _, body = self.answered.partition(b"\r\n\r\n")
        self.assertIn(b"HTTP/1.1 200 OK\r\n", head)
        self.assertIn(b"\r\nContent-Type: text/event-stream", head)
        common = b'{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,'
        chunk = b'data: %s"choices":[{"index":0,"delta":%s,"finish_reason":%s}]}\n\n'
        deltas = (
            (b'{"role":"assistant","content":""}', b"null"),
            (b'{"content":"Good"}', b"null"),
            (b'{"content":" day"}', b"null"),
            (b"{}", b'"length"'),
        )
        self.assertEqual(
            body,
            b"".join(chunk % (common, *delta) for delta in deltas)
            + b'data: %s"choices":[],"usage":{"prompt_tokens":3}}\n\n' % common
            + b"data: [DONE]\n\n",
        )
        self.assertNoResult(call.gone)

    def test_wordByWord(self) -> None:
        """
        Each text is sent immediately.
        """
        call = self.call()
        for word in (b"Good", b" day"):
            call.say(word.decode())
            self.assertTrue(
                self.answered.endswith(b'"%s"},"finish_reason":null}]}\n\n' % word)
            )

    def test_document(self) -> None:
        """
        Embeddings have another path, and get one document.
        """
        self.post(b"/v1/embeddings")
        [call] = self.server.calls
        self.assertEqual(call.path, "/v1/embeddings")
        call.give({"data": []})
        self.assertTrue(call.ended)
        self.assertIn(b"Content-Type: application/json\r\n", self.answered)
        self.assertTrue(self.answered.endswith(b'{"data":[]}'))

    def test_rawBytes(self) -> None:
        """
        Other bytes can be sent, too, and the end can be anywhere.
        """
        call = self.call()
        call.send(b": wait\n\nda")
        call.end()
        self.assertTrue(self.answered.endswith(b"\r\n\r\n: wait\n\nda"))
        self.assertTrue(bytes(self.received).endswith(b"\r\n0\r\n\r\n"))

    def test_refusal(self) -> None:
        """
        It can respond with any error status and headers.
        """
        call = self.call()
        call.refuse(429, "Slow down", [("Retry-After", "7")])
        self.assertTrue(call.ended)
        self.assertTrue(self.answered.startswith(b"HTTP/1.1 429 "))
        self.assertIn(b"Retry-After: 7\r\n", self.answered)
        self.assertTrue(self.answered.endswith(b'{"error":{"message":"Slow down"}}'))

    def test_cut(self) -> None:
        """
        It can abort the connection, which does not count as a disconnect of the client.
        """
        call = self.call()
        call.say("Good")
        self.network.flush()
        call.cut()
        self.network.flush()
        self.assertTrue(call.ended)
        self.assertTrue(self.link.closed)
        self.assertFalse(bytes(self.received).endswith(b"0\r\n\r\n"))
        self.assertNoResult(call.gone)

    def test_gone(self) -> None:
        """
        It detects the client's disconnect.
        """
        call = self.call()
        self.assertNoResult(call.gone)
        self.link.client.loseConnection()
        self.network.flush()
        self.successResultOf(call.gone)
        self.assertTrue(call.ended)

    def test_notGone(self) -> None:
        """
        A client that disconnects after the reply was connected to the end.
        """
        call = self.call()
        call.finish()
        self.network.flush()
        self.link.client.loseConnection()
        self.network.flush()
        self.assertNoResult(call.gone)

    def test_nextCall(self) -> None:
        """
        Tests can wait for calls, which arrive in order, each for one waiter.
        """
        awaited = [self.server.nextCall(), self.server.nextCall()]
        first, second = self.call(), None
        self.assertIs(self.successResultOf(awaited[0]), first)
        self.assertNoResult(awaited[1])
        second = self.call()
        self.assertIs(self.successResultOf(awaited[1]), second)
        self.call()
        self.assertNoResult(self.server.nextCall())

    def test_byItself(self) -> None:
        """
        It can reply automatically.
        """
        server = ScriptedModelServer(lambda call: call.finish())
        self.network.listen(80, siteOf(server))
        self.post()
        self.assertTrue(self.answered.endswith(b"data: [DONE]\n\n"))
        self.assertTrue(server.calls[0].ended)
