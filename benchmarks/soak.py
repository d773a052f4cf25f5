"""
The soak: thousands of runs, a third of them left by their callers, after which the
daemon must hold no more than before.

Run as C{python -m benchmarks.soak}; C{--quick} does a tenth of it.  It starts the
daemon as an operator does, beside the mock upstream, and looks into it from outside
(memory, descriptors, threads) and from inside (objects and timers by their kinds; see
C{inside/sitecustomize.py}).  The exit status is 1 if something grew, if an answer was
wrong, or if a traceback is in the log.
"""

import argparse
import asyncio
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from math import inf
from pathlib import Path
from random import Random
from statistics import linear_regression
from typing import Any

import msgspec

from benchmarks.callers import Callers, Unexpected
from benchmarks.processes import PROC, cpuOf, sizesOf
from benchmarks.servers import PROJECT, Started, mockUpstream, openclaw

INSIDE = PROJECT / "benchmarks" / "inside"
CENSUS_WITHIN = 20.0
SETTLED_AFTER = 33.0  # seconds until idle connections to the upstream are closed, too
PATIENCE = 90.0
CALLERS = 100
MAX_CONCURRENT = 48  # fewer than there are callers, so that some wait in the queue
# So many keyed runs beforehand: the daemon remembers the last thousand for a while, and
# that is no leak.  And so many with a session, which need threads: the pool shall have
# all that it will have.
FILLED = 1100
# The rounds with as many large bodies at once as there are callers, and the growth that
# is allowed since the first; more than six times as much goes through in each.
LARGE_ROUNDS = 4
GROWN_LARGE_KB = 20_480
# The growth of resident memory that fragments of the heap explain.
GROWN_KB = 4096
GROWN_KB_PER_THOUSAND = 64
# The growth allowed to the count of a kind of objects: at least, for each run, and for
# each thread, since a pool of them grows up to its bound when many ask at once.
GROWN_THINGS = 25
GROWN_SHARE = 0.005
THINGS_OF_THREAD = 40
# The growth allowed to kinds that are bounded by themselves.
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


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """
    The resources of the daemon at one moment, without a request in progress.
    """

    runs: int  # the number of runs so far
    rss: int  # resident memory, in KB
    anonymous: int  # the part of it that belongs to no file
    pss: int  # resident memory, of which shared pages count in part
    descriptors: int
    threads: int
    things: Mapping[str, int]  # the number of objects of each type
    timers: Mapping[str, int]  # the number of delayed calls of each function


class Daemon(Started):
    def __init__(self, upstream: str, home: Path) -> None:
        self._census = home / "census.json"
        inside = {"OPENCLAW_CENSUS": str(self._census), "PYTHONPATH": str(INSIDE)}
        super().__init__(openclaw(change=_change), upstream, home, environment=inside)

    def look(self, runs: int) -> Look:
        """
        Count the resources that it holds now.

        @raise TimeoutError: It does not answer.
        """
        # First, since the census needs memory of its own.
        sizes = sizesOf(self.process.pid, "smaps_rollup")
        proc = PROC / str(self.process.pid)
        descriptors = len(list((proc / "fd").iterdir()))
        threads = len(list((proc / "task").iterdir()))
        self._census.unlink(missing_ok=True)
        os.kill(self.process.pid, signal.SIGUSR2)
        until = time.monotonic() + CENSUS_WITHIN
        while not self._census.exists():
            if time.monotonic() > until:
                raise TimeoutError("the daemon does not count its objects")
            time.sleep(0.02)
        return Look(
            runs=runs,
            rss=sizes["Rss"],
            anonymous=sizes["Anonymous"],
            pss=sizes["Pss"],
            descriptors=descriptors,
            threads=threads,
            **msgspec.json.decode(self._census.read_bytes()),
        )


def _change(content: dict[str, Any]) -> None:
    content["agents"]["defaults"]["maxConcurrent"] = MAX_CONCURRENT
    # So that a silence ends soon.
    content["models"]["providers"]["mock"]["timeoutSeconds"] = 3


