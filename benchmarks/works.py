"""
The works that every server is given, and what one server made of one of them.
"""

import msgspec

from benchmarks.cpu import CPU, Memory
from benchmarks.load import Plan, Summary
from benchmarks.replies import modeOf
from benchmarks.subjects import Subject


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """
    One kind of load.

    @ivar name: What the samples are filed under.
    @ivar mode: How the upstream answers.
    @ivar requests: How many in one round.
    @ivar quick: How many in one round of a quick run.
    @ivar stream: See L{Plan.stream}.
    @ivar connections: See L{Plan.connections}; never more than there are requests.
    @ivar rate: See L{Plan.rate}.
    @ivar turns: See L{Plan.turns}.
    """

    name: str
    mode: str
    requests: int
    quick: int
    stream: bool = False
    connections: int = 1
    rate: float | None = None
    turns: int = 0

    def plan(self, subject: Subject, requests: int, seconds: float) -> Plan:
        """
        This work for one server.
        """
        return Plan(
            url=subject.url,
            token=subject.token,
            model=subject.models.get(self.mode, self.mode),
            mode=self.mode,
            stream=self.stream,
            coalesced=subject.coalesced,
            connections=min(self.connections, requests),
            requests=requests,
            seconds=seconds,
            rate=self.rate,
            turns=self.turns,
        )

    @property
    def words(self) -> int:
        """
        The content chunks of one reply, when streamed.
        """
        mode = modeOf(self.mode)
        assert mode is not None
        return mode.words


PLAIN = Work(name="plain", mode="instant-16", requests=300, quick=150)
PARALLEL = Work(
    name="parallel", mode="instant-16", requests=500, quick=250, connections=8
)
SESSION = Work(name="session", mode="instant-16", requests=250, quick=120, turns=10)
BURST = Work(name="burst", mode="burst-200", requests=80, quick=40, stream=True)
PACED = Work(
    name="paced",
    mode="paced-64-20",
    requests=200,
    quick=50,
    stream=True,
    connections=200,
    rate=197.0,  # more would measure a queue, and 200 would beat with the 20 ms
)
WORKS = (PLAIN, PARALLEL, SESSION, BURST, PACED)


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """
    One work, done once by one server.

    @ivar round: From 0; -1 is the warm-up.
    @ivar cpu: What the server's process used, if it is known.
    @ivar upstream: What the upstream's process used meanwhile.
    """

    subject: str
    work: str
    round: int
    summary: Summary
    cpu: CPU | None
    upstream: CPU


class Standing(msgspec.Struct, kw_only=True):
    """
    What is measured of a server besides the works.

    @ivar ready: Seconds from the start to the first C{200}, once for each start.
    @ivar idle: Its memory before the first request.
    @ivar loaded: Its memory after the last.
    """

    ready: list[float] = []
    idle: Memory | None = None
    loaded: Memory | None = None


__all__ = [
    "BURST",
    "PACED",
    "PARALLEL",
    "PLAIN",
    "SESSION",
    "WORKS",
    "Sample",
    "Standing",
    "Work",
]
