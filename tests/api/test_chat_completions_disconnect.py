"""
Tests of L{openclaw.api.chat_completions}: disconnects, slow clients, and draining.
"""

from openclaw.agents.runtime import DRAIN_RETRY_SECONDS
from tests.api.sse_reader import terminalsOf
from tests.server.memory_gateway import HELLO, STREAMED, GatewayTestCase, configOf

NOTES = ("x-openclaw-session-key", "notes")
LEAVE = ("leave", "reset")
"""
The ways to disconnect: closing, or a lost connection.
"""


class GoneTests(GatewayTestCase):
    """
    A disconnect cancels the run.
    """

    def assertForgotten(self, caller):
        """
        Assert that the run has ended, without output and without an error in the log.
        """
        self.assertEqual(self.gateway.runtime.runs, {})
        self.assertIn("outcome=run_cancelled", self.gateway.logged[-1])
        self.assertEqual(self.gateway.failures, [])
        self.assertEqual(self.gateway.site.connections, set())
        before = caller.received
        self.gateway.clock.advance(60)
        self.assertEqual(caller.received, before)

    def test_waitingForTheModel(self):
        """
        The model has not replied yet.
        """
        for leave in LEAVE:
            for body in (HELLO, STREAMED):
                caller = self.gateway.post(body)
                getattr(caller, leave)()
                self.assertTrue(self.gateway.call.cancelled)
                self.assertForgotten(caller)
                self.assertEqual(caller.received, b"")

    def test_longWait(self):
        """
        The stream was opened after a silence.
        """
        for leave in LEAVE:
            caller = self.gateway.post(STREAMED)
            self.gateway.clock.advance(20)
            self.assertEqual(caller.answer.status, 200)
            getattr(caller, leave)()
            self.assertTrue(self.gateway.call.cancelled)
            self.assertForgotten(caller)

    def test_speaking(self):
        """
        During the reply; later events are dropped.
        """
        for leave in LEAVE:
            for body in (HELLO, STREAMED):
                caller = self.gateway.post(body)
                self.gateway.call.say("Well")
                getattr(caller, leave)()
                self.assertTrue(self.gateway.call.cancelled)
                self.assertForgotten(caller)
                self.assertNotIn(b"[DONE]", caller.received)

    def test_askedAgain(self):
        """
        After an empty reply, during the second call.
        """
        for leave in LEAVE:
            caller = self.gateway.post(STREAMED)
            self.gateway.call.finish()
            getattr(caller, leave)()
            self.assertTrue(self.gateway.call.cancelled)
            self.assertForgotten(caller)

    def test_waitingForTheSession(self):
        """
        While the run waits for its session: it never calls the model, and later runs
        move up.
        """
        for leave in LEAVE:
            for body in (HELLO, STREAMED):
                before = len(self.gateway.provider.calls)
                callers = [self.gateway.post(body, NOTES) for _ in range(3)]
                getattr(callers[1], leave)()
                self.assertEqual(len(self.gateway.runtime.runs), 2)
                self.assertIn("outcome=run_cancelled", self.gateway.logged[-1])
                for caller in (callers[0], callers[2]):
                    self.gateway.call.say("Yes?")
                    self.gateway.call.finish()
                    self.assertEqual(caller.answer.text, "Yes?")
                    caller.leave()
                self.assertEqual(len(self.gateway.provider.calls), before + 2)
                self.assertEqual(callers[1].received, b"")

    def test_waitingForAPlace(self):
        """
        While the run waits for a slot.
        """
        self.gateway = self.start(config=configOf(defaults={"maxConcurrent": 1}))
        for leave in LEAVE:
            for body in (HELLO, STREAMED):
                first, second = self.gateway.post(HELLO), self.gateway.post(body)
                calls = len(self.gateway.provider.calls)
                getattr(second, leave)()
                self.assertEqual(len(self.gateway.runtime.runs), 1)
                self.gateway.call.say("Yes?")
                self.gateway.call.finish()
                self.assertEqual(first.answer.text, "Yes?")
                self.assertEqual(len(self.gateway.provider.calls), calls)
                self.assertEqual(second.received, b"")

    def test_sessionGoesOn(self):
        """
        In a session the user's message remains, and the session is free immediately.
        """
        for leave in LEAVE:
            for body in (HELLO, STREAMED):
                key = f"{leave}-{body is HELLO}"
                header = ("x-openclaw-session-key", key)
                caller = self.gateway.post(body, header)
                self.gateway.call.say("Well")
                getattr(caller, leave)()
                self.assertForgotten(caller)
                found = self.gateway.store.transcript(f"agent:main:{key}")
                [said] = self.successResultOf(found)
                self.assertEqual(said.content, "Hello.")
                again = self.gateway.post(body, header)
                self.gateway.call.say("Yes?")
                self.gateway.call.finish()
                self.assertEqual(again.answer.text, "Yes?")
                again.leave()

    def test_behindTheEnd(self):
        """
        After a disconnect directly after the last byte, the run is not logged as
        cancelled.
        """
        for leave in LEAVE:
            for body in (HELLO, STREAMED):
                caller = self.gateway.post(body, NOTES)
                self.gateway.call.say("Yes?")
                self.gateway.call.finish()
                getattr(caller, leave)()
                self.assertTrue(caller.answer.complete)
                self.assertFalse(self.gateway.call.cancelled)
                self.assertIn("outcome=stop", self.gateway.logged[-1])
        kept = self.successResultOf(self.gateway.store.transcript("agent:main:notes"))
        self.assertEqual([said.content for said in kept], ["Hello.", "Yes?"] * 4)

    def test_lastWrite(self):
        """
        The end of the stream and the end of the response are one write, so that a
        client which stops reading at the first has the second, too.
        """
        caller = self.gateway.post(STREAMED)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertTrue(caller.received.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n"))

    def test_requestsBehindIt(self):
        """
        Pipelined requests are dropped with the connection.
        """
        caller = self.gateway.post(STREAMED)
        self.gateway.ask(caller, STREAMED)
        caller.leave()
        self.assertEqual(len(self.gateway.provider.calls), 1)
        self.assertForgotten(caller)


class SlowReaderTests(GatewayTestCase):
    """
    A slow client pauses the model.
    """

    def pause(self, caller):
        """
        Let the connection's buffer be full.
        """
        caller.line.producer.pauseProducing()

    def resume(self, caller):
        """
        Let the connection's buffer be empty.
        """
        caller.line.producer.resumeProducing()

    def test_stream(self):
        """
        The model call is paused, and resumed when the client has caught up.
        """
        caller = self.gateway.post(STREAMED)
        self.gateway.call.say("Well")
        self.pause(caller)
        self.assertTrue(self.gateway.call.paused)
        self.resume(caller)
        self.assertFalse(self.gateway.call.paused)
        self.gateway.call.finish()
        self.assertEqual(caller.answer.text, "Well")

    def test_beforeTheCall(self):
        """
        A client that was slow before the model call pauses it.
        """
        first = self.gateway.post(STREAMED, NOTES)
        second = self.gateway.post(STREAMED, NOTES)
        self.pause(second)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertTrue(self.gateway.call.paused)
        self.resume(second)
        self.assertFalse(self.gateway.call.paused)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertEqual([first.answer.text, second.answer.text], ["Yes?"] * 2)

    def test_whilePaused(self):
        """
        Events during a pause, up to the end, are not lost.
        """
        caller = self.gateway.post(STREAMED)
        self.pause(caller)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertEqual(terminalsOf(caller.answer.frames), ["stop"])
        self.resume(caller)

    def test_fullAlready(self):
        """
        A client that has not read one response pauses the next one, too.
        """
        caller = self.gateway.post(STREAMED)
        self.gateway.ask(caller, STREAMED)
        self.pause(caller)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertEqual(len(self.gateway.provider.calls), 2)
        self.assertTrue(self.gateway.call.paused)
        self.resume(caller)
        self.assertFalse(self.gateway.call.paused)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertEqual([answer.text for answer in caller.answers], ["Yes?"] * 2)

    def test_gone(self):
        """
        A slow client can disconnect.
        """
        caller = self.gateway.post(STREAMED)
        self.gateway.call.say("Well")
        self.pause(caller)
        caller.reset()
        self.assertTrue(self.gateway.call.cancelled)
        self.assertEqual(self.gateway.runtime.runs, {})

    def test_nextRequest(self):
        """
        The paused run is the one whose response is being sent.
        """
        caller = self.gateway.post(STREAMED)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        first = self.gateway.call
        self.gateway.ask(caller, STREAMED)
        self.pause(caller)
        self.assertTrue(self.gateway.call.paused)
        self.assertFalse(first.paused)
        self.resume(caller)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertEqual([answer.text for answer in caller.answers], ["Yes?"] * 2)


class DrainTests(GatewayTestCase):
    """
    A draining gateway.
    """

    def test_newOnes(self):
        """
        New requests are rejected with a time for a retry.
        """
        self.gateway.runtime.drain(5)
        for body in (HELLO, STREAMED):
            answer = self.gateway.post(body).answer
            self.assertRefused(answer, 503, "server_shutting_down")
            self.assertEqual(
                answer.headers["retry-after"], str(int(DRAIN_RETRY_SECONDS))
            )
        self.assertEqual(self.gateway.provider.calls, [])
        self.assertEqual(self.gateway.get("/v1/models").status, 200)

    def test_inProgress(self):
        """
        Runs in progress can end within the time limit.
        """
        callers = [self.gateway.post(body) for body in (HELLO, STREAMED)]
        drained = self.gateway.runtime.drain(5)
        self.gateway.clock.advance(4)
        self.assertEqual(len(self.gateway.provider.calls), len(callers))
        for call in self.gateway.provider.calls:
            self.assertNoResult(drained)
            call.say("Yes?")
            call.finish()
        self.successResultOf(drained)
        self.assertEqual([caller.answer.text for caller in callers], ["Yes?"] * 2)

    def test_tooSlow(self):
        """
        After it they are ended, with errors in the format of their responses.
        """
        whole, silent, speaking = [
            self.gateway.post(body) for body in (HELLO, STREAMED, STREAMED)
        ]
        self.gateway.call.say("Well")
        drained = self.gateway.runtime.drain(0.5)
        self.gateway.clock.advance(0.5)
        self.successResultOf(drained)
        self.assertEqual(len(self.gateway.provider.calls), 3)
        self.assertTrue(all(call.cancelled for call in self.gateway.provider.calls))
        for caller in (whole, silent):
            self.assertRefused(caller.answer, 503, "server_shutting_down")
            self.assertIn("retry-after", caller.answer.headers)
        self.assertEqual(speaking.answer.status, 200)
        self.assertEqual(terminalsOf(speaking.answer.frames), ["server_shutting_down"])
        self.assertTrue(speaking.answer.complete)
