"""
Tests of L{openclaw.models.upstream_call}: failures of providers.
"""

from twisted.internet.error import NoRouteError, TCPTimedOutError
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from openclaw.errors import (
    InternalError,
    InvalidRequest,
    RunCancelled,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from openclaw.interfaces import IModelCall
from openclaw.messages import NO_USAGE
from openclaw.models.unstarted_call import FailedCall
from openclaw.models.upstream_call import MAX_REFUSAL_BYTES
from tests.models.memory_network import Unresolved
from tests.models.provider_case import KEY, ProviderTestCase


class FailedCallTests(SynchronousTestCase):
    """
    A call that failed before it was made.
    """

    def test_interface(self) -> None:
        """
        It provides the interface, and has no usage.
        """
        call = FailedCall(InvalidRequest("No."))
        self.assertTrue(verifyObject(IModelCall, call))
        self.assertEqual(call.usage, NO_USAGE)
        call.cancel()
        self.failureResultOf(call.done, InvalidRequest)


class FailureTests(ProviderTestCase):
    """
    A failing call has a reason, and leaves nothing behind.
    """

    def test_refusedConnection(self) -> None:
        """
        The connection is refused.
        """
        self.provider = self.makeProvider("http://model.test:81/v1")
        call = self.asked()
        # A name may have several addresses, which are tried in turn.
        self.network.wait(0.5)
        error = self.failureOf(call, UpstreamUnreachable)
        self.assertEqual((error.code, error.status), ("upstream_unreachable", 502))
        self.assertEqual(error.message, "Provider 'vendor' refuses connections.")
        self.assertNothingLeft()
        self.assertCloses()

    def test_noConnection(self) -> None:
        """
        The host or network is unreachable; the latter is logged with the reason.
        """
        for problem, what in [
            (TCPTimedOutError(), "does not answer"),
            (NoRouteError(), "can't be reached"),
        ]:
            self.network.fail(80, problem)
            call = self.asked()
            self.network.wait(0.5)
            error = self.failureOf(call, UpstreamUnreachable)
            self.assertEqual(error.code, "upstream_unreachable")
            self.assertEqual(error.message, f"Provider 'vendor' {what}.")
            self.assertNothingLeft()
        [line] = self.logged
        self.assertIn("No route to host", line)

    def test_unknownName(self) -> None:
        """
        The host name is unknown.
        """
        self.network.installNameResolver(Unresolved(answers=True))
        error = self.failureOf(self.asked(), UpstreamUnreachable)
        self.assertIn("does not resolve", error.message)
        self.assertNothingLeft()
        self.assertCloses()

    def test_closedWithoutAnswer(self) -> None:
        """
        The provider closes the connection without a response.
        """
        call = self.asked()
        self.served.cut()
        self.network.flush()
        error = self.failureOf(call, UpstreamUnreachable)
        self.assertIn("without a response", error.message)
        self.assertNothingLeft()

    def test_noHTTP(self) -> None:
        """
        The server uses another protocol: the log has the error.
        """
        server = self.serveRaw()
        call = self.asked()
        server.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
        self.network.flush()
        self.failureOf(call, UpstreamUnreachable)
        [line] = self.logged
        self.assertIn("vendor", line)
        self.assertNothingLeft()

    def test_brokenOff(self) -> None:
        """
        The response is truncated: earlier events are kept.
        """
        for served in (True, False):
            call = self.asked()
            self.served.say("Good")
            self.network.flush()
            self.served.cut() if served else self.served.end()
            self.network.flush()
            self.failureOf(call, UpstreamTruncated)
        self.assertEqual(self.text, "GoodGood")

    def test_malformed(self) -> None:
        """
        The response is malformed: this is reported immediately, and the rest is
        ignored.
        """
        call = self.asked()
        self.served.say("Good")
        self.served.send(b"data: {nonsense\n\n")
        self.network.flush()
        self.failureOf(call, UpstreamMalformed)
        self.assertEqual(self.text, "Good")
        self.successResultOf(self.served.gone)
        self.assertNothingLeft()

    def test_reportedInStream(self) -> None:
        """
        An error within the stream is reported immediately, without a quoted key.
        """
        call = self.asked()
        self.served.say("Good")
        self.served.chunk(error={"message": f"Quota of {KEY} used up"})
        self.network.flush()
        error = self.failureOf(call, UpstreamError)
        self.assertIn("Quota of *** used up", error.message)
        self.assertEqual(self.text, "Good")
        self.assertNothingLeft()

    def test_statuses(self) -> None:
        """
        An error response has its reason, but never the key.
        """
        for status, kind in [
            (400, UpstreamRefused),
            (401, UpstreamAuthFailed),
            (404, UpstreamError),
            (429, UpstreamRateLimited),
            (500, UpstreamError),
            (302, UpstreamError),
            (204, UpstreamError),
        ]:
            call = self.asked()
            elsewhere = [("Location", "http://model.test/v1/other")]
            self.served.refuse(status, f"Not with {KEY}!", elsewhere)
            self.network.flush()
            self.failureOf(call, kind)
        self.assertEqual(self.events, [])
        self.assertEqual(len(self.model.calls), 7)

    def test_longReason(self) -> None:
        """
        A long body of an error is not read to the end.
        """
        server = self.serveRaw()
        call = self.asked()
        length = 4 * MAX_REFUSAL_BYTES
        server.write(b"HTTP/1.1 500 No\r\nContent-Length: %d\r\n\r\n" % length)
        server.write(b"x" * (length // 2))
        self.network.flush()
        self.failureOf(call, UpstreamError)
        self.assertNothingLeft()

    def test_endlessReason(self) -> None:
        """
        This includes one that arrives in small pieces.
        """
        server = self.serveRaw()
        call = self.asked()
        server.write(b"HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        while not call.done.called and sent < 10 * MAX_REFUSAL_BYTES:
            server.write(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
            self.network.flush()
            sent += 0x1000
        self.assertLessEqual(sent, MAX_REFUSAL_BYTES + 0x1000)
        self.failureOf(call, UpstreamRefused)
        self.assertNothingLeft()

    def test_nestedReason(self) -> None:
        """
        A deeply nested body is an error like any other.
        """
        call = self.asked()
        server = self.served
        server._request.setResponseCode(500)
        server.send(b"[" * 60_000)
        server.end()
        self.network.flush()
        self.failureOf(call, UpstreamError)
        self.assertCloses()

    def test_listenerFails(self) -> None:
        """
        An exception of the listener is logged as an internal error, and cancels the
        call.
        """

        def listener(events) -> None:
            raise RuntimeError("our fault")

        call = self.asked(listener)
        self.served.say("Good")
        self.network.flush()
        error = self.failureOf(call, InternalError)
        self.assertEqual((error.code, error.status), ("internal_error", 500))
        self.assertNotIn("our fault", error.message)
        self.assertIn("our fault", "".join(self.logged))
        self.successResultOf(self.served.gone)
        self.assertNothingLeft()

    def test_listenerFailsAtTheEnd(self) -> None:
        """
        The same applies to the last event, which was held back until the end.
        """

        def listener(events) -> None:
            raise RuntimeError("our fault")

        call = self.asked(listener)
        self.served.say("<thi")
        self.served.finish()
        self.network.flush()
        self.failureOf(call, InternalError)

    def test_listenerCancelsAndFails(self) -> None:
        """
        A listener that cancels the call and then raises an exception has cancelled it,
        once.
        """

        def listener(events) -> None:
            call.cancel()
            raise RuntimeError("our fault")

        call = self.asked(listener)
        self.served.say("Good", " day")
        self.network.flush()
        self.failureOf(call, RunCancelled)
        self.assertEqual(len(self.logged), 1)
        self.assertNothingLeft()
