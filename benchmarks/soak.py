"""
The soak: thousands of runs, a third of them left by their callers, after which the
daemon must hold no more than before.

Run as C{python -m benchmarks.soak}; C{--quick} does a tenth of it.  It starts the
daemon as an operator does, beside a mock upstream with moods, and looks into it from
outside (memory, descriptors, threads) and from inside (objects and timers by their
kinds; see C{inside/sitecustomize.py}).  The exit status is 1 if something grew, if a
caller got what they should not, or if a traceback is in the log.
"""

import argparse
import asyncio
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from math import inf
from pathlib import Path
from random import Random

import msgspec

from benchmarks.callers import Callers, Unexpected
from benchmarks.subjects import startUpstream
from benchmarks.watched import Daemon, Look

# Seconds until also the idle connections to the upstream are closed.
SETTLED_AFTER = 33.0

CALLERS = 100
# So many keyed runs beforehand: the daemon remembers the last thousand for a while, and
# that is no leak.  And so many with a session, which need threads: the pool shall have
# all that it will have.
FILLED = 1100

PATIENCE = 90.0

# How often there are as many large bodies at once as there are callers.
LARGE_ROUNDS = 4

# How much more there may be after each of these rounds than after the first; more than
# six times as much goes through in each.
GROWN_LARGE_KB = 20_480

GROWN_KB = 4096
# How much resident memory may grow: fragments of the heap, and no more.
GROWN_KB_PER_THOUSAND = 64

GROWN_THINGS = 25
# By how much the count of a kind of objects may differ, at least, and for each run.
GROWN_SHARE = 0.005

# How many objects of one kind a thread may have: a pool of them grows up to its bound
# when many ask at once.
THINGS_OF_THREAD = 40

# How many more there may be of kinds that are bounded by themselves: no leak is less.
BOUNDED: Mapping[str, float] = {
    # One with each new session, up to a bound in bytes.
    "openclaw.sessions.store.transcript_cache._Kept": inf,
    # sqlite3 forgets the cursors that are gone with every 200th new one.
    "weakref.ReferenceType to builtins.NoneType": 200,
    # Twisted forgets cancelled timers, each with two methods, when there are over 50.
    "twisted.internet.base.DelayedCall": 50,
    "builtins.method twisted.internet.base.ReactorBase._cancelCallLater": 50,
    "builtins.method twisted.internet.base.ReactorBase._moveCallLaterSooner": 50,
}

