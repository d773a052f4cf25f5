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
import math
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import pairwise
from urllib.parse import urlsplit

import msgspec

from benchmarks.replies import Expected, faultOfReply, faultOfStream, modeOf
from benchmarks.wire import Connection, Reply

GRACE = 30.0
"""
Seconds after the end of a plan in which what was due may still be answered.
"""

QUESTION = "How much of a request's time is spent on the way?"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """
    What to ask of whom, and how often.

    @ivar url: The server's base URL, with the C{/v1}.
    @ivar token: The bearer token to send, if any.
    @ivar model: The model to ask for.
    @ivar mode: The mode (see L{benchmarks.replies}) in which the upstream answers.
    @ivar stream: Whether to ask for streams.
    @ivar coalesced: Whether a stream may bring several words in one chunk.
    @ivar connections: How many connections are kept open.
    @ivar requests: How many requests to send.
    @ivar seconds: After this long no more requests fall due.
    @ivar rate: Requests that fall due each second; C{None} is the closed loop.
    @ivar turns: Ask in sessions, this many requests in each; 0 is without sessions.
    """

    url: str
    token: str | None = None
    model: str
    mode: str
    stream: bool = False
    coalesced: bool = False
    connections: int = 1
    requests: int = 100
    seconds: float = 60.0
    rate: float | None = None
    turns: int = 0

    def expected(self) -> Expected:
        """
        What each reply must hold.
        """
        mode = modeOf(self.mode)
        if mode is None:
            raise ValueError(f"there is no mode {self.mode}")
        deltas = mode.deltas()
        return Expected("".join(deltas), None if self.coalesced else len(deltas))

    def request(self, user: str | None) -> bytes:
        """
        One request, ready to be written.

        @param user: The session to ask in, if any.
        """
        question = {
            "model": self.model,
            "messages": [{"role": "user", "content": QUESTION}],
            **({"stream": True} if self.stream else {}),
            **({"user": user} if user else {}),
        }
        body = msgspec.json.encode(question)
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
    """
    How a set of durations is spread, in milliseconds.
    """

    p50: float
    p90: float
    p99: float


def quantiles(durations: Iterable[float]) -> Quantiles | None:
    """
    The spread of some durations in seconds (by nearest rank), or C{None} of none.
    """
    ordered = sorted(durations)
    if not ordered:
        return None
    ranks = (math.ceil(share * len(ordered)) - 1 for share in (0.5, 0.9, 0.99))
    return Quantiles(*(round(ordered[rank] * 1000, 3) for rank in ranks))


class Summary(msgspec.Struct, frozen=True):
    """
    What a load came to.

    @ivar requests: How many were due.
    @ivar faults: What was wrong with replies, and how often.
    @ivar seconds: From the first request to the last reply.
    @ivar perSecond: Right replies each second.
    @ivar latency: From when a request was due to the end of its reply.
    @ivar firstWord: From the same to the first word of a stream.
    @ivar gap: Between one read of a stream and the next.
    """

    requests: int
    faults: dict[str, int]
    seconds: float
    perSecond: float
    latency: Quantiles | None
    firstWord: Quantiles | None
    gap: Quantiles | None


