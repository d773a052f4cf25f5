"""
Tests of L{openclaw.api.runs}.
"""

from openclaw.agents.recorded_run import PIECE_EVENTS
from openclaw.api.chat_stream import STALLED_SECONDS
from tests.api.sse_reader import framesOf
from tests.server.memory_gateway import (
    AUTHORIZATION,
    EPOCH,
    HELLO,
    STREAMED,
    GatewayTestCase,
    configOf,
)

GOES_ON = ("x-openclaw-on-disconnect", "continue")


def numbered(body):
    """
    Return the numbers of an event stream's frames, and the stream without them.
    """
    lines = body.split(b"\n")
    numbers = [int(line[4:]) for line in lines if line.startswith(b"id: ")]
    return numbers, b"\n".join(line for line in lines if not line.startswith(b"id: "))


def pieces(caller):
    """
    Count the received pieces of a long reply.
    """
    return caller.answer.body.count(b'"content":"x"')


class RunsTestCase(GatewayTestCase):
    """
    A gateway with runs.
    """

    def begin(self, body=STREAMED, *headers):
        """
        Start a run.

        @return: The client's end, and the path of the run.
        """
        caller = self.gateway.post(body, *headers)
        (runID,) = list(self.gateway.runtime.runs)[-1:]
        return caller, f"/v1/runs/{runID}"

    def finish(self, *texts):
        """
        Let the latest run succeed.
        """
        self.gateway.call.say(*texts)
        self.gateway.call.finish()


class LookingTests(RunsTestCase):
    """
    Inspecting runs.
    """

    def test_list(self):
        """
        The runs in progress are listed, with their callers.
        """
        self.assertEqual(self.gateway.get("/v1/runs").json["data"], [])
        _, path = self.begin(HELLO, ("x-openclaw-session-key", "notes"))
        answer = self.gateway.get("/v1/runs").json
        self.assertEqual(answer["object"], "list")
        (run,) = answer["data"]
        self.assertEqual(f"/v1/runs/{run.pop('id')}", path)
        self.assertEqual(
            run,
            {
                "object": "run",
                "status": "in_progress",
                "created": EPOCH,
                "agent": "main",
                "session_key": "agent:main:notes",
                "caller": "operator",
            },
        )
        self.finish("Hi.")
        self.assertEqual(self.gateway.get("/v1/runs").json["data"], [])

    def test_queued(self):
        """
        A run that waits for its session is queued.
        """
        session = ("x-openclaw-session-key", "notes")
        self.begin(HELLO, session)
        _, second = self.begin(HELLO, session)
        self.assertEqual(self.gateway.get(second).json["status"], "queued")
        self.finish("Hi.")
        self.assertEqual(self.gateway.get(second).json["status"], "in_progress")
        self.finish("Hi.")

    def test_result(self):
        """
        A run that continued alone has its reply after the end.
        """
        caller, path = self.begin(STREAMED, GOES_ON)
        caller.leave()
        self.assertEqual(self.gateway.get(path).json["status"], "in_progress")
        self.finish("Hi.")
        answer = self.gateway.get(path).json
        self.assertEqual(answer["status"], "completed")
        self.assertIsNone(answer["error"])
        self.assertEqual(answer["result"]["object"], "chat.completion")
        choice = answer["result"]["choices"][0]
        self.assertEqual(choice["message"]["content"], "Hi.")

    def test_failure(self):
        """
        A failed run has its error.
        """
        caller, path = self.begin(STREAMED, GOES_ON)
        caller.leave()
        for _ in range(2):
            self.gateway.call.finish()
        answer = self.gateway.get(path).json
        self.assertEqual(answer["status"], "failed")
        self.assertIsNone(answer["result"])
        self.assertEqual(answer["error"]["code"], "empty_reply")

    def test_unknown(self):
        """
        Other runs do not exist; one that is not recorded is removed at its end.
        """
        _, path = self.begin()
        self.finish("Hi.")
        for where in (path, f"{path}/events", "/v1/runs/run_x"):
            answer = self.gateway.get(where)
            self.assertEqual(answer.status, 404)
            self.assertEqual(answer.error["code"], "run_not_found")

    def test_disabled(self):
        """
        It is disabled together with the endpoint.
        """
        gateway = self.start(config=configOf({"enabled": False}))
        self.assertEqual(gateway.get("/v1/runs").error["code"], "endpoint_disabled")

    def test_noCredential(self):
        """
        A credential is required.
        """
        for method, path in (
            ("GET", "/v1/runs"),
            ("GET", "/v1/runs/run_x"),
            ("GET", "/v1/runs/run_x/events"),
            ("POST", "/v1/runs/run_x/cancel"),
        ):
            caller = self.gateway.connect()
            caller.ask(method, path, [])
            self.assertEqual(caller.answer.status, 401)


