"""
A run of the benchmarks: each server is given each work.
"""

import argparse
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import msgspec

from benchmarks import processes, servers, works
from benchmarks.load import Plan, carryOut
from benchmarks.results import DIRECT, OURS, Held, Results, Sample, Standing
from benchmarks.servers import NotStarted, Recipe, Started
from benchmarks.works import CORES, HELD, PACED, Subject, Work

SETTLE = 0.02  # seconds after a load in which a server may still be busy with it
CALM = 1.0  # seconds after its start in which it may still be busy with that
WARM_UP = 0.2  # the part of a round that is done once beforehand, and not counted
OPENED_WITHIN = 20.0  # seconds in which all held streams are begun
FEW = 1000  # so many are begun before the first of the short ones ends
ASIDE = 0.1  # left out at either end of the time with all streams open


class Scale(msgspec.Struct, frozen=True):
    """
    The length of a run of the benchmarks.
    """

    rounds: int  # the number of times that each work is given to each server
    starts: int  # the number of times that each server is started
    seconds: float  # the time after which a work asks for no more
    idle: float  # seconds for which the servers are watched without requests
    streams: int  # the number of streams that are held at once
    quick: bool = False


class Bench:
    """
    A run of the benchmarks.

    @ivar results: The results so far.
    """

    def __init__(self, given: argparse.Namespace, home: Path, owned: ExitStack) -> None:
        """
        @param given: The arguments of the command.
        @param home: A private directory.
        @param owned: Cleans up in the end.
        """
        self.given, self.home, self.owned = given, home, owned
        self.scale: Scale = given.scale
        self.started: list[Started] = []
        self.sessions = 0
        assign = processes.everyCore if given.free else processes.oneCoreFor
        self.cores = assign(processes.usable())
        self.results = Results(quick=self.scale.quick, cores=self.cores)
        if "nginx" in given.subject and servers.nginxProgram() is None:
            given.subject.remove("nginx")
            self.results.skipped["nginx"] = "it is not installed"
        self.recipes = {name: servers.RECIPES[name]() for name in given.subject}

    def run(self) -> None:
        """
        Start the servers, give them their works, and stop them.

        @raise NotStarted: A server can't be started.
        @raise OSError: A server is not there, or not there any more.
        """
        results, most = self.results, processes.allowFiles()
        if most < self.scale.streams:
            results.skipped[f"more than {most} streams"] = "too few open files"
        self.streams = min(self.scale.streams, most)
        home, port = self.home / "upstream", self.given.upstream_port
        mock, cores = servers.mockUpstream(), self.cores.upstream
        upstream = Started(mock, "", home, cores, port=port)
        self.owned.callback(upstream.stop)
        self.url, self.upstreamPID = upstream.subject.url, upstream.process.pid
        for _ in range(self.scale.starts - 1):
            for recipe in self.recipes.values():
                self.start(recipe).stop()
        subjects = [
            *(self.start(recipe).subject for recipe in self.recipes.values()),
            *self.given.against,
            Subject(name=DIRECT, url=self.url),
        ]
        self.rest(subjects)
        with processes.startingOn(self.cores.load):
            self.giveAll(subjects)
            if HELD.name in self.given.work:
                self.holdAll(subjects)
        if CORES.name in self.given.work and OURS in results.standings:
            self.compareWorkers()
        results.subjects += [
            msgspec.structs.replace(each, token=None) for each in subjects
        ]

    def start(self, recipe: Recipe, cores: processes.Cores | None = None) -> Started:
        self.say(f"starting {recipe.name}")
        home = self.home / recipe.name.replace(" ", "-")
        server = (cores or self.cores).server
        try:
            started = Started(recipe, self.url, home, server)
        except NotStarted as failure:
            raise NotStarted(f"{recipe.name} did not start: {failure}") from failure
        self.owned.callback(started.stop)
        self.started.append(started)
        standing = self.results.standings.setdefault(recipe.name, Standing())
        standing.ready.append(round(started.readySeconds, 3))
        return started

    def rest(self, subjects: list[Subject]) -> None:
        self.say("idle")
        known = {each.name: each.pid for each in subjects if each.pid is not None}
        time.sleep(CALM)
        before = {name: processes.cpuOf(pid) for name, pid in known.items()}
        time.sleep(self.scale.idle)
        for name, pid in known.items():
            used = processes.usedBetween(before[name], processes.cpuOf(pid)).tree
            standing = self.results.standings.setdefault(name, Standing())
            standing.idle = processes.memoryOf(pid)
            standing.idleShare = used / self.scale.idle

    def giveAll(self, subjects: list[Subject]) -> None:
        given = [
            works.QUICK_PACED if work is PACED and self.scale.quick else work
            for work in works.WORKS
            if work.name in self.given.work
        ]
        for index in range(-1, self.scale.rounds):
            for work in given:
                self.say(f"round {index + 1} of {self.scale.rounds}: {work.name}")
                # Not always in the same order, for what one leaves behind for the next.
                for subject in subjects if index % 2 else reversed(subjects):
                    if subject.sessions or not work.sessions:
                        self.give(work, subject, index)
        for subject in subjects:
            if subject.pid is not None:
                self.results.standings[subject.name].loaded = processes.memoryOf(
                    subject.pid
                )

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
        self.results.samples.append(self.sample(work, subject, plan, index))

    def sample(self, work: Work, subject: Subject, plan: Plan, index: int) -> Sample:
        own, upstream = self.clocks(subject)
        load = carryOut(plan)
        time.sleep(SETTLE)
        ownNow, upstreamNow = self.clocks(subject)
        return Sample(
            subject=subject.name,
            work=work.name,
            round=index,
            words=work.words,
            summary=load.summary(),
            used=processes.usedBetween(own, ownNow) if own and ownNow else None,
            upstream=processes.usedBetween(upstream, upstreamNow),
        )

    def clocks(self, subject: Subject) -> tuple[processes.CPU | None, processes.CPU]:
        own = None if subject.pid is None else processes.cpuOf(subject.pid)
        return own, processes.cpuOf(self.upstreamPID)

    def prepared(self, plan: Plan, work: Work, first: int) -> Plan:
        """
        Return the same plan in sessions of its own, after sending them all turns that
        come before the first.
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
        for subject in subjects:
            self.say(f"{self.streams} streams: {subject.name}")
            if subject.name in self.recipes:
                started = self.start(self.recipes[subject.name])
                found = hold(started.subject, self.streams, self.scale.quick)
                started.stop()
            else:
                found = hold(subject, self.streams, self.scale.quick)
            self.results.held[subject.name] = found

    def compareWorkers(self) -> None:
        cores = processes.twoCoresFor(processes.usable())
        self.say("two workers")
        first, second = (
            self.start(servers.openclaw(each), cores) for each in (None, 2)
        )
        self.results.shared = not cores.pinned
        requests = CORES.quick if self.scale.quick else CORES.requests
        with processes.startingOn(cores.load):
            for index in range(self.scale.rounds):
                for workers, started in ((1, first), (2, second)):
                    self.say(f"workers: {workers}")
                    subject = started.subject
                    plan = CORES.plan(subject, requests, self.scale.seconds)
                    taken = self.sample(CORES, subject, plan, index)
                    self.results.capacities.setdefault(workers, []).append(taken)
        first.stop()
        second.stop()

    def say(self, what: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)

    def logs(self) -> str:
        return "\n".join(
            f"--- the end of the log of {each.subject.name}:\n{each.logTail()}"
            for each in self.started
            if each.process.poll() is None
        )


def hold(subject: Subject, streams: int, quick: bool) -> Held:
    """
    Have a server hold many slow streams at once.

    @raise OSError: The server can't be reached.
    """
    work = works.QUICK_HELD if quick and streams <= FEW else HELD
    rate = max(work.rate or 0.0, streams / OPENED_WITHIN)
    work = msgspec.structs.replace(work, connections=streams, rate=rate)
    plan = work.plan(subject, streams, seconds=600.0)
    looks: list[tuple[float, processes.CPU, processes.Memory]] = []

    def look() -> None:
        if subject.pid is not None:
            memory = processes.memoryOf(subject.pid)
            looks.append((time.monotonic(), processes.cpuOf(subject.pid), memory))

    # So that what is imported with the first request is there already.
    carryOut(works.FIRST.plan(subject, 10, seconds=10.0))
    look()
    opened = plan.dueAt(plan.requests)
    firstEnds = (work.words - 1) * plan.interval()
    aside = (firstEnds - opened) * ASIDE
    summary = carryOut(plan, [opened + aside, firstEnds - aside], look).summary()
    if len(looks) < 3:  # Its process is not known, or it gave up early.
        return Held(streams=streams, summary=summary)
    (_, _, before), (begun, cpu, _), (ended, cpuNow, memory) = looks
    return Held(
        streams=streams,
        summary=summary,
        before=before,
        open=memory,
        share=processes.usedBetween(cpu, cpuNow).tree / (ended - begun),
    )
