"""
A load generator for C{POST /v1/chat/completions} that reads every reply.

Two ways to load a server: the I{closed loop}, in which each connection asks again as
soon as it has its answer, and the I{fixed rate}, in which requests fall due by the
clock whether or not the server keeps up.  At a fixed rate a latency counts from the
moment at which the request was due, so a server that stalls can't hide the wait of
those who queue behind it.

As a command: C{python -m benchmarks.load --help}.
"""

import argparse
import asyncio
import gc
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from itertools import pairwise
from urllib.parse import urlsplit

import msgspec

from benchmarks.plans import Plan
from benchmarks.replies import faultOfReply, faultOfStream
from benchmarks.spread import Quantiles, quantiles
from benchmarks.wire import Connection, Reply

# Seconds after the end of a plan in which what was due may still be answered.
GRACE = 60.0

# How many connections are made at once: fewer than any server's backlog.
CONNECTING = 64


class Summary(msgspec.Struct, frozen=True):
    """
    What a load came to.

    @ivar requests: How many were due.
    @ivar faults: What was wrong with replies, and how often.
    @ivar seconds: From the first request to the last reply.
    @ivar perSecond: Whole replies each second.
    @ivar load: Seconds of CPU time that the load generator used.
    @ivar latency: From when a request was due to the end of its reply.
    @ivar firstWord: From the same to the first word of a stream.
    @ivar gap: Between one read of a stream and the next.
    @ivar lateness: From when a word of a paced stream would have come if nothing took
        any time, counted from when the request was due, to when it was here.
    """

    requests: int
    faults: dict[str, int]
    seconds: float
    perSecond: float
    load: float
    latency: Quantiles | None
    firstWord: Quantiles | None
    gap: Quantiles | None
    lateness: Quantiles | None


class Load:
    """
    One plan, being carried out.

    @ivar plan: The plan.
    @ivar loop: The running event loop.
    """

    def __init__(self, plan: Plan, loop: asyncio.AbstractEventLoop) -> None:
        self.plan = plan
        self.loop = loop
        self.due = 0
        self.faults: Counter[str] = Counter()
        self.replies: list[Reply] = []
        self.requests = plan.requestsToSend()
        self.connections: set[Connection] = set()
        self.resting: deque[Connection] = deque()
        self.overdue: deque[float] = deque()
        self.replacing: set[asyncio.Task[None]] = set()
        self.done: asyncio.Future[None] = loop.create_future()

    async def run(self, moments: Sequence[float], look: Callable[[], None]) -> None:
        """
        Carry the plan out.

        @param moments: See L{carryOut}.
        @param look: See L{carryOut}.

        @raise OSError: No connection can be made.
        """
        for begun in range(0, self.plan.connections, CONNECTING):
            count = min(CONNECTING, self.plan.connections - begun)
            await asyncio.gather(*(self.connect() for _ in range(count)))
        used = time.process_time()
        self.start = self.loop.time()
        self.deadline = self.start + self.plan.seconds
        for moment in moments:
            self.loop.call_at(self.start + moment, look)
        for connection in tuple(self.connections):
            self.rest(connection)
        if self.plan.rate is not None:
            self.fallDue()
        try:
            async with asyncio.timeout_at(self.deadline + GRACE):
                await self.done
        except TimeoutError:
            answered = len(self.replies) + self.faults.total()
            self.faults["no whole reply in time"] += self.due - answered
        self.seconds = self.loop.time() - self.start
        self.used = time.process_time() - used
        for connection in self.connections:
            connection.close()

    async def connect(self) -> Connection:
        url = urlsplit(self.plan.url)
        _, connection = await self.loop.create_connection(
            lambda: Connection(self.requests, self.loop.time, self.replied, self.lost),
            url.hostname or "",
            url.port or 80,
        )
        self.connections.add(connection)
        return connection

    def moreToCome(self) -> bool:
        """
        Will more requests fall due?
        """
        if self.due >= self.plan.requests:
            return False
        if self.plan.rate is not None:
            # Not by the clock, or a stall would leave out what was due in it.
            return self.plan.dueAt(self.due) < self.plan.seconds
        return self.loop.time() < self.deadline

    def fallDue(self) -> None:
        """
        At a fixed rate: send all that is due by now, and come again.
        """
        while self.moreToCome():
            due = self.start + self.plan.dueAt(self.due)
            if due > self.loop.time():
                self.loop.call_at(due, self.fallDue)
                return
            self.due += 1
            if self.resting:
                self.resting.popleft().ask(due)
            else:
                self.overdue.append(due)
        self.finishIfAllAnswered()

    def rest(self, connection: Connection) -> None:
        """
        A connection has nothing under way.
        """
        if self.plan.rate is None and self.moreToCome():
            self.due += 1
            connection.ask(self.loop.time())
        elif self.overdue:
            connection.ask(self.overdue.popleft())
        else:
            self.resting.append(connection)
            self.finishIfAllAnswered()

    def finishIfAllAnswered(self) -> None:
        """
        Be done, if nothing is under way and nothing will be.
        """
        answered = len(self.replies) + self.faults.total()
        if answered == self.due and not self.moreToCome() and not self.done.done():
            self.done.set_result(None)

    def replied(self, connection: Connection, reply: Reply) -> None:
        self.replies.append(reply)
        if not connection.closing:
            self.rest(connection)

    def lost(self, connection: Connection, underWay: bool) -> None:
        """
        The server closed a connection: make another.
        """
        self.connections.discard(connection)
        if connection in self.resting:
            self.resting.remove(connection)
        if underWay:
            self.faults["connection lost"] += 1
        task = self.loop.create_task(self.replace())
        self.replacing.add(task)
        task.add_done_callback(self.replacing.discard)

    async def replace(self) -> None:
        try:
            connection = await self.connect()
        except OSError as error:
            if not self.done.done():
                self.done.set_exception(error)
        else:
            self.rest(connection)

    def summary(self) -> Summary:
        faults = Counter(self.faults)
        right = []
        for reply in self.replies:
            fault = faultOf(reply, self.plan)
            if fault is None:
                right.append(reply)
            else:
                faults[fault] += 1
        streamed = right if self.plan.stream else []
        gaps = (
            later - earlier
            for reply in streamed
            for earlier, later in pairwise(reply.reads)
        )
        return Summary(
            requests=self.due,
            faults=dict(faults),
            seconds=round(self.seconds, 4),
            perSecond=round(len(right) / self.seconds, 1),
            load=round(self.used, 4),
            latency=quantiles(reply.reads[-1] - reply.since for reply in right),
            firstWord=quantiles(reply.reads[0] - reply.since for reply in streamed),
            gap=quantiles(gaps),
            lateness=quantiles(
                late for reply in streamed for late in latenessOf(reply, self.plan)
            ),
        )


