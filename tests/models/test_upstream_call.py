"""
Tests of L{openclaw.models.upstream_call}: requests, responses, and cancellation.
"""

from gzip import compress

from twisted.web.http_headers import Headers
from zope.interface.verify import verifyObject

from openclaw.errors import (
    RunCancelled,
    UpstreamRateLimited,
)
from openclaw.events import ReasoningDelta, TextDelta
from openclaw.interfaces import IModelCall, IModelProvider, ModelReply
from openclaw.messages import NO_USAGE, Usage
from tests.contracts.model_calls import ModelCallContract
from tests.models.memory_network import Unresolved
from tests.models.provider_case import (
    COUNTED,
    DONE,
    HEAD,
    HELLO,
    KEY,
    ProviderTestCase,
)


class CallTests(ModelCallContract, ProviderTestCase):
    """
    The contract of model calls, for a call over HTTP.
    """

    def makeCall(self) -> IModelCall:
        """
        Make a call, and deliver the request.
        """
        return self.asked()


class UnsentCallTests(ModelCallContract, ProviderTestCase):
    """
    The contract of model calls, before the connection.
    """

    def makeCall(self) -> IModelCall:
        """
        Make a call.
        """
        return self.ask()


class AnswerTests(ProviderTestCase):
    """
    Replies of a model.
    """

    def test_interfaces(self) -> None:
        """
        The provider and its calls provide their interfaces.
        """
        self.assertTrue(verifyObject(IModelProvider, self.provider))
        self.assertEqual(self.provider.name, "vendor")

    def test_question(self) -> None:
        """
        The request has the API's path and the key.
        """
        for url in ("http://model.test/v1", "http://model.test/v1/"):
            self.provider = self.makeProvider(url)
            server = self.serveRaw()
            self.asked()
            head, _, body = bytes(server.received[-1]).partition(b"\r\n\r\n")
            request, *lines = head.split(b"\r\n")
            self.assertEqual(request, b"POST /v1/chat/completions HTTP/1.1")
            sent = Headers()
            for line in lines:
                sent.addRawHeader(*line.split(b": ", 1))
            for name, value in [
                ("Host", "model.test"),
                ("Authorization", f"Bearer {KEY}"),
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
                ("Accept", "text/event-stream"),
                ("Accept-Encoding", "identity"),
            ]:
                self.assertEqual(sent.getRawHeaders(name), [value])
            self.assertIn(b'"Hello?"', body)

    def test_wordByWord(self) -> None:
        """
        Each text is passed on as it arrives, in a batch; then comes the reply.
        """
        batches = []
        call = self.asked(batches.append)
        self.served.delta(reasoning_content="Hm.")
        self.network.flush()
        self.assertEqual(batches, [[ReasoningDelta("Hm.")]])
        for word in ("Good", " day"):
            self.served.say(word)
            self.network.flush()
            self.assertEqual(batches[-1], [TextDelta(word)])
        self.assertNoResult(call.done)
        self.served.finish("length", {"prompt_tokens": 3, "completion_tokens": 2})
        self.network.flush()
        self.assertEqual(len(batches), 3)
        self.assertEqual(
            self.successResultOf(call.done),
            ModelReply("Good day", "length", Usage(3, 2)),
        )

    def test_oneReadIsOneBatch(self) -> None:
        """
        The events of one read are one batch, however many chunks they came in.
        """
        batches = []
        self.asked(batches.append)
        self.served.say("Good", " ", "day")
        self.network.flush()
        self.assertEqual(batches, [list(map(TextDelta, ["Good", " ", "day"]))])

    def test_eventsBeforeReply(self) -> None:
        """
        The reply comes after the last event, also if all arrive together.
        """
        call = self.asked()
        seen = []
        call.done.addCallback(lambda reply: seen.append((reply.text, self.text)))
        self.served.say("Good", " day")
        self.served.finish()
        self.network.flush()
        self.assertEqual(seen, [("Good day", "Good day")])

    def test_wholeAnswerInOneRead(self) -> None:
        """
        Head and body may arrive in one read.
        """
        server = self.serveRaw()
        call = self.asked()
        body = HELLO + DONE
        server.write(HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.network.flush()
        self.assertEqual(
            self.successResultOf(call.done), ModelReply("Hello", "stop", NO_USAGE)
        )

    def test_compressed(self) -> None:
        """
        A compressed response is decoded, though it was not requested.
        """
        server = self.serveRaw()
        call = self.asked()
        body = compress(HELLO + DONE)
        head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
        server.write(head % len(body) + body)
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "Hello")

    def test_callsAreApart(self) -> None:
        """
        Concurrent calls get their own replies.
        """
        first, second = [], []
        calls = [self.asked(first.extend), self.asked(second.extend)]
        self.model.calls[1].say("second")
        self.model.calls[0].say("first")
        for served in self.model.calls:
            served.finish()
        self.network.flush()
        self.assertEqual([first, second], [[TextDelta("first")], [TextDelta("second")]])
        self.assertEqual(
            [self.successResultOf(call.done).text for call in calls],
            ["first", "second"],
        )


