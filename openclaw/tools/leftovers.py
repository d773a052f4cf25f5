"""
Killing what a command has left behind after it has killed its reaper.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from threading import Event

MARK = "OPENCLAW_EXEC_ID"
"""
The environment variable by which the processes of a command are found.
"""

ROUNDS = 50
ROUND_SECONDS = 0.01
"""
Limits of the search: a process may start others meanwhile.
"""


def killMarked(mark: str, stop: Event) -> None:
    """
    Kill all processes with a mark in their environment.  Blocks.
    """
    for _ in range(ROUNDS):
        found = list(_findMarked(f"{MARK}={mark}".encode()))
        if not found or stop.is_set():
            return
        for pid in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(ROUND_SECONDS)


def _findMarked(entry: bytes) -> Iterator[int]:
    try:
        names = os.listdir("/proc")
    except OSError:
        return
    for name in names:
        if name.isdecimal() and int(name) != os.getpid():
            with suppress(OSError), open(f"/proc/{name}/environ", "rb") as file:
                if entry in file.read().split(b"\0"):
                    yield int(name)
