"""
Tests of C{openai-processing-ms}, and of the request's data in a run's log line.
"""

import msgspec

from openclaw.errors import UpstreamRefused
from openclaw.server.gateway_request import PROGRESS_SECONDS
from tests.server.memory_gateway import (
    AUTHORIZATION,
    COMPLETIONS,
    HELLO,
    STREAMED,
    GatewayTestCase,
)
from tests.server.upload_case import WRONG, length

HEADER = "openai-processing-ms"


class ProcessingTimeTests(GatewayTestCase):
    """
    The processing time in responses.
    """

    def test_whole(self):
        """
        For a plain reply it is measured from the complete request to the end.
        """
        caller = self.gateway.post(HELLO)
        self.gateway.clock.advance(1.5)
        self.gateway.call.say("Yes?")
        self.gateway.clock.advance(1)
        self.gateway.call.finish()
        self.assertEqual(caller.answer.headers[HEADER], "2500")

    def test_stream(self):
        """
        For a stream it is the time until its first byte.
        """
        caller = self.gateway.post(STREAMED)
        self.gateway.clock.advance(0.25)
        self.gateway.call.say("Yes?")
        self.gateway.clock.advance(5)
        self.gateway.call.finish()
        self.assertEqual(caller.answer.headers[HEADER], "250")

    def test_error(self):
        """
        Errors of a run have the time of the run, and those of the request take none.
        """
        for body in (HELLO, STREAMED):
            caller = self.gateway.post(body)
            self.gateway.clock.advance(0.75)
            self.gateway.call.fail(UpstreamRefused("No."))
            self.assertEqual(caller.answer.status, 400)
            self.assertEqual(caller.answer.headers[HEADER], "750")
        answer = self.gateway.post({"n": 2, **HELLO}).answer
        self.assertEqual((answer.status, answer.headers[HEADER]), (400, "0"))

    def test_everyAnswer(self):
        """
        Every response has it, including errors.
        """
        wrong = self.gateway.connect()
        wrong.ask("POST", COMPLETIONS, [WRONG, length(9)])
        for answer in (
            self.gateway.get("/v1/models"),
            self.gateway.get("/v1/nowhere"),
            self.gateway.get("/v1/runs", method="DELETE"),
            self.gateway.get("/v1/runs", WRONG),
            wrong.answer,
        ):
            self.assertEqual(answer.headers[HEADER], "0", answer)

    def test_slowBody(self):
        """
        The time of sending the request is not included.
        """
        body = msgspec.json.encode(HELLO)
        caller = self.gateway.connect()
        caller.ask("POST", COMPLETIONS, [AUTHORIZATION, length(len(body))])
        self.gateway.clock.advance(2)
        caller.send(body)
        self.gateway.clock.advance(0.5)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertEqual(caller.answer.headers[HEADER], "500")

    def test_slowRefusal(self):
        """
        For a rejection before the body, it is the time of the rejection.
        """
        caller = self.gateway.connect()
        caller.ask("POST", COMPLETIONS, [AUTHORIZATION, length(9)])
        self.gateway.clock.advance(PROGRESS_SECONDS)
        self.assertEqual(caller.answer.status, 408)
        self.assertEqual(caller.answer.headers[HEADER], "10000")

    def test_clockSetBack(self):
        """
        It is never negative.
        """
        caller = self.gateway.post(HELLO)
        before = self.gateway.clock.rightNow
        self.gateway.clock.rightNow -= 10
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.gateway.clock.rightNow = before
        self.assertEqual(caller.answer.headers[HEADER], "0")


class LineTests(GatewayTestCase):
    """
    The headers of a response identify its run's log line.
    """

    def test_request(self):
        """
        The line has the request's id and the caller's label.
        """
        answer = self.answered(HELLO)
        (line,) = [line for line in self.gateway.logged if line.startswith("run=")]
        request, run = (
            answer.headers["x-request-id"],
            answer.headers["x-openclaw-run-id"],
        )
        self.assertTrue(
            line.startswith(f"run={run} request={request} caller=operator "), line
        )

    def test_times(self):
        """
        Its times start at the same moment as those in the response.
        """
        caller = self.gateway.post(HELLO)
        self.gateway.clock.advance(1.5)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertEqual(caller.answer.headers[HEADER], "1500")
        self.assertIn(" first_ms=1500.0 total_ms=1500.0 ", self.gateway.logged[-1])
