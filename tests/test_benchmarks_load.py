"""
Tests of the load generator of the benchmarks, and of the mock upstream.
"""

import json
from collections import deque

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from benchmarks.load import QUESTION, Load, Plan, faultOf, latenessOf
from benchmarks.replies import modeOf
from benchmarks.upstream import Upstream, answerTo
from benchmarks.wire import Connection, Reply, dechunked

URL = "http://127.0.0.1:9100/v1"
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Future:
    """
    A minimal future for a load.
    """

    def __init__(self):
        self.isDone = False

    def done(self):
        return self.isDone

    def set_result(self, result):
        self.isDone = True


class Loop:
    """
    An event loop whose time is a L{Clock}.
    """

    def __init__(self):
        self.clock = Clock()
        self.time = self.clock.seconds

    def create_future(self):
        return Future()

    def call_at(self, when, function):
        """
        Schedule a call.
        """
        self.clock.callLater(max(0.0, when - self.time()), function)


class Line:
    """
    A connection that records requests, and gets no responses.
    """

    closing = False

    def __init__(self):
        self.asked = []

    def ask(self, since):
        """
        Record when the request was due.
        """
        self.asked.append(since)


class Transport:
    """
    A transport that records each write.
    """

    def __init__(self):
        self.written = []

    def write(self, data):
        self.written.append(data)


def begun(plan, lines):
    """
    Return a started load at a fixed rate, with these connections.
    """
    load = Load(plan, Loop())
    load.start = 0.0
    load.deadline = plan.seconds
    load.resting = deque(lines)
    load.fallDue()
    return load


def reply(since=0.0):
    """
    Return a complete reply, of which only the time matters.
    """
    return Reply(200, b"", False, since, [since], [0])


class FixedRateTests(SynchronousTestCase):
    """
    A load at a fixed rate.
    """

    def plan(self, **fields):
        """
        Return a plan of ten requests per second.
        """
        given = {"requests": 4, "rate": 10.0, **fields}
        return Plan(url=URL, model="m", mode="instant-16", **given)

    def test_sendsEachWhenItIsDue(self):
        """
        Requests are sent at even intervals.
        """
        lines = [Line() for _ in range(4)]
        load = begun(self.plan(), lines)
        sent = []
        for _ in range(40):
            sent.append(sum(len(line.asked) for line in lines))
            load.loop.clock.advance(0.01)
        self.assertEqual([sent[0], sent[5], sent[15], sent[25]], [1, 1, 2, 3])
        self.assertEqual([line.asked for line in lines], [[0.0], [0.1], [0.2], [0.3]])

    def test_whoWaitsForAStalledServerCountsFromWhenItWasDue(self):
        """
        If the only connection is busy, the next requests wait, and their latency
        includes the wait.
        """
        line = Line()
        load = begun(self.plan(), [line])
        load.loop.clock.pump([0.1] * 10)
        self.assertEqual(line.asked, [0.0])
        load.replied(line, reply())
        load.replied(line, reply())
        self.assertEqual([round(since, 3) for since in line.asked], [0.0, 0.1, 0.2])

    def test_aStallOfTheGeneratorLeavesNothingOut(self):
        """
        Requests that fell due while the generator itself was stalled are sent late, and
        their latency counts from the due time.
        """
        lines = [Line() for _ in range(4)]
        load = begun(self.plan(requests=9, seconds=0.35), lines)
        load.loop.clock.advance(5.0)
        due = [line.asked[0] for line in lines]
        self.assertEqual([round(since, 3) for since in due], [0.0, 0.1, 0.2, 0.3])

    def test_endsWhenAllThatWasDueIsAnswered(self):
        """
        It ends with the last response, not with the last request.
        """
        line = Line()
        load = begun(self.plan(requests=2), [line])
        load.loop.clock.pump([0.1] * 5)
        load.replied(line, reply())
        self.assertFalse(load.done.done())
        load.replied(line, reply())
        self.assertTrue(load.done.done())

    def test_asksNoMoreAfterItsTime(self):
        """
        A load of 0.2 seconds has two requests at ten per second.
        """
        lines = [Line() for _ in range(4)]
        load = begun(self.plan(seconds=0.2), lines)
        load.loop.clock.pump([0.1] * 10)
        self.assertEqual(load.due, 2)


