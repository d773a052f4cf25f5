"""
Tests of L{openclaw.models.upstream_call}: providers that fail.
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
    A call that was never made has failed from the beginning.
    """

    def test_interface(self) -> None:
        """
        It has all that the interface declares, and cost nothing.
        """
        call = FailedCall(InvalidRequest("No."))
        self.assertTrue(verifyObject(IModelCall, call))
        self.assertEqual(call.usage, NO_USAGE)
        call.cancel()
        self.failureResultOf(call.done, InvalidRequest)


class FailureTests(ProviderTestCase):
    """
    When a provider fails it is said how, and nothing is left of the call.
    """

    def test_refusedConnection(self) -> None:
        """
        Nobody listens.
        """
        self.provider = self.makeProvider("http://model.test:81/v1")
        call = self.asked()
        # A name may have more addresses, which are tried one after the other.
        self.network.wait(0.5)
        error = self.failureOf(call, UpstreamUnreachable)
        self.assertEqual((error.code, error.status), ("upstream_unreachable", 502))
        self.assertEqual(error.message, "Provider 'vendor' refuses connections.")
        self.assertNothingLeft()
        self.assertCloses()

    def test_noConnection(self) -> None:
        """
        The network says by itself that nobody answers, or that there is no way; why
        the latter is logged.
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
        There is no such host.
        """
        self.network.installNameResolver(Unresolved(answers=True))
        error = self.failureOf(self.asked(), UpstreamUnreachable)
        self.assertIn("does not resolve", error.message)
        self.assertNothingLeft()
        self.assertCloses()

    def test_closedWithoutAnswer(self) -> None:
        """
        The provider takes the question and hangs up.
        """
        call = self.asked()
        self.served.cut()
        self.network.flush()
        error = self.failureOf(call, UpstreamUnreachable)
        self.assertIn("without a response", error.message)
        self.assertNothingLeft()

    def test_noHTTP(self) -> None:
        """
        The server speaks another protocol: the log says what was wrong.
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
        The answer breaks off: what was said stays said.
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
        The provider talks nonsense: it is told at once, and not listened to any
        longer.
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
        So is an error that comes in the middle of the answer; a key that it quotes
        is not passed on.
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
        A refusal is told with its reason, but never with the key.
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
        A long reason is not read to the end.
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
        Not even if it comes bit by bit.
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
        A reason made to break the reader is a refusal like any other.
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
        A fault of ours is logged, told as ours, and stops the model.
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
        The last words, held back until the end, may meet the fault as well.
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
        A listener whose reader is gone may cancel the call, and then fail: the call
        was cancelled, once.
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
