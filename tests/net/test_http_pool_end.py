"""
Tests of L{openclaw.net.http_pool}: how connections end.
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
from tests.models.provider_case import DONE, HEAD, HELLO, ProviderTestCase


def answer(call: ServedCall) -> None:
    """
    Answer as a model does.
    """
    call.say("Good", " day")
    call.finish()


class LingerTests(ProviderTestCase):
    """
    Some servers leave the connection open behind C{[DONE]} and do not end the body.
    """

    def finished(self) -> IModelCall:
        """
        A call with its reply, and a body that has no end yet.
        """
        self.server = self.serveRaw()
        call = self.asked()
        data = HELLO + DONE
        self.server.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        self.server.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "Hello")
        return call

    def test_closed(self) -> None:
        """
        Nobody waits for the end, and after a moment the socket is closed.
        """
        self.finished()
        self.network.wait(LINGER_SECONDS - 0.25)
        self.assertEqual(len(self.network.open), 1)
        self.network.wait(0.25)
        self.assertNothingLeft()

    def test_restIsIgnored(self) -> None:
        """
        Bytes behind the end are ignored, and buy no time.
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
        If the end does come the connection is kept.
        """
        self.finished()
        self.network.wait(LINGER_SECONDS / 2)
        self.server.write(b"0\r\n\r\n")
        self.network.wait(LINGER_SECONDS)
        self.asked()
        self.assertEqual(len(self.network.links), 1)

    def test_closeDelimited(self) -> None:
        """
        A body that has no end but that of the connection is whole at C{[DONE]} as
        well.
        """
        server = self.serveRaw()
        call = self.asked()
        server.write(b"HTTP/1.0 200 OK\r\n\r\n" + HELLO + DONE)
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "Hello")
        server.close()
        self.assertNothingLeft()


class CloseTests(ProviderTestCase):
    """
    A provider that is no longer needed lets go of its connections.
    """

    def test_unused(self) -> None:
        """
        There may be none.
        """
        self.assertCloses()

    def test_idle(self) -> None:
        """
        Idle ones are closed at once, without waiting for the other side's farewell.
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
        A call under way comes to its end; then its connection goes too.
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
        Calls that begin meanwhile, as the next part of an embedding, are waited for,
        too: nothing is left in the end.
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
        A close that was given up can be repeated.
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
        Calls under way may also fail, each in its own way.
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
        Or be cancelled, even all at once.
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
        Calls that never got a connection are not waited for.
        """
        self.provider = self.makeProvider("http://model.test:81/v1")
        calls = [self.asked() for _ in range(3)]
        self.network.wait(0.5)
        for call in calls:
            self.failureOf(call, UpstreamUnreachable)
        self.assertCloses()

    def test_lingering(self) -> None:
        """
        Sockets that are only left open in case they can be used again are closed.
        """
        calls = [self.asked() for _ in range(3)]
        for served in self.model.calls:
            served.send(DONE)
        self.network.flush()
        for call in calls:
            self.successResultOf(call.done)
        self.assertCloses()

    def test_twice(self) -> None:
        """
        Closing twice is as good as once.
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
        It may be done as soon as the reply is there.
        """
        closings = []
        call = self.asked()
        call.done.addCallback(lambda reply: closings.append(self.provider.close()))
        self.served.finish()
        self.network.flush()
        self.successResultOf(closings[0])
        self.assertNothingLeft()
