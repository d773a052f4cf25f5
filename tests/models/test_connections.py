"""
Tests of L{openclaw.models.connections}, by the providers that use them.
"""

from openclaw.errors import (
    RunCancelled,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamTimeout,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from openclaw.interfaces import IModelCall
from openclaw.models.connections import IDLE_CONNECTIONS, IDLE_SECONDS
from openclaw.models.upstream import LINGER_SECONDS
from openclaw.testing import ServedCall
from tests.models.support import DONE, HEAD, HELLO, ProviderTestCase


def answer(call: ServedCall) -> None:
    """
    Answer as a model does.
    """
    call.say("Good", " day")
    call.finish()


class ReuseTests(ProviderTestCase):
    """
    A connection is used again, for to make one takes time.
    """

    def setUp(self) -> None:
        """
        Have a model that answers by itself.
        """
        super().setUp()
        self.model.answer = answer

    def assertAnswered(self, *calls: IModelCall) -> None:
        """
        Assert that the model answers these calls.
        """
        self.network.flush()
        for call in calls:
            self.assertEqual(self.successResultOf(call.done).text, "Good day")

    def test_oneAfterTheOther(self) -> None:
        """
        Calls that follow each other share one connection.
        """
        for _ in range(5):
            self.assertAnswered(self.ask())
        self.assertEqual(len(self.network.links), 1)
        self.assertEqual(len(self.model.calls), 5)

    def test_askedFromReply(self) -> None:
        """
        A call that is made when the reply comes makes a connection of its own, for
        the first is not quite free yet; from then on there are two.
        """
        calls = []
        self.ask().done.addCallback(lambda reply: calls.append(self.ask()))
        self.network.flush()
        self.assertAnswered(*calls)
        self.assertAnswered(self.ask(), self.ask())
        self.assertEqual(len(self.network.links), 2)

    def test_manyAtOnce(self) -> None:
        """
        As many connections as the provider may keep are kept.
        """
        for _ in range(3):
            self.assertAnswered(*[self.ask() for _ in range(IDLE_CONNECTIONS)])
        self.assertEqual(len(self.network.links), IDLE_CONNECTIONS)

    def test_moreThanAreKept(self) -> None:
        """
        No call waits for a connection; those too many are closed.
        """
        self.assertAnswered(*[self.ask() for _ in range(IDLE_CONNECTIONS + 3)])
        self.network.flush()
        self.assertEqual(len(self.network.open), IDLE_CONNECTIONS)

    def test_afterRefusal(self) -> None:
        """
        A refusal does not cost the connection.
        """
        self.model.answer = lambda call: call.refuse(401)
        for _ in range(3):
            self.failureOf(self.asked(), UpstreamAuthFailed)
        self.assertEqual(len(self.network.links), 1)

    def test_afterBrokenAnswer(self) -> None:
        """
        Nor does an answer that ends too early, but in good order.
        """
        self.model.answer = lambda call: (call.say("Good"), call.end())
        for _ in range(3):
            self.failureOf(self.asked(), UpstreamTruncated)
        self.assertEqual(len(self.network.links), 1)

    def test_afterCancelling(self) -> None:
        """
        A connection on which a model may still speak is not used again.
        """
        self.model.answer = lambda call: call.say("Good")
        call = self.asked()
        call.cancel()
        self.failureOf(call, RunCancelled)
        self.model.answer = answer
        self.assertAnswered(self.ask())
        self.assertEqual(len(self.network.links), 2)

    def test_idle(self) -> None:
        """
        A connection that nobody uses is closed after a while.
        """
        self.assertAnswered(self.ask())
        self.network.wait(IDLE_SECONDS - 1)
        self.assertEqual(len(self.network.open), 1)
        self.network.wait(1)
        self.assertNothingLeft()

    def test_otherProvider(self) -> None:
        """
        Providers share no connections, not even to the same place: what one is
        configured to show is not for the other.
        """
        self.assertAnswered(self.ask())
        self.provider = self.makeProvider()
        self.assertAnswered(self.ask())
        self.assertEqual(len(self.network.links), 2)


class StaleConnectionTests(ProviderTestCase):
    """
    A provider may close an idle connection just when a question goes out on it.
    """

    def setUp(self) -> None:
        """
        Have an idle connection.
        """
        super().setUp()
        self.model.answer = answer
        self.successResultOf(self.asked().done)

    def test_askedAgain(self) -> None:
        """
        The question is asked again, on a new connection.
        """
        self.network.links[0].server.loseConnection()
        call = self.asked()
        self.assertEqual(self.successResultOf(call.done).text, "Good day")
        self.assertEqual(len(self.network.links), 2)
        self.assertEqual(len(self.model.calls), 2)
        self.assertCloses()

    def test_onceOnly(self) -> None:
        """
        A provider that hangs up on the new connection too does not want to answer.
        """
        self.model.answer = lambda call: call.cut()
        call = self.asked()
        self.failureOf(call, UpstreamUnreachable)
        self.assertEqual(len(self.network.links), 2)
        self.assertEqual(len(self.model.calls), 3)
        self.assertNothingLeft()

    def test_notOnNewConnection(self) -> None:
        """
        On a new connection the question is asked once: the model may have begun to
        work on it.
        """
        self.assertCloses()
        self.model.answer = lambda call: call.cut()
        call = self.asked()
        self.failureOf(call, UpstreamUnreachable)
        self.assertEqual(len(self.model.calls), 2)
        self.assertNothingLeft()

    def test_notOnceAnswered(self) -> None:
        """
        When an answer has begun the question is not asked again.
        """
        self.model.answer = lambda call: call.say("Good")
        call = self.asked()
        self.network.links[0].server.loseConnection()
        self.network.flush()
        self.failureOf(call, UpstreamTruncated)
        self.assertEqual(len(self.model.calls), 2)

    def test_noticedInTime(self) -> None:
        """
        When the close is known before, the connection is not used at all.
        """
        self.network.links[0].server.loseConnection()
        self.network.flush()
        self.successResultOf(self.asked().done)
        self.assertEqual(len(self.network.links), 2)

    def test_cancelledWhileAskedAgain(self) -> None:
        """
        The second attempt can be cancelled like the first.
        """
        self.network.links[0].server.loseConnection()
        self.network.listen(80, None)
        call = self.asked()
        self.assertNoResult(call.done)
        call.cancel()
        self.failureOf(call, RunCancelled)
        self.assertNothingLeft()

    def test_clocksBeginAnew(self) -> None:
        """
        The second attempt has a connection to make, and the time for it.
        """
        self.network.links[0].server.loseConnection()
        self.network.listen(80, None)
        call = self.asked()
        self.network.wait(self.clocks.connect - 0.25)
        self.assertNoResult(call.done)
        self.network.advance(0.25)
        self.assertEqual(
            self.failureOf(call, UpstreamTimeout).code, "upstream_connect_timeout"
        )
        self.assertNothingLeft()


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
        What comes behind the end is not told, and buys no time.
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
