"""
Tests of L{openclaw.server.site}: limits of bodies that are read.
"""

from hypothesis import given
from hypothesis import strategies as st

from openclaw.server.admission import LINGER_SECONDS
from tests.server.memory_connection import CONTINUE
from tests.server.memory_gateway import AUTHORIZATION, COMPLETIONS
from tests.server.upload_case import (
    BODY,
    BODY_SECONDS,
    CHUNKED,
    EXPECT,
    LIMIT,
    WRONG,
    BodyTestCase,
    chunk,
    length,
)


class LimitTests(BodyTestCase):
    """
    A body has a maximum size, whether or not the request declares it.
    """

    def assertTooLarge(self):
        """
        Assert that the response is 413, and that the connection is closed afterwards.
        """
        self.assertRefused(self.caller.answer, 413, "request_too_large")
        self.assertIn(str(LIMIT), self.caller.answer.error["message"])
        self.assertEqual(self.caller.answer.headers["connection"], "close")

    def padded(self, size):
        """
        Return a request of this many bytes.
        """
        return BODY + b" " * (size - len(BODY))

    def test_invited(self):
        """
        A client with C{Expect: 100-continue} gets C{100 Continue} once.
        """
        self.begin(AUTHORIZATION, EXPECT, length(len(BODY)))
        self.assertEqual(self.caller.received, CONTINUE)
        self.caller.send(BODY)
        self.assertAnswered()
        self.assertEqual(self.caller.received.count(CONTINUE), 1)

    def test_declared(self):
        """
        A body that is one byte too large is rejected before its first byte, without
        C{100 Continue}.
        """
        self.begin(AUTHORIZATION, EXPECT, length(LIMIT + 1))
        self.assertTooLarge()
        self.assertNotIn(CONTINUE, self.caller.received)
        self.caller.send(self.padded(LIMIT + 1))
        self.assertTooLarge()
        self.assertTrue(self.caller.closed)
        self.assertEqual(self.gateway.provider.calls, [])

    def test_counted(self):
        """
        A body without a declared length is rejected when it exceeds the limit, and its
        bytes are dropped.
        """
        self.begin(AUTHORIZATION, CHUNKED)
        self.caller.send(chunk(b"x" * LIMIT))
        self.assertEqual(self.caller.received, b"")
        self.assertEqual(len(self.buffered), LIMIT)
        self.caller.send(chunk(b"x"))
        self.assertTooLarge()
        self.assertEqual(self.buffered, b"")
        self.caller.send(chunk(b"x" * LIMIT), b"0\r\n\r\n")
        self.assertTooLarge()
        self.assertTrue(self.caller.closed)

    def test_justFits(self):
        """
        A body of exactly the maximum size is accepted, in both forms.
        """
        self.begin(AUTHORIZATION, length(LIMIT))
        self.caller.send(self.padded(LIMIT))
        self.assertAnswered()
        self.caller = self.gateway.connect()
        self.begin(AUTHORIZATION, CHUNKED)
        whole = self.padded(LIMIT)
        self.caller.send(chunk(whole[:7]), chunk(whole[7:]), b"0\r\n\r\n")
        self.assertAnswered()

    def test_strangerFirst(self):
        """
        An unauthenticated caller gets 401, not the limit.
        """
        self.begin(WRONG, length(LIMIT + 1))
        self.assertRefused(self.caller.answer, 401, "invalid_api_key")

    @given(st.data())
    def test_anySplit(self, data):
        """
        The pieces in which a request arrives do not matter.
        """
        head = f"POST {COMPLETIONS} HTTP/1.1\r\nHost: gateway\r\n"
        head += f"{': '.join(AUTHORIZATION)}\r\n"
        sent = data.draw(
            st.sampled_from(
                [
                    f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY,
                    f"{head}{': '.join(CHUNKED)}\r\n\r\n".encode()
                    + chunk(BODY[:9])
                    + chunk(BODY[9:])
                    + b"0\r\n\r\n",
                ]
            )
        )
        cuts = data.draw(st.lists(st.integers(0, len(sent)), max_size=5).map(sorted))
        self.caller = self.gateway.connect()
        ends = [*cuts, len(sent)]
        self.caller.send(
            *[
                sent[start:end]
                for start, end in zip([0, *cuts], ends, strict=True)
                if start < end
            ]
        )
        self.assertAnswered()
        self.caller.leave()


class DeadlineTests(BodyTestCase):
    """
    A body has a deadline.
    """

    def test_neverCompletes(self):
        """
        A slow body is rejected at its deadline, and the connection is closed soon
        after.
        """
        self.begin(AUTHORIZATION, length(100))
        for _ in range(BODY_SECONDS - 1):
            self.caller.send(b" ")
            self.wait(1)
        self.assertEqual(self.caller.received, b"")
        self.wait(1)
        self.assertRefused(self.caller.answer, 408, "request_timeout")
        self.assertEqual(self.caller.answer.headers["connection"], "close")
        self.assertEqual(self.buffered, b"")
        self.caller.send(b" ")
        self.wait(LINGER_SECONDS)
        self.assertTrue(self.caller.line.aborted)
        self.assertTrue(self.caller.closed)

    def test_completeAfterTheAnswer(self):
        """
        If a rejected body completes later, the connection is closed in order.
        """
        self.begin(AUTHORIZATION, length(len(BODY)))
        self.wait(BODY_SECONDS)
        self.caller.send(BODY)
        self.assertRefused(self.caller.answer, 408, "request_timeout")
        self.assertTrue(self.caller.closed)
        self.assertFalse(self.caller.line.aborted)
        self.assertEqual(self.gateway.provider.calls, [])

    def test_inTime(self):
        """
        When the body is complete, its deadline no longer applies to the run.
        """
        self.begin(AUTHORIZATION, length(len(BODY)))
        self.wait(BODY_SECONDS - 1)
        self.caller.send(BODY)
        self.wait(10 * BODY_SECONDS)
        self.assertAnswered()

    def test_callerLeaves(self):
        """
        A disconnect during the body leaves nothing behind.
        """
        for leave in ("leave", "reset"):
            self.caller = self.gateway.connect()
            before = len(self.gateway.clock.getDelayedCalls())
            self.begin(AUTHORIZATION, length(100))
            self.caller.send(b"x")
            getattr(self.caller, leave)()
            self.assertLess(len(self.gateway.clock.getDelayedCalls()), before)
            self.wait(100)
            self.assertEqual(self.caller.received, b"")

    def test_malformedChunks(self):
        """
        Malformed chunks close the connection and cancel the deadline.
        """
        self.begin(AUTHORIZATION, CHUNKED)
        self.caller.send(b"zebra\r\n")
        self.assertEqual(self.caller.answer.status, 400)
        self.assertTrue(self.caller.closed)