class CancelTests(RunsTestCase):
    """
    Cancelling a run by another request.
    """

    def cancel(self, path):
        """
        Cancel a run.
        """
        return self.gateway.get(f"{path}/cancel", method="POST")

    def test_stream(self):
        """
        The model call is cancelled immediately, and listeners get an error.
        """
        caller, path = self.begin()
        self.gateway.call.say("Well")
        answer = self.cancel(path)
        self.assertEqual((answer.status, answer.json["status"]), (200, "cancelled"))
        self.assertTrue(self.gateway.call.cancelled)
        frame = caller.answer.frames[-2]
        self.assertEqual(frame["error"]["code"], "run_cancelled")
        self.assertTrue(caller.answer.complete)

    def test_whole(self):
        """
        A client that waits for a plain reply gets an error, without retries.
        """
        caller, path = self.begin(HELLO)
        self.cancel(path)
        self.assertEqual(caller.answer.status, 499)
        self.assertEqual(caller.answer.headers["x-should-retry"], "false")

    def test_alone(self):
        """
        A run that continues alone is cancelled, too, and found as cancelled.
        """
        caller, path = self.begin(STREAMED, GOES_ON)
        caller.leave()
        self.cancel(path)
        self.assertTrue(self.gateway.call.cancelled)
        self.assertEqual(self.gateway.get(path).json["status"], "cancelled")

    def test_over(self):
        """
        A finished run is not changed.
        """
        _, path = self.begin(STREAMED, GOES_ON)
        self.finish("Hi.")
        self.assertEqual(self.cancel(path).json["status"], "completed")

    def test_unknown(self):
        """
        An unknown run can't be cancelled.
        """
        self.assertEqual(self.cancel("/v1/runs/run_x").status, 404)


