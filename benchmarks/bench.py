"""
One run of the benchmarks: which server is given which work, and when.
"""

import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks.cpu import CPU, Used, cpuOf, descendants, memoryOf, usedBetween
from benchmarks.held import hold
from benchmarks.load import carryOut
from benchmarks.machine import (
    Cores,
    allowFiles,
    described,
    everyCore,
    oneCoreFor,
    startingOn,
    twoCoresFor,
    usable,
)
from benchmarks.plans import Plan
from benchmarks.recipes import nginxVersion, openclaw
from benchmarks.results import DIRECT, OURS, Held, Idle, Results, Sample, Standing
from benchmarks.subjects import NotStarted, Recipe, Started, Subject, startUpstream
from benchmarks.works import CORES, HELD, PACED, QUICK_PACED, WORKS, Work

# Seconds after a load in which a server may still be busy with it.
SETTLE = 0.02

# Seconds after a server is ready in which it may still be busy with its start.
CALM = 1.0

# The part of a round that is done once beforehand, and not counted.
WARM_UP = 0.2


class Scale(msgspec.Struct, frozen=True):
    """
    How long a run of the benchmarks takes.

    @ivar rounds: How often each work is given to each server.
    @ivar starts: How often each server is started.
    @ivar seconds: After this long a work asks for no more, whatever it has done.
    @ivar idle: How many seconds the servers are watched while nobody asks.
    @ivar streams: How many streams are held at once.
    @ivar quick: Whether each work is the smaller one.
    """

    rounds: int
    starts: int
    seconds: float
    idle: float
    streams: int
    quick: bool = False