class Soak:
    """
    The runs, and their looks.

    @ivar looks: The first is taken after the warm-up, the last at the end.
    @ivar large: Those after the rounds with large bodies, which come last.
    @ivar kinds: The number of calls of each kind.
    @ivar unexpected: Wrong answers.
    @ivar seconds: The time of the runs, without the looks.
    @ivar cpuSeconds: The CPU time of the daemon for them.
    """

    def __init__(self, daemon: Daemon, seed: int) -> None:
        self._daemon = daemon
        token = daemon.subject.token
        assert token is not None
        self._dice = Random(seed)
        self._callers = Callers(daemon.port, token, self._dice)
        self.looks: list[Look] = []
        self.large: list[Look] = []
        self.kinds: Counter[str] = Counter()
        self.unexpected: Counter[str] = Counter()
        self.seconds = self.cpuSeconds = 0.0

    async def run(self, runs: int, rounds: int) -> None:
        await self.calls(["keyed"] * FILLED)
        await self.calls(["session"] * FILLED)
        await self.calls(self._drawn(max(runs // 20, 500)))
        await self._look(self.looks, SETTLED_AFTER)
        self.kinds.clear()
        self.looks = [msgspec.structs.replace(self.looks[0], runs=0)]
        for number in range(1, rounds + 1):
            begun, used = time.monotonic(), cpuOf(self._daemon.process.pid).total()
            await self.calls(self._drawn(runs // rounds))
            self.seconds += time.monotonic() - begun
            self.cpuSeconds += cpuOf(self._daemon.process.pid).total() - used
            await self._look(self.looks, SETTLED_AFTER if number == rounds else 4.0)
        for _ in range(LARGE_ROUNDS):
            await self.calls(["large body"] * CALLERS)
            await self._look(self.large, 4.0)

    async def _look(self, looks: list[Look], pause: float) -> None:
        await asyncio.sleep(pause)
        looks.append(self._daemon.look(self.kinds.total()))
        print(f"{looks[-1].runs} runs, {looks[-1].rss} KB", file=sys.stderr, flush=True)

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

    def faults(self) -> list[str]:
        faults = faultsOf(self.looks)
        # Free pieces of memory come and go; a leak never goes.
        more = min(look.rss for look in self.large[1:]) - self.large[0].rss
        if more > GROWN_LARGE_KB:
            faults.append(f"{more} KB more with large bodies")
        with self._daemon.log.open(errors="replace") as lines:
            faults += [
                f"in the log: {line.strip()[:200]}"
                for line in lines
                if TROUBLE.search(line)
            ]
        if self.unexpected:
            faults.append(f"{self.unexpected.total()} answers were not as expected")
        return faults

    def report(self) -> str:
        runs = self.looks[-1].runs
        slope = linear_regression(
            [look.runs for look in self.looks], [look.rss for look in self.looks]
        ).slope
        with self._daemon.log.open(errors="replace") as lines:
            found = filter(None, map(OUTCOME.search, lines))
            outcomes = Counter(
                each[1] + (", caller gone" if each[2] == "yes" else "")
                for each in found
            )
        return "\n".join(
            [
                "| runs | RSS, KB | without files | PSS, KB"
                " | descriptors | threads | timers | objects |",
                "|--:|--:|--:|--:|--:|--:|--:|--:|",
                *(
                    f"| {look.runs} | {look.rss} | {look.anonymous} | {look.pss}"
                    f" | {look.descriptors} | {look.threads}"
                    f" | {sum(look.timers.values())} | {sum(look.things.values())} |"
                    for look in (*self.looks, *self.large)
                ),
                "",
                f"{runs} runs in {self.seconds:.0f} s ({runs / self.seconds:.0f}/s),"
                f" {self.cpuSeconds:.0f} s of the daemon's CPU time;"
                f" {1000 * slope:+.0f} KB for a thousand runs.",
                "",
                f"Calls: {_listed(self.kinds)}",
                "",
                f"Outcomes, the warm-up included: {_listed(outcomes)}",
                *(f"Unexpected: {n} x {what}" for what, n in self.unexpected.items()),
            ]
        )


def faultsOf(looks: Sequence[Look]) -> list[str]:
    """
    Return the resources that grew from the first look to the last.
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


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description="Look for what the daemon leaks.")
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--quick", action="store_true", help="2,000 runs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a directory for the daemon's files")
    given = parser.parse_args()
    with ExitStack() as owned:
        home = given.keep or Path(owned.enter_context(tempfile.TemporaryDirectory()))
        upstream = Started(mockUpstream(), "", home / "upstream")
        owned.callback(upstream.stop)
        daemon = Daemon(upstream.subject.url, home)
        owned.callback(daemon.stop)
        soak = Soak(daemon, given.seed)
        asyncio.run(soak.run(2000 if given.quick else given.runs, given.rounds))
        faults = soak.faults()
        print(soak.report(), *(f"FAULT: {fault}" for fault in faults), sep="\n")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
