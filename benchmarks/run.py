"""
The benchmarks: the daemon beside a bare relay, and beside any other server.

Run as C{python -m benchmarks.run}; C{make bench} does so.  All servers run at the same
time, but only one of them ever has work: each round gives each work to each server in
turn, so that what disturbs the machine disturbs all of them alike.
"""

import argparse
import asyncio
import os
import platform
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks.cpu import cpuOf, memoryOf
from benchmarks.load import carryOut
from benchmarks.report import DIRECT, Results, flaws, notes, table
from benchmarks.subjects import (
    NotStarted,
    Recipe,
    Started,
    Subject,
    openclaw,
    relay,
    startUpstream,
)
from benchmarks.works import WORKS, Sample, Standing, Work

RECIPES = {"openclaw": openclaw, "relay": relay}
SETTLE = 0.02
"""
Seconds after a load in which a server may still be busy with it.
"""

IDLE_AFTER = 1.0
WARM_UP = 0.2
"""
The part of a round that is done once beforehand, and not counted.
"""


class Scale(msgspec.Struct, frozen=True):
    """
    How long a run of the benchmarks takes.

    @ivar rounds: How often each work is given to each server.
    @ivar starts: How often each server is started.
    @ivar seconds: How long a work may take at most, whatever it has done by then.
    """

    rounds: int
    starts: int
    seconds: float


USUAL = Scale(rounds=5, starts=3, seconds=2.0)
QUICK = Scale(rounds=2, starts=1, seconds=1.0)


class Benchmarks:
    """
    One run of the benchmarks.

    @ivar given: The command's arguments.
    @ivar owned: What has to be stopped and removed in the end.
    """

    def __init__(self, given: argparse.Namespace, owned: ExitStack) -> None:
        self.given = given
        self.owned = owned
        self.scale = QUICK if given.quick else USUAL
        self.works = [work for work in WORKS if work.name in given.work]
        self.machine = machine(given.token)
        self.started: list[Started] = []
        self.standings: dict[str, Standing] = {}
        self.samples: list[Sample] = []

    def run(self) -> Results:
        """
        Start the servers, give them their works, and stop them.

        @raise NotStarted: A server can't be started.
        @raise OSError: A server is not there, or not there any more.
        """
        upstream, url = startUpstream(self.given.upstream_port)
        self.owned.callback(upstream.wait)
        self.owned.callback(upstream.kill)
        self.upstreamPID = upstream.pid
        subjects = [*self.start(url), *self.foreign(), Subject(name=DIRECT, url=url)]
        for subject in subjects:
            for work in self.works:
                self.give(work, subject, -1, WARM_UP)
        for index in range(self.given.rounds or self.scale.rounds):
            for work in self.works:
                # Not always in the same order, for what one leaves behind for the next.
                for subject in subjects if index % 2 else reversed(subjects):
                    self.give(work, subject, index)
        for subject in subjects:
            if subject.pid is not None:
                self.standings[subject.name].loaded = memoryOf(subject.pid)
        return Results(
            machine=self.machine,
            subjects=[msgspec.structs.replace(each, token=None) for each in subjects],
            samples=self.samples,
            standings=self.standings,
        )

    def start(self, upstream: str) -> list[Subject]:
        """
        Start our own servers, each several times; the last of each stays.

        @param upstream: The upstream's base URL.
        """
        home = Path(self.owned.enter_context(tempfile.TemporaryDirectory()))
        recipes = [RECIPES[name]() for name in self.given.subject]
        for recipe in recipes:
            self.standings[recipe.name] = Standing()
        for _ in range(self.scale.starts - 1):
            for recipe in recipes:
                self.startOne(recipe, upstream, home).stop()
        subjects = []
        for recipe in recipes:
            started = self.startOne(recipe, upstream, home)
            self.owned.callback(started.stop)
            self.started.append(started)
            time.sleep(IDLE_AFTER)
            self.standings[recipe.name].idle = memoryOf(started.process.pid)
            subjects.append(started.subject)
        return subjects

    def startOne(self, recipe: Recipe, upstream: str, home: Path) -> Started:
        """
        Start one server, and note how long it takes.
        """
        try:
            started = Started(recipe, upstream, home / recipe.name)
        except NotStarted as failure:
            raise NotStarted(f"{recipe.name} did not start: {failure}") from failure
        self.standings[recipe.name].ready.append(round(started.readySeconds, 3))
        return started

    def foreign(self) -> list[Subject]:
        """
        The server that the command names, if it does.
        """
        given = self.given
        if given.url is None:
            return []
        standing = Standing()
        if given.pid is not None:
            standing.idle = memoryOf(given.pid)
        self.standings[given.name] = standing
        return [
            Subject(
                name=given.name,
                url=given.url.rstrip("/"),
                token=given.token,
                models=dict(pair.split("=", 1) for pair in given.model),
                pid=given.pid,
                coalesced=True,
                guarded=False,
            )
        ]

    def give(
        self, work: Work, subject: Subject, index: int, share: float = 1.0
    ) -> None:
        """
        Have a server do a work, or a share of it, and keep the sample.

        @param index: The round; -1 is the warm-up.
        """
        requests = work.quick if self.given.quick else work.requests
        plan = work.plan(subject, max(1, int(requests * share)), self.scale.seconds)
        upstream = cpuOf(self.upstreamPID)
        before = None if subject.pid is None else cpuOf(subject.pid)
        summary = asyncio.run(carryOut(plan))
        time.sleep(SETTLE)
        after = None if subject.pid is None else cpuOf(subject.pid)
        sample = Sample(
            subject=subject.name,
            work=work.name,
            round=index,
            summary=summary,
            cpu=None if before is None or after is None else after - before,
            upstream=cpuOf(self.upstreamPID) - upstream,
        )
        self.samples.append(sample)

    def logs(self) -> str:
        """
        The ends of what our servers have printed.
        """
        return "\n".join(
            f"--- the end of the log of {each.subject.name}:\n{each.logTail()}"
            for each in self.started
        )