class ClosedLoopTests(SynchronousTestCase):
    """
    A load in a closed loop: the next request follows the response.
    """

    def test_asksAgainAfterEachAnswer(self):
        """
        A connection sends one request after the other, as many as planned.
        """
        plan = Plan(url=URL, model="m", mode="instant-16", requests=3)
        load, line = Load(plan, Loop()), Line()
        load.deadline = plan.seconds
        load.rest(line)
        for _ in range(3):
            self.assertFalse(load.done.done())
            load.loop.clock.advance(0.5)
            load.replied(line, reply())
        self.assertEqual(line.asked, [0.0, 0.5, 1.0])
        self.assertTrue(load.done.done())


class PlanTests(SynchronousTestCase):
    """
    The requests of a plan.
    """

    def bodies(self, count, **fields):
        """
        Return the first bodies of a plan.
        """
        plan = Plan(url=URL, model="m", mode="instant-2", **fields)
        requests = plan.requestsToSend()
        sent = [next(requests).partition(b"\r\n\r\n") for _ in range(count)]
        for head, _, body in sent:
            self.assertIn(f"Content-Length: {len(body)}".encode(), head)
        return [json.loads(body) for _, _, body in sent]

    def test_visitsItsSessionsInTurn(self):
        """
        Users take turns.
        """
        bodies = self.bodies(3, users=["a", "b"])
        self.assertEqual([body["user"] for body in bodies], ["a", "b", "a"])

    def test_statelessRequestsHaveNoUser(self):
        """
        Without sessions there is no user and no stream.
        """
        [body] = self.bodies(1)
        self.assertEqual({*body}, {"model", "messages"})

    def test_bringsEarlierTurns(self):
        """
        Two turns of history are four messages before the new one.
        """
        [body] = self.bodies(1, history=2)
        said = [message["content"] for message in body["messages"]]
        self.assertEqual(said, [QUESTION, "an agent"] * 2 + [QUESTION])