def faultOf(reply: Reply, plan: Plan) -> str | None:
    """
    What is wrong with a reply, or C{None}.
    """
    body = reply.body()
    if body is None:
        return "not chunked well"
    if reply.status != 200:
        return f"status {reply.status}: {body[:200]!r}"
    check = faultOfStream if plan.stream else faultOfReply
    return check(body, plan.expected())


def latenessOf(reply: Reply, plan: Plan) -> list[float]:
    """
    How many seconds each word of a paced stream was late.  Nothing if the words did
    not come in an event each: then it can't be known which came when.
    """
    interval = plan.interval()
    times = reply.wordTimes() if interval else []
    if len(times) != len(plan.answer()):
        return []
    return [time - (reply.since + index * interval) for index, time in enumerate(times)]


async def _carryOut(
    plan: Plan, moments: Sequence[float], look: Callable[[], None]
) -> Load:
    loop = asyncio.get_running_loop()
    load = Load(plan, loop)
    await load.run(moments, look)
    return load


def carryOut(
    plan: Plan,
    moments: Sequence[float] = (),
    look: Callable[[], None] = lambda: None,
) -> Load:
    """
    Carry a plan out, in an event loop of its own.  What it came to is told by
    L{Load.summary}, which is for when nothing is measured any more.

    @param moments: So many seconds after the first request call C{look}.

    @raise OSError: The server can't be reached.
    """
    # What the generator collects while it waits for a word would be in the gaps.
    gc.collect()
    gc.disable()
    try:
        return asyncio.run(_carryOut(plan, moments, look))
    finally:
        gc.enable()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Load a chat completions server.")
    parser.add_argument("--url", required=True, help="base URL, with the /v1")
    parser.add_argument("--token")
    parser.add_argument("--mode", default="instant-16", help="how the upstream answers")
    parser.add_argument("--model", help="the model to ask for; default: the mode")
    parser.add_argument("--stream", action="store_true")
    parser.add_argument("--coalesced", action="store_true", help="words may be merged")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--requests", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, help="requests a second; default: closed")
    parser.add_argument("--user", dest="users", action="append", default=[])
    parser.add_argument("--history", type=int, default=0, help="turns to bring along")
    return parser.parse_args()


def main() -> None:
    given = vars(_arguments())
    plan = Plan(**{**given, "model": given["model"] or given["mode"]})
    summary = carryOut(plan).summary()
    print(msgspec.json.format(msgspec.json.encode(summary)).decode())
    sys.exit(1 if summary.faults else 0)


if __name__ == "__main__":
    main()
