"""
What the benchmarks run on: who may use which core, how many files, and what to tell
of the machine.
"""

import os
import platform
import resource
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import msgspec

DISTRIBUTIONS = ("openclaw-twisted", "Twisted", "klein", "treq", "msgspec")
SPARE_FILES = 200


class Cores(msgspec.Struct, frozen=True):
    """
    Which cores each part may use.

    @ivar server: Of a server that is measured.
    @ivar upstream: Of the mock upstream.
    @ivar load: Of the load generator.
    """

    server: Sequence[int]
    upstream: Sequence[int]
    load: Sequence[int]

    @property
    def pinned(self) -> bool:
        """
        Has what is measured a core that no part of the measuring uses?
        """
        return not {*self.server} & {*self.upstream, *self.load}

    @property
    def testers(self) -> int:
        """
        How many cores the upstream and the load generator have.
        """
        return len({*self.upstream, *self.load})


def oneCoreFor(available: Sequence[int]) -> Cores:
    """
    A core for the server, and others for what measures it, as far as they go.
    """
    if len(available) < 2:
        return everyCore(available)
    server, *others = available
    return Cores([server], [others[0]], [others[1 if len(others) > 1 else 0]])


def twoCoresFor(available: Sequence[int]) -> Cores:
    """
    Two cores for the server, if that leaves one each for the upstream and the load.
    """
    if len(available) < 4:
        return everyCore(available)
    return Cores(available[:2], [available[2]], [available[3]])


def everyCore(available: Sequence[int]) -> Cores:
    return Cores(available, available, available)


def usable() -> list[int]:
    return sorted(os.sched_getaffinity(0))


@contextmanager
def startingOn(cores: Sequence[int]) -> Iterator[None]:
    """
    What is started in this context may use these cores only.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allowFiles() -> int:
    """
    Allow as many open files as the machine lets this process have, and those that
    it starts.

    @return: How many streams a server can relay with them: each has two.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = 1_048_576
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return (hard - SPARE_FILES) // 2


def described(secrets: Sequence[str]) -> dict[str, str]:
    """
    What this runs on, and when.

    @param secrets: Words of the command that are not to be told.
    """
    words = sys.argv[1:]
    for secret in secrets:
        words = [word.replace(secret, "TOKEN") for word in words]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": shlex.join(["python", "-m", "benchmarks.run", *words]),
        "CPU": f"{_cpuModel()}, {len(usable())} cores",
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        **{name: _version(name) for name in DISTRIBUTIONS},
        "commit": _commit(),
    }


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "unknown"


def _commit() -> str:
    """
    Which commit of the daemon is measured, and whether its files were changed since.
    """
    spec = find_spec("openclaw")
    if spec is None or spec.origin is None:
        return "unknown"
    git = ["git", "-C", str(Path(spec.origin).parent)]
    try:
        commit = subprocess.check_output(
            [*git, "rev-parse", "--short", "HEAD"],
            stderr=subprocess.DEVNULL,
            text=True,
        )
        changed = subprocess.check_output(
            [*git, "status", "--porcelain", "--untracked-files=no", "."],
            stderr=subprocess.DEVNULL,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.strip() + (", changed since" if changed else "")


def _cpuModel() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return platform.machine()