class WireTests(SynchronousTestCase):
    """
    Responses are assembled, with the times of their parts.
    """

    def setUp(self):
        """
        Create a connection that has sent a request at second 1.
        """
        self.clock = Clock()
        self.replies = []
        self.connection = Connection(
            iter([b"request"]),
            self.clock.seconds,
            lambda connection, reply: self.replies.append(reply),
            lambda connection, underWay: None,
        )
        self.connection.transport = Transport()
        self.clock.advance(1.0)
        self.connection.ask(self.clock.seconds())

    def receive(self, *pieces):
        """
        Receive pieces, one per second.
        """
        for piece in pieces:
            self.clock.advance(1.0)
            self.connection.data_received(piece)

    def streamed(self):
        """
        Return the mock upstream's response to a paced stream of three words.
        """
        return answerTo("paced-3-1000", True, False).parts

    def test_knowsWhenEachWordCame(self):
        """
        In a stream with one word per second, no word is later than the first one's
        second.
        """
        self.receive(*self.streamed())
        plan = Plan(url=URL, model="m", mode="paced-3-1000", stream=True)
        [whole] = self.replies
        self.assertIsNone(faultOf(whole, plan))
        self.assertEqual(whole.wordTimes(), [2.0, 3.0, 4.0])
        self.assertEqual(latenessOf(whole, plan), [1.0, 1.0, 1.0])
        self.assertEqual(whole.reads, [2.0, 3.0, 4.0, 5.0])

    def test_aWordCountsWhenItsEventIsWhole(self):
        """
        An event in two pieces counts from its second piece.
        """
        first, second, third, end = self.streamed()
        self.receive(first, second[:-30], second[-30:] + third + end)
        self.assertEqual(self.replies[0].wordTimes(), [2.0, 4.0, 4.0])

    def test_headAloneIsNoWord(self):
        """
        The time to the first word does not end with the head, nor with the role.
        """
        first, *others = self.streamed()
        head = first.index(b"\r\n\r\n") + 4
        word = first.rindex(b"data:")
        self.receive(first[:head], first[head:word], first[word:], *others)
        self.assertEqual(self.replies[0].reads[0], 4.0)

    def test_mergedWordsHaveNoLateness(self):
        """
        If words arrive in fewer events, their times are unknown.
        """
        self.receive(HEAD, *answerTo("paced-2-1000", True, False).parts)
        plan = Plan(url=URL, model="m", mode="paced-3-1000", stream=True)
        self.assertEqual(latenessOf(self.replies[0], plan), [])

    def test_wrongReplyIsFound(self):
        """
        A response with other words is an error.
        """
        plan = Plan(url=URL, model="m", mode="instant-5")
        self.receive(answerTo("instant-4", False, False).parts[0])
        self.assertEqual(faultOf(self.replies[0], plan), "wrong text")

    def test_errorIsFound(self):
        """
        A status other than 200 is an error with the server's message.
        """
        plan = Plan(url=URL, model="m", mode="instant-5")
        self.receive(answerTo("nonsense", False, False).parts[0])
        self.assertIn("status 404", faultOf(self.replies[0], plan))

    def test_brokenEncodingIsFound(self):
        """
        A body with invalid chunks is an error, not an exception.
        """
        plan = Plan(url=URL, model="m", mode="instant-5")
        broken = Reply(200, b"xyz\r\n0\r\n\r\n", True, 0.0, [1.0], [3])
        self.assertEqual(faultOf(broken, plan), "not chunked well")

    @given(st.lists(st.binary(min_size=1)))
    def test_dechunkedIsWhatWasChunked(self, pieces):
        """
        The transfer encoding is decoded for any pieces.
        """
        chunks = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]
        self.assertEqual(dechunked(b"".join([*chunks, b"0\r\n\r\n"])), b"".join(pieces))


class UpstreamTests(SynchronousTestCase):
    """
    The mock upstream responds as requested.
    """

    def setUp(self):
        """
        Create a connection to it.
        """
        self.loop = Loop()
        self.transport = Transport()
        self.upstream = Upstream(self.callAt, self.loop.time)
        self.upstream.transport = self.transport

    def callAt(self, when, function):
        """
        Schedule a call.
        """
        return self.loop.clock.callLater(when - self.loop.time(), function)

    def ask(self, mode, stream):
        """
        Send a request.
        """
        plan = Plan(url=URL, model=mode, mode=mode, stream=stream)
        self.upstream.data_received(plan.request(None))

    def test_burstIsOneWrite(self):
        """
        All 200 words of a burst are one write.
        """
        self.ask("burst-200", stream=True)
        [written] = self.transport.written
        self.assertEqual(written.count(b'"content":"'), 201)

    def test_pacedWordsComeOneByOne(self):
        """
        Each word has its time, counted from the first: delays do not add up.
        """
        self.ask("paced-4-20", stream=True)
        self.loop.clock.advance(0.035)
        self.loop.clock.advance(0.010)
        self.assertEqual(len(self.transport.written), 3)

    def test_waitsForTheWholeBody(self):
        """
        An incomplete body gets no response.
        """
        plan = Plan(url=URL, model="instant-16", mode="instant-16", history=50)
        request = plan.request(None)
        self.upstream.data_received(request[:-1])
        self.assertEqual(self.transport.written, [])
        self.upstream.data_received(request[-1:])
        self.assertEqual(len(self.transport.written), 1)

    def test_modesAreLimited(self):
        """
        A model id that is not a mode, or exceeds a limit, is rejected.
        """
        self.assertEqual(msgspec.structs.astuple(modeOf("paced-3-20")), (3, 0.02))
        for nonsense in ("burst", "burst-0", "burst-10001", "paced-3", "x-instant-3"):
            self.assertIsNone(modeOf(nonsense))