@dataclass(kw_only=True)
class Bench:
    """
    One run of the benchmarks.

    @ivar scale: How long it takes.
    @ivar recipes: The servers to start.
    @ivar others: Servers that run already.
    @ivar works: The names of the works to give.
    @ivar free: Whether every part may use every core.
    @ivar home: A private directory.
    @ivar owned: What has to be stopped in the end.
    @ivar skipped: What is not measured, and why.
    """

    scale: Scale
    recipes: list[Recipe]
    others: list[Subject]
    works: list[str]
    free: bool
    home: Path
    owned: ExitStack
    skipped: dict[str, str]
    started: list[Started] = field(default_factory=list)
    standings: dict[str, Standing] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    held: dict[str, Held] = field(default_factory=dict)
    capacities: dict[int, list[Sample]] = field(default_factory=dict)
    shared: bool = False
    sessions: int = 0

    def run(self, upstreamPort: int) -> Results:
        """
        Start the servers, give them their works, and stop them.

        @param upstreamPort: Where the mock upstream shall listen; 0 is anywhere.

        @raise NotStarted: A server can't be started.
        @raise OSError: A server is not there, or not there any more.
        """
        secrets = [other.token for other in self.others if other.token]
        machine = {**described(secrets), "nginx": nginxVersion()}
        mostStreams = allowFiles()
        if mostStreams < self.scale.streams:
            self.skipped[f"more than {mostStreams} streams"] = "too few open files"
        self.streams = min(self.scale.streams, mostStreams)
        self.cores = (everyCore if self.free else oneCoreFor)(usable())
        process, self.url = startUpstream(upstreamPort, self.cores.upstream)
        self.owned.callback(process.wait)
        self.owned.callback(process.kill)
        self.upstreamPID = process.pid
        direct = Subject(name=DIRECT, url=self.url)
        subjects = [*self.start(), *self.others, direct]
        self.rest(subjects)
        with startingOn(self.cores.load):
            self.giveAll(subjects)
            self.holdAll(subjects)
        self.compareWorkers()
        return Results(
            machine=machine,
            quick=self.scale.quick,
            cores=self.cores,
            subjects=[msgspec.structs.replace(each, token=None) for each in subjects],
            samples=self.samples,
            standings=self.standings,
            held=self.held,
            capacities=self.capacities,
            shared=self.shared,
            skipped=self.skipped,
        )

    def start(self) -> list[Subject]:
        """
        Start our servers, each several times; the last of each stays.
        """
        for _ in range(self.scale.starts - 1):
            for recipe in self.recipes:
                self.startOne(recipe).stop()
        return [self.startOne(recipe).subject for recipe in self.recipes]

    def startOne(self, recipe: Recipe, cores: Cores | None = None) -> Started:
        """
        Start one server, and note how long it takes.
        """
        self.say(f"starting {recipe.name}")
        home = self.home / recipe.name.replace(" ", "-")
        server = (cores or self.cores).server
        try:
            started = Started(recipe, self.url, home, server)
        except NotStarted as failure:
            raise NotStarted(f"{recipe.name} did not start: {failure}") from failure
        self.owned.callback(started.stop)
        self.started.append(started)
        standing = self.standings.setdefault(recipe.name, Standing())
        standing.ready.append(round(started.readySeconds, 3))
        return started

    def rest(self, subjects: list[Subject]) -> None:
        """
        Watch all servers while nobody asks anything of them.
        """
        self.say("idle")
        known = {each.name: each.pid for each in subjects if each.pid is not None}
        time.sleep(CALM)
        before = {name: cpuOf(pid) for name, pid in known.items()}
        time.sleep(self.scale.idle)
        for name, pid in known.items():
            used = usedBetween(before[name], cpuOf(pid)).tree
            standing = self.standings.setdefault(name, Standing())
            standing.idle = Idle(memoryOf(pid), used / self.scale.idle)

    def giveAll(self, subjects: list[Subject]) -> None:
        """
        Give each work to each server in each round.
        """
        works = [
            QUICK_PACED if work is PACED and self.scale.quick else work
            for work in WORKS
            if work.name in self.works
        ]
        for index in range(-1, self.scale.rounds):
            for work in works:
                self.say(f"round {index + 1} of {self.scale.rounds}: {work.name}")
                # Not always in the same order, for what one leaves behind for the next.
                for subject in subjects if index % 2 else reversed(subjects):
                    if work.suits(subject):
                        self.give(work, subject, index)
        for subject in subjects:
            if subject.pid is not None:
                self.standings[subject.name].loaded = memoryOf(subject.pid)

    def give(self, work: Work, subject: Subject, index: int) -> None:
        """
        Have a server do a work, or a share of it, and keep the sample.

        @param index: The round; -1 is the warm-up.
        """
        requests = work.quick if self.scale.quick else work.requests
        if index < 0:
            requests = max(1, int(requests * WARM_UP))
        plan = work.plan(subject, requests, self.scale.seconds)
        if work.sessions:
            plan = self.prepared(plan, work, first=1 if index < 0 else work.turn)
        self.samples.append(self.sample(work, subject, plan, index))

    def sample(self, work: Work, subject: Subject, plan: Plan, index: int) -> Sample:
        """
        Carry a plan out, and note the CPU time that it took.
        """
        before = self.clocks(subject)
        load = carryOut(plan)
        time.sleep(SETTLE)
        used, upstream = self.usedSince(before, subject)
        return Sample(
            subject=subject.name,
            work=work.name,
            round=index,
            words=work.words,
            summary=load.summary(),
            used=used,
            upstream=upstream,
        )

    def prepared(self, plan: Plan, work: Work, first: int) -> Plan:
        """
        The same plan in sessions of its own, in which all was said that comes before
        a turn.
        """
        count = min(work.sessions, plan.requests)
        begun = self.sessions
        self.sessions += count
        # No earlier run can have had the same sessions.
        users = [f"bench-{time.time_ns()}-{begun + each}" for each in range(count)]
        plan = msgspec.structs.replace(plan, users=users)
        turns = count * (first - 1)
        if turns:
            early = msgspec.structs.replace(plan, requests=turns, seconds=600.0)
            summary = carryOut(early).summary()
            if summary.faults:
                raise OSError(f"a session can't be prepared: {summary.faults}")
        return plan

    def holdAll(self, subjects: list[Subject]) -> None:
        """
        Have each server hold many slow streams at once; ours are started anew for it,
        so that what they hold already is not used again for the streams.
        """
        if HELD.name not in self.works:
            return
        recipes = {recipe.name: recipe for recipe in self.recipes}
        for subject in subjects:
            self.say(f"{self.streams} streams: {subject.name}")
            if subject.name in recipes:
                started = self.startOne(recipes[subject.name])
                found = hold(started.subject, self.streams, self.scale.quick)
                started.stop()
            else:
                found = hold(subject, self.streams, self.scale.quick)
            self.held[subject.name] = found

    def compareWorkers(self) -> None:
        """
        Measure what two workers can do, beside one.
        """
        if CORES.name not in self.works or OURS not in self.standings:
            return
        cores = twoCoresFor(usable())
        one, two = openclaw(), openclaw(2)
        self.say("two workers")
        try:
            second = self.startOne(two, cores)
        except NotStarted as failure:
            self.skipped["cores"] = str(failure).strip().rpartition("\n")[2]
            return
        if not descendants(second.process.pid):
            self.skipped["cores"] = "this daemon starts no workers"
            second.stop()
            return
        first = self.startOne(one, cores)
        self.shared = not cores.pinned
        requests = CORES.quick if self.scale.quick else CORES.requests
        with startingOn(cores.load):
            for index in range(self.scale.rounds):
                for workers, started in ((1, first), (2, second)):
                    self.say(f"workers: {workers}")
                    subject = started.subject
                    plan = CORES.plan(subject, requests, self.scale.seconds)
                    taken = self.sample(CORES, subject, plan, index)
                    self.capacities.setdefault(workers, []).append(taken)
        first.stop()
        second.stop()

    def clocks(self, subject: Subject) -> tuple[CPU | None, CPU]:
        own = None if subject.pid is None else cpuOf(subject.pid)
        return own, cpuOf(self.upstreamPID)

    def usedSince(
        self, before: tuple[CPU | None, CPU], subject: Subject
    ) -> tuple[Used | None, Used]:
        own, upstream = self.clocks(subject)
        used = None
        if own is not None and before[0] is not None:
            used = usedBetween(before[0], own)
        return used, usedBetween(before[1], upstream)

    def say(self, what: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)

    def logs(self) -> str:
        return "\n".join(
            f"--- the end of the log of {each.subject.name}:\n{each.logTail()}"
            for each in self.started
            if each.process.poll() is None
        )
