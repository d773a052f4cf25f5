"""
The works that every server is given, and what one server made of one of them.
"""

import msgspec

from benchmarks.cpu import Memory, Used
from benchmarks.load import Summary
from benchmarks.plans import Plan
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
    @ivar sessions: In how many sessions to ask; 0 is without.
    @ivar turn: The turn of its session that the first request of a round is.  What
        comes before is said beforehand, and not measured.
    @ivar history: See L{Plan.history}.
    """

    name: str
    mode: str
    requests: int
    quick: int
    stream: bool = False
    connections: int = 1
    rate: float | None = None
    sessions: int = 0
    turn: int = 1
    history: int = 0

    def plan(self, subject: Subject, requests: int, seconds: float) -> Plan:
        """
        This work for one server; a work in sessions lacks its users.
        """
        return Plan(
            url=subject.url,
            token=subject.token,
            model=subject.modelFor(self.mode),
            mode=self.mode,
            stream=self.stream,
            coalesced=subject.foreign,
            connections=min(self.connections, requests),
            requests=requests,
            seconds=seconds,
            rate=self.rate,
            history=self.history,
        )

    def suits(self, subject: Subject) -> bool:
        """
        Can the server do this work?
        """
        return subject.sessions or not self.sessions

    @property
    def words(self) -> int:
        """
        The content chunks of one reply, when streamed.
        """
        mode = modeOf(self.mode)
        assert mode is not None
        return mode.words


TURNS = 500

PLAIN = Work(name="plain", mode="instant-16", requests=800, quick=150)
PARALLEL = Work(
    name="parallel", mode="instant-16", requests=1000, quick=250, connections=8
)
FIXED = Work(
    name="fixed",
    mode="instant-16",
    requests=600,
    quick=200,
    connections=64,
    rate=199.0,
)
EARLY = Work(
    name="early", mode="instant-16", requests=100, quick=40, sessions=100, turn=5
)
LATE = Work(
    name="late", mode="instant-16", requests=50, quick=25, sessions=1, turn=TURNS
)
CARRIED = Work(
    name="carried", mode="instant-16", requests=200, quick=40, history=TURNS - 1
)
BURST = Work(name="burst", mode="burst-200", requests=150, quick=40, stream=True)
FIRST = Work(name="first", mode="paced-4-2", requests=150, quick=60, stream=True)
PACED = Work(
    name="paced",
    mode="paced-250-20",
    requests=200,
    quick=200,
    stream=True,
    connections=200,
    rate=197.0,  # more would measure a queue, and 200 would beat with the 20 ms
)
QUICK_PACED = msgspec.structs.replace(PACED, mode="paced-64-20")
WORKS = (PLAIN, PARALLEL, FIXED, EARLY, LATE, CARRIED, BURST, FIRST, PACED)

HELD = Work(
    name="held",
    mode="paced-32-1000",
    requests=5000,
    quick=500,
    stream=True,
    connections=5000,
    rate=250.0,
)
QUICK_HELD = msgspec.structs.replace(HELD, mode="paced-6-1000")
CORES = Work(
    name="cores",
    mode="instant-16",
    requests=5000,
    quick=1000,
    # With few, chance gives one worker many more of them than the other.
    connections=256,
)
MODES = tuple(
    dict.fromkeys(work.mode for work in (*WORKS, QUICK_PACED, HELD, QUICK_HELD, CORES))
)
"""
All that the upstream is asked for.
"""


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """
    One work, done once by one server.

    @ivar round: From 0; -1 is the warm-up.
    @ivar words: The words of each reply.
    @ivar used: What the server used, if its process is known.
    @ivar upstream: What the upstream used meanwhile.
    """

    subject: str
    work: str
    round: int
    words: int
    summary: Summary
    used: Used | None
    upstream: Used


class Idle(msgspec.Struct, frozen=True):
    """
    A server that nobody asks anything.

    @ivar memory: Its memory in the end.
    @ivar share: The share of one core that it used.
    """

    memory: Memory
    share: float


class Standing(msgspec.Struct, kw_only=True):
    """
    What is measured of a server besides the works.

    @ivar ready: Seconds from the start to the first C{200} of C{/readyz}, once for
        each start.
    @ivar idle: Before the first request.
    @ivar loaded: Its memory after the last.
    """

    ready: list[float] = []
    idle: Idle | None = None
    loaded: Memory | None = None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """
    Many slow streams at once on one server.

    @ivar streams: How many.
    @ivar summary: What they came to.
    @ivar before: The server's memory before the first.
    @ivar open: Its memory while all were open.
    @ivar share: The share of one core that the server used meanwhile.
    """

    streams: int
    summary: Summary
    before: Memory | None = None
    open: Memory | None = None
    share: float | None = None


class Capacity(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a number of workers can do, measured once.

    @ivar workers: How many.
    @ivar summary: What they were asked, as fast as they could answer.
    @ivar used: What they used.
    @ivar upstream: What the upstream used.
    @ivar cores: How many cores the workers had.
    @ivar shared: Whether these were also those of what measures.
    """

    workers: int
    summary: Summary
    used: Used
    upstream: Used
    cores: int
    shared: bool


__all__ = [
    "BURST",
    "CARRIED",
    "CORES",
    "EARLY",
    "FIRST",
    "FIXED",
    "HELD",
    "LATE",
    "MODES",
    "PACED",
    "PARALLEL",
    "PLAIN",
    "QUICK_HELD",
    "QUICK_PACED",
    "TURNS",
    "WORKS",
    "Capacity",
    "Held",
    "Idle",
    "Sample",
    "Standing",
    "Work",
]