GROWN_THREADS = 20
GROWN_DESCRIPTORS = 2
GROWN_TIMERS = 5
OUTCOME = re.compile(r" outcome=(\S+) gone=(\S+) ")
TROUBLE = re.compile(r"Traceback|Unhandled|unexpectedly|\.\.\. \[critical")


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a soak came to.

    @ivar looks: The first is taken after the warm-up, the last at the end.
    @ivar large: After the rounds with large bodies that come last.
    @ivar kinds: How many calls there were of each kind.
    @ivar outcomes: How the runs ended, by their lines in the log.
    @ivar unexpected: What callers got that they should not have.
    @ivar seconds: How long the runs took, without the looks.
    @ivar cpuSeconds: What the daemon's process used for them.
    @ivar slope: By how much memory grew with a thousand runs, in KB.
    @ivar faults: What is wrong.
    """

    looks: Sequence[Look]
    large: Sequence[Look]
    kinds: Mapping[str, int]
    outcomes: Mapping[str, int]
    unexpected: Mapping[str, int]
    seconds: float
    cpuSeconds: float
    slope: float
    faults: Sequence[str]


class Soak:
    def __init__(self, daemon: Daemon, seed: int) -> None:
        self._daemon = daemon
        token = daemon.subject.token
        assert token is not None
        self._dice = Random(seed)
        self._callers = Callers("127.0.0.1", daemon.port, token, self._dice)
        self.kinds: Counter[str] = Counter()
        self.unexpected: Counter[str] = Counter()
        self.seconds = 0.0
        self.cpuSeconds = 0.0

    async def run(self, runs: int, rounds: int) -> list[Look]:
        """
        Warm up, and do the rounds.

        @return: What there was after each of them.
        """
        await self.calls(["keyed"] * FILLED)
        await self.calls(["session"] * FILLED)
        await self.calls(self._drawn(max(runs // 20, 500)))
        await asyncio.sleep(SETTLED_AFTER)
        looks = [self._daemon.look(0)]
        self.kinds.clear()
        for number in range(1, rounds + 1):
            begun, used = time.monotonic(), self._daemon.cpuSeconds()
            await self.calls(self._drawn(runs // rounds))
            self.seconds += time.monotonic() - begun
            self.cpuSeconds += self._daemon.cpuSeconds() - used
            await asyncio.sleep(SETTLED_AFTER if number == rounds else 4.0)
            looks.append(self._daemon.look(self.kinds.total()))
            _say(f"{self.kinds.total()} runs, {looks[-1].rss} KB")
        return looks

    async def runLarge(self, runs: int) -> list[Look]:
        """
        Do runs with large bodies.

        @return: What there was after each hundred of them.
        """
        looks = []
        for _ in range(LARGE_ROUNDS):
            await self.calls(["large body"] * CALLERS)
            await asyncio.sleep(4.0)
            runs += CALLERS
            looks.append(self._daemon.look(runs))
            _say(f"{runs} runs, the last with large bodies, {looks[-1].rss} KB")
        return looks

    def _drawn(self, amount: int) -> list[str]:
        kinds = self._callers.kinds
        shares = [share for share, _ in kinds.values()]
        return self._dice.choices(list(kinds), shares, k=amount)

    async def calls(self, kinds: Sequence[str]) -> None:
        left = iter(kinds)

        async def work() -> None:
            for kind in left:
                await self._call(kind)

        await asyncio.gather(*[work() for _ in range(CALLERS)])

    async def _call(self, kind: str) -> None:
        _, call = self._callers.kinds[kind]
        self.kinds[kind] += 1
        try:
            async with asyncio.timeout(PATIENCE):
                await call()
        except TimeoutError:
            self.unexpected[f"{kind}: no end"] += 1
        except (Unexpected, OSError, asyncio.IncompleteReadError, ValueError) as error:
            self.unexpected[f"{kind}: {error!r}"[:300]] += 1


def slopeOf(looks: Sequence[Look]) -> float:
    """
    By how many KB resident memory grows with a thousand runs (least squares).
    """
    meanRuns = sum(look.runs for look in looks) / len(looks)
    meanSize = sum(look.rss for look in looks) / len(looks)
    spread = sum((look.runs - meanRuns) ** 2 for look in looks)
    together = sum((look.runs - meanRuns) * (look.rss - meanSize) for look in looks)
    return 1000 * together / spread


def faultsOf(looks: Sequence[Look]) -> list[str]:
    """
    What the daemon holds at the end that it did not hold after the warm-up.
    """
    first, last = looks[0], looks[-1]
    faults = []
    room = GROWN_KB + GROWN_KB_PER_THOUSAND * last.runs / 1000
    if last.rss - first.rss > room:
        faults.append(f"memory grew by {last.rss - first.rss} KB")
    if last.descriptors - first.descriptors > GROWN_DESCRIPTORS:
        faults.append(f"{last.descriptors - first.descriptors} more descriptors")
    timers = Counter(last.timers) - Counter(first.timers)
    if timers.total() > GROWN_TIMERS:
        faults.append(f"more timers: {dict(timers)}")
    threads = max(0, last.threads - first.threads)
    if threads > GROWN_THREADS:
        faults.append(f"{threads} more threads")
    most = max(GROWN_THINGS, GROWN_SHARE * last.runs) + THINGS_OF_THREAD * threads
    faults += [
        f"{count} more of {name}"
        for name, count in (Counter(last.things) - Counter(first.things)).most_common()
        if count > most + BOUNDED.get(name, 0)
    ]
    return faults


def outcomesIn(log: Path) -> Counter[str]:
    """
    How runs ended, by the access lines.
    """
    found: Counter[str] = Counter()
    with log.open(errors="replace") as lines:
        for line in lines:
            match = OUTCOME.search(line)
            if match:
                found[match[1] + (", caller gone" if match[2] == "yes" else "")] += 1
    return found


def troublesIn(log: Path) -> list[str]:
    """
    The lines of the log that tell of our own failures.
    """
    with log.open(errors="replace") as lines:
        return [line.strip()[:200] for line in lines if TROUBLE.search(line)]


def report(result: Result) -> str:
    lines = [
        "| runs | RSS, KB | without files | PSS, KB"
        " | descriptors | threads | timers | objects |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {look.runs} | {look.rss} | {look.anonymous} | {look.pss}"
        f" | {look.descriptors} | {look.threads} | {sum(look.timers.values())}"
        f" | {sum(look.things.values())} |"
        for look in (*result.looks, *result.large)
    ]
    runs = result.looks[-1].runs
    lines += [
        "",
        f"{runs} runs in {result.seconds:.0f} s ({runs / result.seconds:.0f}/s),"
        f" {result.cpuSeconds:.0f} s of the daemon's CPU time;"
        f" {result.slope:+.0f} KB for a thousand runs.",
        "",
        "Calls: " + _listed(result.kinds),
        "",
        "Outcomes, the warm-up included: " + _listed(result.outcomes),
        "",
        *(f"Unexpected: {count} x {what}" for what, count in result.unexpected.items()),
        *(f"FAULT: {fault}" for fault in result.faults),
    ]
    return "\n".join(lines).rstrip()


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


async def _both(soak: Soak, runs: int, rounds: int) -> tuple[list[Look], list[Look]]:
    looks = await soak.run(runs, rounds)
    return looks, await soak.runLarge(looks[-1].runs)


def soaked(runs: int, rounds: int, seed: int, keep: Path | None = None) -> Result:
    """
    Do it all.

    @param keep: Where the daemon's files shall stay; by default they don't.

    @raise NotStarted: The daemon does not start.
    @raise Unresponsive: It no longer answers.
    """
    with ExitStack() as owned:
        home = keep or Path(owned.enter_context(tempfile.TemporaryDirectory()))
        process, upstream = startUpstream(module="benchmarks.moody")
        owned.callback(process.wait)
        owned.callback(process.terminate)
        daemon = Daemon(upstream, home)
        owned.callback(daemon.stop)
        soak = Soak(daemon, seed)
        looks, large = asyncio.run(_both(soak, runs, rounds))
        log = daemon.log
        faults = faultsOf(looks)
        # What is free but in pieces comes and goes; what leaks never goes.
        more = min(look.rss for look in large[1:]) - large[0].rss
        if more > GROWN_LARGE_KB:
            faults.append(f"{more} KB more with large bodies")
        faults += [f"in the log: {line}" for line in troublesIn(log)]
        if soak.unexpected:
            faults.append(f"{soak.unexpected.total()} answers were not as expected")
        return Result(
            looks=looks,
            large=large,
            kinds=soak.kinds,
            outcomes=outcomesIn(log),
            unexpected=soak.unexpected,
            seconds=soak.seconds,
            cpuSeconds=soak.cpuSeconds,
            slope=slopeOf(looks),
            faults=faults,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Look for what the daemon leaks.")
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--quick", action="store_true", help="2,000 runs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="a file for all figures")
    parser.add_argument("--keep", type=Path, help="a directory for the daemon's files")
    given = parser.parse_args()
    runs = 2000 if given.quick else given.runs
    result = soaked(runs, given.rounds, given.seed, given.keep)
    if given.json is not None:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    print(report(result))
    sys.exit(1 if result.faults else 0)


if __name__ == "__main__":
    main()