def machine(secret: str | None) -> dict[str, str]:
    """
    What this runs on.

    @param secret: A word of the command that is not to be told.
    """
    words = ["TOKEN" if word == secret else word for word in sys.argv[1:]]
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Python": platform.python_version(),
        "cores": str(os.cpu_count()),
        "CPU": _cpuModel(),
        "load": f"{os.getloadavg()[0]:.1f}",
        "command": shlex.join(["python", "-m", "benchmarks.run", *words]),
    }


def _cpuModel() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """
    The command's arguments.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description="Measure what a request costs.  Takes about 90 seconds.",
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="about 20 seconds, and less exact")
    add("--json", type=Path, metavar="FILE", help="write every sample there, too")
    add("--rounds", type=int, help="how often to give each work to each server")
    works = [work.name for work in WORKS]
    add("--work", action="append", choices=works, help="only this work (repeatable)")
    add(
        "--subject",
        action="append",
        choices=[*RECIPES, "none"],
        help="start only this server of ours (repeatable)",
    )
    other = parser.add_argument_group("another server, which must run already")
    add = other.add_argument
    add("--url", help="its base URL, with the /v1")
    add("--pid", type=int, help="its process, to charge the CPU to")
    add("--token", help="the bearer token that it wants")
    add("--name", default="other", help="what to call it")
    add(
        "--model",
        action="append",
        default=[],
        metavar="MODE=MODEL",
        help="the model to ask it for when the upstream is to answer in that mode",
    )
    add("--upstream-port", type=int, default=0, help="where the mock shall listen")
    given = parser.parse_args(words)
    given.work = given.work or works
    given.subject = given.subject or list(RECIPES)
    given.subject = [name for name in given.subject if name != "none"]
    return given


def main() -> None:
    """
    The command.  The exit status is 1 if there is a flaw in the results.
    """
    given = arguments()
    # So that what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as owned:
        benchmarks = Benchmarks(given, owned)
        try:
            results = benchmarks.run()
        except (NotStarted, OSError) as failure:
            sys.exit(f"benchmarks: {failure}\n{benchmarks.logs()}")
        found = flaws(results)
        if found:
            print(benchmarks.logs(), file=sys.stderr)
    print(table(results), notes(results), sep="\n\n")
    if given.json:
        report = {"flaws": found, **msgspec.to_builtins(results)}
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    if found:
        print("\nTHESE FIGURES ARE WORTH NOTHING:", *found, sep="\n  ", file=sys.stderr)
        sys.exit(1)


__all__ = ["Benchmarks", "arguments", "main"]

if __name__ == "__main__":
    main()
