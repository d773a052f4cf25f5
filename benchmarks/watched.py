"""
The daemon as an operator runs it, and what it holds, seen from outside and from inside.
"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import msgspec
import yaml

PROC = Path("/proc")
PROJECT = Path(__file__).resolve().parent.parent
INSIDE = PROJECT / "benchmarks" / "inside"
READY_WITHIN = 60.0
STOPPED_WITHIN = 40.0
CENSUS_WITHIN = 20.0
PLACES = 48
"""
Runs at once: fewer than there are callers, so that some wait in the queue.
"""


class Trouble(Exception):
    """
    The daemon does not start, or no longer answers.
    """


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the daemon holds at one moment, when nobody asks anything of it.

    @ivar runs: How many runs there have been.
    @ivar rss: Resident memory, in KB.
    @ivar anonymous: What of that is no file's.
    @ivar pss: Resident memory, of which what is shared counts in part.
    @ivar descriptors: Open files and sockets.
    @ivar threads: Its threads.
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


def grown(before: Mapping[str, int], after: Mapping[str, int]) -> Counter[str]:
    """
    What there is more of.
    """
    return Counter(after) - Counter(before)


class Daemon:
    """
    The daemon, with an eye inside.

    @ivar host: Where it listens.
    @ivar port: Where it listens.
    @ivar token: The operator's.
    @ivar log: What it printed.
    @ivar pid: Its process.
    """

    def __init__(self, upstream: str, home: Path) -> None:
        """
        Start it.

        @param upstream: The base URL of the models.
        @param home: A private directory.

        @raise Trouble: It does not start.
        """
        self.host, self.port = "127.0.0.1", _freePort()
        self.token = secrets.token_hex(24)
        self.log = home / "output.log"
        self._census = home / "census.json"
        config = home / "openclaw.yaml"
        config.write_text(yaml.safe_dump(_configuration(self.token, upstream)))
        config.chmod(0o600)
        command = [
            *(str(Path(sys.executable).parent / "twistd"), "-n", "--pidfile="),
            *("openclaw", "--config", str(config)),
            *("--listen", f"tcp:{self.port}:interface={self.host}"),
        ]
        environment = {
            **os.environ,
            "OPENCLAW_STATE_DIR": str(home),
            "OPENCLAW_CENSUS": str(self._census),
            "PYTHONPATH": str(INSIDE),
        }
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.pid = self._process.pid
        self._awaitReady()

    def _awaitReady(self) -> None:
        until = time.monotonic() + READY_WITHIN
        while not self._isReady():
            if self._process.poll() is not None or time.monotonic() > until:
                self.stop()
                words = self.log.read_text(errors="replace")[-2000:]
                raise Trouble(f"the daemon does not start:\n{words}")
            time.sleep(0.05)

    def _isReady(self) -> bool:
        connection = HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        """
        End it.
        """
        self._process.terminate()
        try:
            self._process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def look(self, runs: int) -> Look:
        """
        What it holds now.

        @param runs: How many runs there have been.

        @raise Trouble: It does not answer.
        """
        # First, since the census needs memory of its own.
        sizes = self._sizes()
        proc = PROC / str(self.pid)
        descriptors = len(list((proc / "fd").iterdir()))
        threads = len(list((proc / "task").iterdir()))
        self._census.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR2)
        until = time.monotonic() + CENSUS_WITHIN
        while not self._census.exists():
            if time.monotonic() > until:
                raise Trouble("the daemon tells nothing of its inside")
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
        """
        The CPU time that its process has used so far.
        """
        stat = (PROC / str(self.pid) / "stat").read_text().rpartition(") ")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def _sizes(self) -> dict[str, int]:
        lines = (PROC / str(self.pid) / "smaps_rollup").read_text().splitlines()[1:]
        return {line.split(":")[0]: int(line.split()[1]) for line in lines}


def _freePort() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _configuration(token: str, upstream: str) -> dict[str, object]:
    return {
        "gateway": {
            "auth": {"mode": "token", "token": token},
            "http": {"endpoints": {"chatCompletions": {"enabled": True}}},
        },
        "models": {
            "providers": {
                # A silence ends soon.
                "mock": {"baseUrl": upstream, "apiKey": "x", "timeoutSeconds": 3}
            }
        },
        "agents": {
            "defaults": {"model": "mock/instant-16", "maxConcurrent": PLACES},
        },
    }


__all__ = ["PROJECT", "Daemon", "Look", "Trouble", "grown"]