class EventsTests(RunsTestCase):
    """
    Resuming an interrupted stream.
    """

    def events(self, path, *headers):
        """
        Follow a run.
        """
        caller = self.gateway.connect()
        authorization = ("Authorization", "Bearer a-token-that-nobody-may-see")
        caller.ask("GET", f"{path}/events", [authorization, *headers])
        return caller

    def test_fromTheBeginning(self):
        """
        The events equal the first client's stream, with a number each.
        """
        first, path = self.begin(STREAMED, GOES_ON)
        self.gateway.call.say("One ")
        again = self.events(path)
        self.finish("two.")
        numbers, stream = numbered(again.answer.body)
        self.assertEqual(stream, first.answer.body)
        self.assertEqual(numbers, sorted(set(numbers)))
        self.assertEqual(len(numbers), 2)
        self.assertTrue(again.answer.complete)

    def test_goesOn(self):
        """
        C{Last-Event-ID} starts the stream after that event.
        """
        first, path = self.begin(STREAMED, GOES_ON)
        self.gateway.call.say("One ")
        listener = self.events(path)
        (last,), _ = numbered(listener.answer.body)
        first.leave()
        listener.leave()
        self.finish("two.")
        rest = self.events(path, ("Last-Event-ID", str(last)))
        _, stream = numbered(rest.answer.body)
        texts = [frame for frame in framesOf(stream) if isinstance(frame, dict)]
        self.assertEqual(texts[0]["choices"][0]["delta"], {"content": "two."})
        self.assertEqual(texts[-1]["choices"][0]["finish_reason"], "stop")
        self.assertEqual(framesOf(stream)[-1], "[DONE]")

    def test_everyPlace(self):
        """
        For any interruption, both parts add up to the whole.
        """
        first, path = self.begin(STREAMED, GOES_ON)
        self.finish(*"abcdef")
        whole = self.events(path).answer.body
        blocks = whole.split(b"\n\n")
        self.assertGreater(sum(each.startswith(b"id: ") for each in blocks), 1)
        for place, block in enumerate(blocks):
            if not block.startswith(b"id: "):
                continue
            last = block.split(b"\n")[0][4:].decode()
            rest = self.events(path, ("Last-Event-ID", last)).answer.body
            self.assertEqual(b"\n\n".join(blocks[: place + 1]) + b"\n\n" + rest, whole)
        self.assertEqual(first.answer.status, 200)

    def test_failure(self):
        """
        A failure ends it, with status 200 nevertheless, since the stream was started.
        """
        _, path = self.begin(STREAMED, GOES_ON)
        listener = self.events(path)
        for _ in range(2):
            self.gateway.call.finish()
        self.assertEqual(listener.answer.status, 200)
        error = listener.answer.frames[-2]["error"]
        self.assertEqual(error["code"], "empty_reply")

    def test_leaving(self):
        """
        A follower's disconnect does not cancel a run that continues alone.
        """
        first, path = self.begin(STREAMED, GOES_ON)
        first.leave()
        self.events(path).leave()
        self.assertFalse(self.gateway.call.cancelled)
        self.finish("Hi.")

    def stalled(self, *headers):
        """
        Let a client request a long finished reply without reading it.
        """
        caller, path = self.begin(STREAMED, GOES_ON, *headers)
        self.finish(*"x" * (3 * PIECE_EVENTS))
        self.assertEqual(len(caller.answer.text), 3 * PIECE_EVENTS)
        listener = self.gateway.connect()
        listener.line.full = True
        return path, listener

    def test_slow(self):
        """
        A slow follower gets the whole reply at its own pace, without a copy for each
        follower.
        """
        path, listener = self.stalled()
        listener.ask("GET", f"{path}/events", [AUTHORIZATION])
        self.assertEqual(pieces(listener), PIECE_EVENTS - 1)
        self.gateway.clock.advance(STALLED_SECONDS - 1)
        listener.line.producer.resumeProducing()
        self.assertEqual(pieces(listener), 2 * PIECE_EVENTS - 1)
        self.gateway.clock.advance(STALLED_SECONDS - 1)
        listener.line.full = False
        listener.line.producer.resumeProducing()
        self.assertEqual(pieces(listener), 3 * PIECE_EVENTS)
        self.assertTrue(listener.answer.complete)

    def test_slowAgain(self):
        """
        The same applies to a repeated request for a stream.
        """
        key = ("Idempotency-Key", "k-1")
        _, listener = self.stalled(key)
        self.gateway.ask(listener, STREAMED, GOES_ON, key)
        self.assertEqual(pieces(listener), PIECE_EVENTS - 1)
        listener.leave()

    def test_stalled(self):
        """
        A follower that reads nothing for a long time is disconnected.
        """
        path, listener = self.stalled()
        listener.ask("GET", f"{path}/events", [AUTHORIZATION])
        self.gateway.clock.advance(STALLED_SECONDS)
        self.assertTrue(listener.line.aborted)

    def test_stalledWhileItGoesOn(self):
        """
        It is not disconnected while the run, which has its own time limit, is in
        progress.
        """
        _, path = self.begin(STREAMED, GOES_ON)
        listener = self.gateway.connect()
        listener.line.full = True
        listener.ask("GET", f"{path}/events", [AUTHORIZATION])
        self.gateway.call.say("Hi")
        self.gateway.clock.advance(STALLED_SECONDS)
        self.gateway.call.say("!")
        self.gateway.call.finish()
        self.assertFalse(listener.line.aborted)
        self.gateway.clock.advance(STALLED_SECONDS)
        self.assertTrue(listener.line.aborted)

    def test_silence(self):
        """
        The followers of a silent run get comments.
        """
        _, path = self.begin(STREAMED, GOES_ON)
        listener = self.events(path)
        self.gateway.clock.advance(20)
        self.assertIn(b": keepalive", listener.answer.body)
        self.finish("Hi.")

    def test_notRecorded(self):
        """
        A run that is not recorded has no events.
        """
        _, path = self.begin()
        answer = self.events(path).answer
        self.assertEqual(
            (answer.status, answer.error["code"]), (404, "run_not_recorded")
        )
        self.finish("Hi.")

    def test_notANumber(self):
        """
        A value that is not an event's number is rejected, with the header's name.
        """
        _, path = self.begin(STREAMED, GOES_ON)
        for last in ("x", "-1", "9" * 20, "²"):
            answer = self.events(path, ("Last-Event-ID", last)).answer
            self.assertEqual(answer.status, 400)
            self.assertEqual(answer.error["param"], "Last-Event-ID")
        self.finish("Hi.")
