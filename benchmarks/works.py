"""
The works that every server is given, and what one server made of one of them.
"""

import msgspec

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
# All that the upstream is asked for.
MODES = tuple(
    dict.fromkeys(work.mode for work in (*WORKS, QUICK_PACED, HELD, QUICK_HELD, CORES))
)
