"""
Tests of L{openclaw.net.http_pool}: closing connections.
"""

from twisted.internet.defer import CancelledError

from openclaw.errors import (
    RunCancelled,
    UpstreamError,
    UpstreamUnreachable,
)
from openclaw.interfaces import IModelCall
from openclaw.models.upstream_call import LINGER_SECONDS
from openclaw.testing import ServedCall
from tests.models.provider_case import COUNTED, DONE, HEAD, HELLO, ProviderTestCase


def answer(call: ServedCall) -> None:
    """
    Send a model's response.
    """
    call.say("Good", " day")
    call.finish()


class LingerTests(ProviderTestCase):
    """
    Some servers do not end the body after C{[DONE]}.
    """

    def finished(self) -> IModelCall:
        """
        Make a call with a complete reply and an incomplete body.
        """
        self.server = self.serveRaw()
        call = self.asked()
        data = HELLO + COUNTED + DONE
        self.server.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        self.server.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "Hello")
        return call

    def test_closed(self) -> None:
        """
        The reply does not wait for the end, and the connection is closed after a
        moment.
        """
        self.finished()
        self.network.wait(LINGER_SECONDS - 0.25)
        self.assertEqual(len(self.network.open), 1)
        self.network.wait(0.25)
        self.assertNothingLeft()

    def test_restIsIgnored(self) -> None:
        """
        Bytes after the reply are ignored, and do not extend the time-out.
        """
        self.finished()
        self.events.clear()
        for _ in range(4):
            self.server.write(b"%x\r\n%s\r\n" % (len(HELLO), HELLO))
            self.network.wait(LINGER_SECONDS / 4)
        self.assertEqual(self.events, [])
        self.assertNothingLeft()

    def test_endComesLate(self) -> None:
        """
        If the body ends in time, the connection is kept.
        """
        self.finished()
        self.network.wait(LINGER_SECONDS / 2)
        self.server.write(b"0\r\n\r\n")
        self.network.wait(LINGER_SECONDS)
        self.asked()
        self.assertEqual(len(self.network.links), 1)

    def test_closeDelimited(self) -> None:
        """
        A body delimited by the end of the connection is complete at C{[DONE]}, too.
        """
        server = self.serveRaw()
        call = self.asked()
        server.write(b"HTTP/1.0 200 OK\r\n\r\n" + HELLO + COUNTED + DONE)
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "Hello")
        server.close()
        self.assertNothingLeft()


class CloseTests(ProviderTestCase):
    """
    A closed provider closes its connections.
    """

    def test_unused(self) -> None:
        """
        A provider without connections can be closed.
        """
        self.assertCloses()

    def test_idle(self) -> None:
        """
        Idle connections are closed at once, without an orderly shutdown.
        """
        self.model.answer = answer
        calls = [self.ask() for _ in range(3)]
        self.network.flush()
        for call in calls:
            self.successResultOf(call.done)
        self.assertCloses()
        self.assertTrue(self.network.links)
        self.assertTrue(all(link.client.aborted for link in self.network.links))

    def test_waitsForCalls(self) -> None:
        """
        A call in progress ends normally; then its connection is closed.
        """
        call = self.asked()
        self.served.say("Good")
        self.network.flush()
        closing = self.provider.close()
        self.network.wait(5)
        self.assertNoResult(closing)
        self.served.say(" day")
        self.served.finish()
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "Good day")
        self.successResultOf(closing)
        self.assertNothingLeft()

    def test_waitsForLaterCalls(self) -> None:
        """
        Calls started meanwhile, such as the next part of an embedding, are waited for,
        too.
        """
        self.asked()
        first = self.served
        closing = self.provider.close()
        self.asked()
        answer(first)
        self.network.flush()
        self.assertNoResult(closing)
        answer(self.served)
        self.network.flush()
        self.successResultOf(closing)
        self.assertNothingLeft()

    def test_closedAgain(self) -> None:
        """
        A cancelled close can be repeated.
        """
        self.asked()
        closing = self.provider.close()
        closing.cancel()
        self.failureResultOf(closing, CancelledError)
        again = self.provider.close()
        self.assertNoResult(again)
        answer(self.served)
        self.network.flush()
        self.successResultOf(again)
        self.assertNothingLeft()

    def test_callsThatFail(self) -> None:
        """
        Calls in progress may fail, each in its own way.
        """
        for end in (ServedCall.end, ServedCall.cut, lambda call: call.refuse(500)):
            self.provider = self.makeProvider()
            call = self.asked()
            closing = self.provider.close()
            self.assertNoResult(closing)
            end(self.served)
            self.network.flush()
            self.failureResultOf(call.done, UpstreamError)
            self.successResultOf(closing)

    def test_callsThatAreCancelled(self) -> None:
        """
        Calls in progress may be cancelled, even all at once.
        """
        calls = [self.asked() for _ in range(3)]
        closing = self.provider.close()
        for call in calls:
            call.cancel()
            self.failureOf(call, RunCancelled)
        self.network.flush()
        self.successResultOf(closing)
        self.assertNothingLeft()

    def test_afterFailedCalls(self) -> None:
        """
        Calls that never had a connection are not waited for.
        """
        self.provider = self.makeProvider("http://model.test:81/v1")
        calls = [self.asked() for _ in range(3)]
        self.network.wait(0.5)
        for call in calls:
            self.failureOf(call, UpstreamUnreachable)
        self.assertCloses()

    def test_lingering(self) -> None:
        """
        Lingering connections are closed.
        """
        calls = [self.asked() for _ in range(3)]
        for served in self.model.calls:
            served.send(HELLO + COUNTED + DONE)
        self.network.flush()
        for call in calls:
            self.successResultOf(call.done)
        self.assertCloses()

    def test_twice(self) -> None:
        """
        Closing twice has no further effect.
        """
        call = self.asked()
        closings = [self.provider.close(), self.provider.close()]
        self.served.finish()
        self.network.flush()
        self.successResultOf(call.done)
        for closing in closings:
            self.successResultOf(closing)
        self.assertCloses()

    def test_fromReply(self) -> None:
        """
        Closing is possible from within the reply.
        """
        closings = []
        call = self.asked()
        call.done.addCallback(lambda reply: closings.append(self.provider.close()))
        self.served.finish()
        self.network.flush()
        self.successResultOf(closings[0])
        self.assertNothingLeft()
