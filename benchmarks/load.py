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
import math
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle, pairwise
from urllib.parse import urlsplit

import msgspec

from benchmarks.replies import faultOfReply, faultOfStream, modeOf
from benchmarks.wire import Connection, Reply

QUESTION = "How much of a request's time is spent on the way?"

GRACE = 60.0  # seconds after the end of a plan in which answers may still come
CONNECTING = 64  # connections made at once: fewer than any server's backlog


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """
    The requests to send to a server.

    @ivar rate: Requests that fall due each second; C{None} is the closed loop.
    @ivar users: The sessions to ask in, in turn; with none, requests are stateless.
    """

    url: str  # the server's base URL, with the /v1
    token: str | None = None
    model: str
    mode: str  # the mode (see benchmarks.replies) in which the upstream answers
    stream: bool = False
    coalesced: bool = False  # whether a stream may bring several words in one chunk
    connections: int = 1  # the number of connections that are kept open
    requests: int = 100
    seconds: float = 60.0  # the time after which no more requests fall due
    rate: float | None = None
    users: Sequence[str] = ()
    history: int = 0  # the number of turns that each request brings along

    def answer(self) -> list[str]:
        mode = modeOf(self.mode)
        if mode is None:
            raise ValueError(f"there is no mode {self.mode}")
        return mode.deltas()

    def interval(self) -> float:
        mode = modeOf(self.mode)
        return 0.0 if mode is None else mode.interval

    def dueAt(self, index: int) -> float:
        """
        Return the seconds from the start, at a fixed rate, to when a request is due.

        @param index: The number of the request, from 0.
        """
        assert self.rate is not None
        return index / self.rate

    def requestsToSend(self) -> Iterator[bytes]:
        return cycle([self.request(user) for user in self.users or (None,)])

    def request(self, user: str | None) -> bytes:
        question = {"role": "user", "content": QUESTION}
        answer = {"role": "assistant", "content": "".join(self.answer())}
        asked = {
            "model": self.model,
            "messages": [*([question, answer] * self.history), question],
            **({"stream": True} if self.stream else {}),
            **({"user": user} if user else {}),
        }
        body = msgspec.json.encode(asked)
        url = urlsplit(self.url)
        lines = [
            f"POST {url.path}/chat/completions HTTP/1.1",
            f"Host: {url.netloc}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *([f"Authorization: Bearer {self.token}"] if self.token else []),
        ]
        return "\r\n".join([*lines, "", ""]).encode() + body


class Quantiles(msgspec.Struct, frozen=True):
    p50: float
    p90: float
    p99: float
    worst: float


def atRank(ordered: Sequence[float], share: float) -> float:
    """
    Return a quantile by nearest rank: the smallest value that at least this share of
    all values does not exceed.

    @param ordered: The values, the smallest first; not empty.
    @param share: From above 0 to 1.
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def quantiles(durations: Iterable[float]) -> Quantiles | None:
    ordered = sorted(durations)
    if not ordered:
        return None
    shares = (0.5, 0.9, 0.99, 1.0)
    return Quantiles(*(round(atRank(ordered, share) * 1000, 3) for share in shares))


class Summary(msgspec.Struct, frozen=True):
    """
    The figures of a load.

    @ivar lateness: From when a word of a paced stream would have come if nothing took
        any time, counted from when the request was due, to when it was here.
    """

    requests: int  # the number of requests that were due
    faults: dict[str, int]  # the faults of replies, and their numbers
    seconds: float
    perSecond: float  # right replies each second
    load: float  # seconds of CPU time that the load generator used
    latency: Quantiles | None  # from when a request was due to the end of its reply
    firstWord: Quantiles | None  # from the same to the first word of a stream
    gap: Quantiles | None  # between one read of a stream and the next
    lateness: Quantiles | None


class Load:
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
        Send the next request on a connection that has nothing under way.
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
        answered = len(self.replies) + self.faults.total()
        if answered == self.due and not self.moreToCome() and not self.done.done():
            self.done.set_result(None)

    def replied(self, connection: Connection, reply: Reply) -> None:
        self.replies.append(reply)
        if not connection.closing:
            self.rest(connection)

    def lost(self, connection: Connection, underWay: bool) -> None:
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
    body = reply.body()
    if body is None:
        return "not chunked well"
    if reply.status != 200:
        return f"status {reply.status}: {body[:200]!r}"
    words = plan.answer()
    if plan.stream:
        chunks = None if plan.coalesced else len(words)
        return faultOfStream(body, "".join(words), chunks)
    return faultOfReply(body, "".join(words))


def latenessOf(reply: Reply, plan: Plan) -> list[float]:
    """
    Return the seconds by which each word of a paced stream was late.  Nothing if the
    words did not come in an event each: then it can't be known which came when.
    """
    interval = plan.interval()
    times = reply.wordTimes() if interval else []
    if len(times) != len(plan.answer()):
        return []
    return [time - (reply.since + index * interval) for index, time in enumerate(times)]


def carryOut(
    plan: Plan,
    moments: Sequence[float] = (),
    look: Callable[[], None] = lambda: None,
) -> Load:
    """
    Carry a plan out, in an event loop of its own.  L{Load.summary} is for when nothing
    is measured any more.

    @param moments: So many seconds after the first request call C{look}.

    @raise OSError: The server can't be reached.
    """
    # What the generator collects while it waits for a word would be in the gaps.
    gc.collect()
    gc.disable()

    async def run() -> Load:
        load = Load(plan, asyncio.get_running_loop())
        await load.run(moments, look)
        return load

    try:
        return asyncio.run(run())
    finally:
        gc.enable()


def main() -> None:
    parser = argparse.ArgumentParser(description="Load a chat completions server.")
    add = parser.add_argument
    add("--url", required=True, help="base URL, with the /v1")
    add("--token")
    add("--mode", default="instant-16", help="how the upstream answers")
    add("--model", help="the model to ask for; default: the mode")
    add("--stream", action="store_true")
    add("--coalesced", action="store_true", help="words may be merged")
    add("--connections", type=int, default=1)
    add("--requests", type=int, default=100)
    add("--seconds", type=float, default=60.0)
    add("--rate", type=float, help="requests a second; default: closed")
    add("--user", dest="users", action="append", default=[])
    add("--history", type=int, default=0, help="turns to bring along")
    given = vars(parser.parse_args())
    plan = Plan(**{**given, "model": given["model"] or given["mode"]})
    summary = carryOut(plan).summary()
    print(msgspec.json.format(msgspec.json.encode(summary)).decode())
    sys.exit(1 if summary.faults else 0)


if __name__ == "__main__":
    main()