class CancelTests(ProviderTestCase):
    """
    Cancelling stops the model in all phases.
    """

    def assertCancelled(self, call: IModelCall) -> None:
        """
        Cancel, and assert that the socket is closed immediately, that no event follows,
        that nothing is left, and that cancelling again changes nothing.
        """
        before = list(self.events)
        outcomes: list[object] = []
        call.done.addErrback(lambda failure: outcomes.append(failure.value))
        call.cancel()
        self.assertEqual([type(outcome) for outcome in outcomes], [RunCancelled])
        self.assertTrue(all(link.client.aborted for link in self.network.links))
        self.assertNothingLeft()
        call.cancel()
        call.stopProducing()
        self.assertEqual(len(outcomes), 1)
        self.assertEqual(self.events, before)
        self.assertCloses()

    def test_resolvingName(self) -> None:
        """
        During name resolution.
        """
        self.network.installNameResolver(Unresolved(answers=False))
        self.assertCancelled(self.asked())

    def test_connecting(self) -> None:
        """
        During the connection attempt, which is cancelled.
        """
        self.network.listen(80, None)
        call = self.asked()
        self.assertCancelled(call)
        self.assertTrue(self.network.connectors[0].stoppedConnecting)
        self.assertEqual(self.network.links, [])

    def test_beforeAnything(self) -> None:
        """
        Immediately after the call.
        """
        self.assertCancelled(self.ask())
        self.assertEqual(self.model.calls, [])

    def test_waitingForHeaders(self) -> None:
        """
        Before the response: the server notices.
        """
        call = self.asked()
        self.assertNoResult(self.served.gone)
        self.assertCancelled(call)
        self.successResultOf(self.served.gone)

    def test_waitingForFirstByte(self) -> None:
        """
        After the headers.
        """
        server = self.serveRaw()
        call = self.asked()
        server.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        self.network.flush()
        self.assertCancelled(call)

    def test_streaming(self) -> None:
        """
        During the reply; data in transit is dropped.
        """
        call = self.asked()
        self.served.say("Good")
        self.network.flush()
        self.served.say(" day")
        self.assertCancelled(call)
        self.assertEqual(self.text, "Good")
        self.successResultOf(self.served.gone)

    def test_paused(self) -> None:
        """
        During a pause.
        """
        call = self.asked()
        self.served.say("Good")
        self.network.flush()
        call.pauseProducing()
        self.served.say(" day")
        self.network.flush()
        self.assertCancelled(call)

    def test_errorBody(self) -> None:
        """
        During the body of an error.
        """
        server = self.serveRaw()
        call = self.asked()
        server.write(b"HTTP/1.1 500 Oh\r\nContent-Length: 99\r\n\r\n{")
        self.network.flush()
        self.assertCancelled(call)

    def test_byListener(self) -> None:
        """
        During an event: later events of the same read are dropped.
        """
        told = []

        def listener(events) -> None:
            told.extend(events)
            call.cancel()

        call = self.asked(listener)
        self.served.say("Good")
        self.network.flush()
        self.served.say(" day")
        self.network.flush()
        self.failureOf(call, RunCancelled)
        self.assertEqual(told, [TextDelta("Good")])
        self.assertEqual(self.network.open, [])
        self.assertCloses()

    def test_byDeferred(self) -> None:
        """
        Cancelling C{done} does the same.
        """
        call = self.asked()
        call.done.cancel()
        self.failureOf(call, RunCancelled)
        self.assertNothingLeft()

    def test_stopProducing(self) -> None:
        """
        C{stopProducing} does the same.
        """
        call = self.asked()
        call.stopProducing()
        self.failureOf(call, RunCancelled)
        self.assertNothingLeft()

    def test_afterReply(self) -> None:
        """
        After the reply cancelling does nothing, even while the socket is open.
        """
        call = self.asked()
        self.served.say("Good day")
        self.served.send(COUNTED + DONE)
        self.network.flush()
        call.cancel()
        call.stopProducing()
        self.assertEqual(self.successResultOf(call.done).text, "Good day")
        self.served.end()
        self.network.flush()
        call.cancel()
        self.assertFalse(self.network.links[0].client.aborted)

    def test_afterFailure(self) -> None:
        """
        After a failure cancelling does nothing.
        """
        call = self.asked()
        self.served.refuse(429)
        self.network.flush()
        call.cancel()
        self.failureOf(call, UpstreamRateLimited)
