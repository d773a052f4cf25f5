"""
Measure how many idle connections the daemon bears, and what each of them costs.

C{python -m benchmarks.crowd [COUNT]} starts the daemon as an operator does, opens
10,000 connections by default, and measures the latency of another one among them.
"""

import os
import socket
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

from benchmarks.cpu import memoryOf
from benchmarks.machine import allowFiles
from benchmarks.recipes import openclaw
from benchmarks.subjects import Started

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
ROUNDS = 200
TOGETHER = 40


def ask(caller: socket.socket) -> float:
    """
    Ask for C{/healthz}.

    @return: The milliseconds that it took.
    """
    began = perf_counter()
    caller.sendall(HEALTH)
    caller.recv(65_536)
    return (perf_counter() - began) * 1000


def latency(port: int) -> float:
    """
    Return the median of many answers on one connection, in milliseconds.
    """
    with socket.create_connection(("127.0.0.1", port)) as caller:
        return median(ask(caller) for _ in range(ROUNDS))


def measure(count: int, pid: int, port: int) -> None:
    before, quick = memoryOf(pid).resident, latency(port)
    began = perf_counter()
    crowd = []
    with socket.create_connection(("127.0.0.1", port)) as caller:
        for number in range(count):
            crowd.append(socket.create_connection(("127.0.0.1", port)))
            if number % TOGETHER == 0:
                # Let the daemon keep up.
                ask(caller)
    among = latency(port)
    seconds = perf_counter() - began
    during = memoryOf(pid).resident
    files = len(os.listdir(f"/proc/{pid}/fd"))
    for each in crowd:
        each.close()
    sleep(2)
    print(f"connections {count}, in {seconds:.1f} s; files of the daemon {files}")
    print(f"memory {before:.1f} MB, then {during:.1f} MB: ", end="")
    print(f"{(during - before) * 1000 / count:.1f} KB each")
    print(f"memory when they are gone {memoryOf(pid).resident:.1f} MB")
    print(f"an answer alone {quick:.2f} ms, among them {among:.2f} ms")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    allowFiles()

    def change(content: dict[str, Any]) -> None:
        content["gateway"]["http"]["maxConnections"] = count + 100

    with tempfile.TemporaryDirectory() as home:
        daemon = Started(openclaw(change=change), "http://127.0.0.1:1/v1", Path(home))
        try:
            measure(count, daemon.process.pid, daemon.port)
        finally:
            daemon.stop()


if __name__ == "__main__":
    main()
