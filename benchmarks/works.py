"""
The servers that are measured, and the works that they are given.
"""

from collections.abc import Mapping

import msgspec

from benchmarks.load import Plan
from benchmarks.replies import modeOf


class Subject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    A server that is running.

    @ivar model: The model to ask for in all other modes; C{{mode}} stands for the
        mode's name.
    @ivar pid: The process to charge with all that descends from it, or C{None}.
    @ivar foreign: Whether it was not started here.  Then its streams may bring several
        words in one chunk, and its wrong replies are shown, but are no flaw.
    """

    name: str
    url: str = ""  # its base URL, with the /v1
    token: str | None = None
    models: Mapping[str, str] = {}  # for each mode, the model to ask for
    model: str = "{mode}"
    pid: int | None = None
    sessions: bool = False  # whether it remembers the messages of a user
    foreign: bool = False


def subjectFrom(text: str) -> Subject:
    """
    Parse C{NAME=URL,token=TOKEN,pid=PID,sessions=yes,model=MODEL,MODE=MODEL}, of which
    all after the URL may be left out.

    @raise ValueError: It is not so.
    """
    name, _, rest = text.partition("=")
    url, *pairs = rest.split(",")
    given: dict[str, object] = dict(pair.partition("=")[::2] for pair in pairs)
    if not (name and url.startswith("http://")):
        raise ValueError("wanted is NAME=http://…/v1")
    models = {key: given.pop(key) for key in list(given) if modeOf(key)}
    given["sessions"] = given.get("sessions") == "yes"
    given |= {"name": name, "url": url.rstrip("/"), "models": models, "foreign": True}
    return msgspec.convert(given, Subject, strict=False)


class Work(msgspec.Struct, frozen=True):
    """
    A kind of load.

    @ivar turn: The turn of its session that the first request of a round is.  The
        earlier ones are sent beforehand, and not measured.
    """

    name: str
    mode: str  # the mode in which the upstream answers
    requests: int  # the number of requests in one round
    quick: int  # the same in a quick run
    stream: bool = False
    connections: int = 1  # see Plan; never more than there are requests
    rate: float | None = None
    sessions: int = 0  # the number of sessions to ask in; 0 is without
    turn: int = 1
    history: int = 0

    def plan(self, subject: Subject, requests: int, seconds: float) -> Plan:
        model = subject.models.get(self.mode) or subject.model
        return Plan(
            url=subject.url,
            token=subject.token,
            model=model.replace("{mode}", self.mode),
            mode=self.mode,
            stream=self.stream,
            coalesced=subject.foreign,
            connections=min(self.connections, requests),
            requests=requests,
            seconds=seconds,
            rate=self.rate,
            history=self.history,
        )

    @property
    def words(self) -> int:
        mode = modeOf(self.mode)
        assert mode is not None
        return mode.words


TURNS = 500

PLAIN = Work("plain", "instant-16", 800, 150)
PARALLEL = Work("parallel", "instant-16", 1000, 250, connections=8)
FIXED = Work("fixed", "instant-16", 600, 200, connections=64, rate=199.0)
EARLY = Work("early", "instant-16", 100, 40, sessions=100, turn=5)
LATE = Work("late", "instant-16", 50, 25, sessions=1, turn=TURNS)
CARRIED = Work("carried", "instant-16", 200, 40, history=TURNS - 1)
BURST = Work("burst", "burst-200", 150, 40, stream=True)
FIRST = Work("first", "paced-4-2", 150, 60, stream=True)
# A higher rate would measure a queue, and 200 would beat with the 20 ms.
PACED = Work("paced", "paced-250-20", 200, 200, True, connections=200, rate=197.0)
QUICK_PACED = msgspec.structs.replace(PACED, mode="paced-64-20")
WORKS = (PLAIN, PARALLEL, FIXED, EARLY, LATE, CARRIED, BURST, FIRST, PACED)

HELD = Work("held", "paced-32-1000", 5000, 500, True, connections=5000, rate=250.0)
QUICK_HELD = msgspec.structs.replace(HELD, mode="paced-6-1000")
# With few connections, chance gives one worker many more of them than the other.
CORES = Work("cores", "instant-16", 5000, 1000, connections=256)
# All that the upstream is asked for.
MODES = tuple(
    dict.fromkeys(work.mode for work in (*WORKS, QUICK_PACED, HELD, QUICK_HELD, CORES))
)
