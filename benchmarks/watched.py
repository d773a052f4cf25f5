"""
The daemon of a soak: seen from outside (memory, descriptors, threads) and from inside
(objects and timers).
"""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.cpu import PROC, cpuOf, sizesOf
from benchmarks.recipes import openclaw
from benchmarks.subjects import PROJECT, Started

INSIDE = PROJECT / "benchmarks" / "inside"
CENSUS_WITHIN = 20.0
# Runs at once: fewer than there are callers, so that some wait in the queue.
MAX_CONCURRENT = 48


class Unresponsive(Exception):
    """
    The daemon no longer answers.
    """


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """
    The resources that the daemon holds at one moment, without a request in progress.

    @ivar runs: How many runs there have been.
    @ivar rss: Resident memory, in KB.
    @ivar anonymous: The part of it that belongs to no file.
    @ivar pss: Resident memory, of which shared pages count in part.
    @ivar descriptors: Open files and sockets.
    @ivar things: How many objects there are of each type.
    @ivar timers: How many delayed calls there are of each function.
    """

    runs: int
    rss: int
    anonymous: int
    pss: int
    descriptors: int
    threads: int
    things: Mapping[str, int]
    timers: Mapping[str, int]


class Daemon(Started):
    """
    The daemon, with a module inside that counts its objects.
    """

    def __init__(self, upstream: str, home: Path) -> None:
        """
        Start it.

        @param upstream: The base URL of the models.
        @param home: A private directory.

        @raise NotStarted: It does not start.
        """
        self._census = home / "census.json"
        inside = {"OPENCLAW_CENSUS": str(self._census), "PYTHONPATH": str(INSIDE)}
        super().__init__(openclaw(change=_change), upstream, home, environment=inside)

    def look(self, runs: int) -> Look:
        """
        Count the resources that it holds now.

        @param runs: How many runs there have been.

        @raise Unresponsive: It does not answer.
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
                raise Unresponsive("the daemon does not count its objects")
            time.sleep(0.02)
        inside = msgspec.json.decode(self._census.read_bytes())
        return Look(
            runs=runs,
            rss=sizes["Rss"],
            anonymous=sizes["Anonymous"],
            pss=sizes["Pss"],
            descriptors=descriptors,
            threads=threads,
            things=inside["things"],
            timers=inside["timers"],
        )

    def cpuSeconds(self) -> float:
        used = cpuOf(self.process.pid)
        return sum(used.clocks.values()) + used.ended


def _change(content: dict[str, Any]) -> None:
    content["agents"]["defaults"]["maxConcurrent"] = MAX_CONCURRENT
    # So that a silence ends soon.
    content["models"]["providers"]["mock"]["timeoutSeconds"] = 3
