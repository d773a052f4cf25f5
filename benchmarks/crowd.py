"""
How many idle connections the daemon bears, and what each of them costs.

C{python -m benchmarks.crowd [COUNT]}: starts the daemon as an operator does, connects
10,000 times by default, and asks for a completion's path among all of them.
"""

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

PORT_LINE = "Ready at http://127.0.0.1:"
ALIVE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
ROUNDS = 200
TOGETHER = 40


def resident(pid: int) -> float:
    """
    The memory of a process, in MB.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [each for each in status.splitlines() if each.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def latency(port: int) -> float:
    """
    How long an answer takes, in ms: the median of many on one connection.
    """
    took = []
    with socket.create_connection(("127.0.0.1", port)) as caller:
        for _ in range(ROUNDS):
            began = perf_counter()
            caller.sendall(ALIVE)
            caller.recv(65_536)
            took.append(perf_counter() - began)
    return median(took) * 1000


def measure(count: int, daemon: subprocess.Popen[str]) -> None:
    """
    Connect, and print what that does.
    """
    assert daemon.stdout is not None
    port = 0
    for line in daemon.stdout:
        if PORT_LINE in line:
            port = int(line.rpartition(":")[2].partition("/")[0])
            break
    before, quick = resident(daemon.pid), latency(port)
    began = perf_counter()
    crowd = []
    with socket.create_connection(("127.0.0.1", port)) as caller:
        for number in range(count):
            crowd.append(socket.create_connection(("127.0.0.1", port)))
            if number % TOGETHER == 0:
                # Let the daemon keep up.
                caller.sendall(ALIVE)
                caller.recv(65_536)
    among = latency(port)
    seconds = perf_counter() - began
    during = resident(daemon.pid)
    there = len(os.listdir(f"/proc/{daemon.pid}/fd"))
    for each in crowd:
        each.close()
    sleep(2)
    print(f"connections {count}, in {seconds:.1f} s; files of the daemon {there}")
    print(f"memory {before:.1f} MB, then {during:.1f} MB: ", end="")
    print(f"{(during - before) * 1024 / count:.1f} KB each")
    print(f"memory when they are gone {resident(daemon.pid):.1f} MB")
    print(f"an answer alone {quick:.2f} ms, among them {among:.2f} ms")


def main() -> None:
    """
    Start the daemon, measure, and stop it.
    """
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "openclaw.json")
        http = {
            "maxConnections": count + 100,
            "endpoints": {"chatCompletions": {"enabled": True}},
        }
        config.write_text(json.dumps({"gateway": {"port": 0, "http": http}}))
        command = [
            *(str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile="),
            *("openclaw", "--config", str(config)),
        ]
        daemon = subprocess.Popen(
            command,
            env={**os.environ, "OPENCLAW_STATE_DIR": folder},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            measure(count, daemon)
        finally:
            daemon.terminate()
            daemon.wait()


if __name__ == "__main__":
    main()