class Load:
    """
    One plan, being carried out.

    @ivar plan: The plan.
    @ivar loop: The running event loop.
    """

    def __init__(self, plan: Plan, loop: asyncio.AbstractEventLoop) -> None:
        self.plan = plan
        self.loop = loop
        self.expected = plan.expected()
        self.due = 0
        self.faults: Counter[str] = Counter()
        self.replies: list[Reply] = []
        self.connections: set[Connection] = set()
        self.resting: deque[Connection] = deque()
        self.overdue: deque[float] = deque()
        self.replacing: set[asyncio.Task[None]] = set()
        # Milliseconds since the epoch: no earlier load can have had the same session.
        self.session = int(time.time() * 1000)
        self.done: asyncio.Future[None] = loop.create_future()

    async def run(self) -> Summary:
        """
        Carry the plan out.

        @raise OSError: No connection can be made.
        """
        for _ in range(self.plan.connections):
            await self.connect()
        self.start = self.loop.time()
        self.deadline = self.start + self.plan.seconds
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
        seconds = self.loop.time() - self.start
        for connection in self.connections:
            connection.close()
        return self.summary(seconds)

    def requests(self) -> Iterator[bytes]:
        """
        The requests of one connection.
        """
        stateless = self.plan.request(None)
        while not self.plan.turns:
            yield stateless
        while True:
            self.session += 1
            request = self.plan.request(f"bench-{self.session}")
            for _ in range(self.plan.turns):
                yield request

    async def connect(self) -> Connection:
        """
        Make one more connection.
        """
        url = urlsplit(self.plan.url)
        _, connection = await self.loop.create_connection(
            lambda: Connection(
                self.requests(), self.loop.time, self.replied, self.lost
            ),
            url.hostname,
            url.port or 80,
        )
        self.connections.add(connection)
        return connection

    def moreToCome(self) -> bool:
        """
        Will more requests fall due?
        """
        return self.due < self.plan.requests and self.loop.time() < self.deadline

    def fallDue(self) -> None:
        """
        At a fixed rate: it is time for the next request.
        """
        if not self.moreToCome():
            self.finishIfAllAnswered()
            return
        due = self.start + self.due / self.plan.rate
        self.due += 1
        if self.resting:
            self.resting.popleft().ask(due)
        else:
            self.overdue.append(due)
        self.loop.call_at(self.start + self.due / self.plan.rate, self.fallDue)

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
        """
        A whole reply came.
        """
        fault = self.faultOf(reply)
        if fault is None:
            # Only its times matter from here on.
            self.replies.append(msgspec.structs.replace(reply, body=b""))
        else:
            self.faults[fault] += 1
        if not connection.closing:
            self.rest(connection)

    def faultOf(self, reply: Reply) -> str | None:
        """
        What is wrong with a reply, or C{None}.
        """
        if reply.status != 200:
            return f"status {reply.status}: {reply.body[:200]!r}"
        check = faultOfStream if self.plan.stream else faultOfReply
        return check(reply.body, self.expected)

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
        """
        Make a connection in the place of one that was lost.
        """
        try:
            connection = await self.connect()
        except OSError as error:
            if not self.done.done():
                self.done.set_exception(error)
        else:
            self.rest(connection)

    def summary(self, seconds: float) -> Summary:
        """
        What it came to.
        """
        replies = self.replies
        streamed = replies if self.plan.stream else []
        gaps = (
            later - earlier
            for reply in streamed
            for earlier, later in pairwise(reply.reads)
        )
        return Summary(
            requests=self.due,
            faults=dict(self.faults),
            seconds=round(seconds, 4),
            perSecond=round(len(replies) / seconds, 1),
            latency=quantiles(reply.reads[-1] - reply.since for reply in replies),
            firstWord=quantiles(reply.reads[0] - reply.since for reply in streamed),
            gap=quantiles(gaps),
        )


async def carryOut(plan: Plan) -> Summary:
    """
    Carry a plan out on the running event loop.

    @raise OSError: The server can't be reached.
    """
    return await Load(plan, asyncio.get_running_loop()).run()


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
    parser.add_argument("--turns", type=int, default=0, help="requests in a session")
    return parser.parse_args()


def main() -> None:
    """
    The command: prints a L{Summary} as JSON; the exit status is 1 if a reply was
    wrong.
    """
    given = vars(_arguments())
    plan = Plan(**{**given, "model": given["model"] or given["mode"]})
    summary = asyncio.run(carryOut(plan))
    print(msgspec.json.format(msgspec.json.encode(summary)).decode())
    sys.exit(1 if summary.faults else 0)


__all__ = ["Load", "Plan", "Quantiles", "Summary", "carryOut", "quantiles"]

if __name__ == "__main__":
    main()
