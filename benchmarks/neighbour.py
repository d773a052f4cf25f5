"""
Measure what a polite caller notices of a greedy one.

C{python -m benchmarks.neighbour} starts the daemon and the mock upstream, measures the
polite caller alone, and then beside each kind of greedy one.  Neither has a limit
configured; the polite one has a named token, the greedy one the shared secret.
"""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import quantiles
from time import perf_counter, sleep
from typing import Any

from benchmarks.recipes import openclaw
from benchmarks.subjects import PROJECT, Started, startUpstream

REQUESTS = 200
PATH = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
READ_BYTES = 64 * 1024 * 1024
Greedy = Callable[["Daemon", threading.Event], None]


class Daemon:
    """
    A daemon under test.
    """

    def __init__(self, started: Started, home: Path, silent: int) -> None:
        """
        @param silent: A port whose server accepts and never answers.
        """
        self.port = started.port
        self.silent = silent
        self.secret = started.subject.token
        made = subprocess.run(
            [sys.executable, "-m", "openclaw.cli.main", "token", "add", "polite"],
            env={**os.environ, "OPENCLAW_STATE_DIR": str(home)},
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
        self.token = made.stdout.strip()

    def head(self, length: int, extra: str = "", path: str = PATH) -> bytes:
        """
        Return the head of the greedy caller's request.
        """
        return (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {self.secret}\r\nContent-Length: {length}\r\n"
            f"{extra}\r\n"
        ).encode()

    def connect(self) -> socket.socket:
        """
        Open a connection.
        """
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def latencies(self, path: str) -> list[float]:
        """
        Ask as the polite caller, one request after the other.

        @return: Milliseconds; a refusal counts as a minute.
        """
        texts = {"input": "hi"}
        body = json.dumps(texts if path == EMBEDDINGS else _asked("instant-16"))
        headers = {"Authorization": f"Bearer {self.token}"}
        found = []
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for _ in range(REQUESTS):
            began = perf_counter()
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
            took = (perf_counter() - began) * 1000
            found.append(took if answer.status == 200 else 60_000.0)
            sleep(0.005)
        connection.close()
        return found


def _asked(model: str, text: Any = "hi", **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": f"openclaw/{model}", "messages": messages, **more}


def _repeat(daemon: Daemon, over: threading.Event, content: bytes, many: int) -> None:
    """
    Send the same request on many connections, again and again.
    """

    def send() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), daemon.connect() as connection:
                connection.sendall(content)
                connection.recv(65_536)

    for _ in range(many):
        threading.Thread(target=send, daemon=True).start()


def streams(daemon: Daemon, over: threading.Event) -> None:
    """
    Hold as many streams as can be had.
    """
    body = json.dumps(_asked("paced-64-20", stream=True)).encode()

    def hold() -> None:
        with contextlib.ExitStack() as kept:
            for _ in range(600):
                connection = kept.enter_context(daemon.connect())
                connection.sendall(daemon.head(len(body)) + body)
            over.wait()

    threading.Thread(target=hold, daemon=True).start()


def requests(daemon: Daemon, over: threading.Event) -> None:
    """
    Ask on 32 connections at once, all the time.
    """
    body = json.dumps(_asked("instant-16")).encode()
    _repeat(daemon, over, daemon.head(len(body), "Connection: close\r\n") + body, 32)


def uploads(daemon: Daemon, over: threading.Event) -> None:
    """
    Announce 64 bodies of 20 MB, and send them a kilobyte a second.
    """

    def trickle() -> None:
        with contextlib.suppress(OSError), daemon.connect() as connection:
            connection.sendall(daemon.head(20_000_000))
            while not over.wait(1):
                connection.sendall(b" " * 1100)

    for _ in range(64):
        threading.Thread(target=trickle, daemon=True).start()


def bodies(daemon: Daemon, over: threading.Event) -> None:
    """
    Send bodies of 4 MB on four connections, all the time.
    """
    body = json.dumps(_asked("instant-16", "word " * 800_000)).encode()
    _repeat(daemon, over, daemon.head(len(body), "Connection: close\r\n") + body, 4)


def detached(daemon: Daemon, over: threading.Event) -> None:
    """
    Begin runs that go on alone, and leave.
    """
    body = json.dumps(_asked("paced-64-20", stream=True)).encode()
    head = daemon.head(len(body), "x-openclaw-on-disconnect: continue\r\n")

    def begin() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), daemon.connect() as connection:
                connection.sendall(head + body)
                connection.recv(1000)
            sleep(0.002)

    for _ in range(8):
        threading.Thread(target=begin, daemon=True).start()


def images(daemon: Daemon, over: threading.Event) -> None:
    """
    Ask about 64 images whose server never answers.
    """
    url = f"http://127.0.0.1:{daemon.silent}/cat.png"
    parts = [{"type": "image_url", "image_url": {"url": url}}]
    body = json.dumps(_asked("instant-16", parts)).encode()
    _repeat(daemon, over, daemon.head(len(body), "Connection: close\r\n") + body, 64)


def reads(daemon: Daemon, over: threading.Event) -> None:
    """
    Have a large file read by 24 tool calls in each of 24 runs, all the time.
    """
    body = json.dumps(_asked("read-24")).encode()
    _repeat(daemon, over, daemon.head(len(body), "Connection: close\r\n") + body, 24)


def embeddings(daemon: Daemon, over: threading.Event) -> None:
    """
    Have texts embedded on 64 connections by a model that takes its time.
    """
    body = json.dumps({"input": "hi"}).encode()
    extra = "Connection: close\r\nx-openclaw-model: mock/vector-1000\r\n"
    _repeat(daemon, over, daemon.head(len(body), extra, EMBEDDINGS) + body, 64)


KINDS: dict[str, Greedy | None] = {
    "alone": None,
    "600 streams": streams,
    "32 requests at once": requests,
    "64 slow uploads": uploads,
    "bodies of 4 MB": bodies,
    "runs that go on alone": detached,
    "images that never come": images,
    "24 runs of 24 tool calls": reads,
    "alone, embeddings": None,
    "64 requests for embeddings": embeddings,
}


@contextlib.contextmanager
def daemonBeside(upstream: str, silent: int) -> Iterator[Daemon]:
    """
    Start a daemon.
    """

    def change(content: dict[str, Any]) -> None:
        endpoint = content["gateway"]["http"]["endpoints"]["chatCompletions"]
        endpoint["images"] = {"allowUrl": True}
        content["agents"]["defaults"]["maxConcurrent"] = 256
        content["agents"]["defaults"]["embeddingModel"] = "mock/vector-0"
        reader = {"workspace": workspace, "tools": {"profile": "coding"}}
        agent = {"id": "read-24", "model": "mock/read-24", **reader}
        content["agents"]["list"].append(agent)
        content["tools"] = {"web": {"fetch": {"allowPrivate": True, "ports": [silent]}}}

    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory() as workspace,
    ):
        home = Path(folder)
        (Path(workspace) / "large.txt").write_bytes(b"a line\n" * (READ_BYTES // 7))
        started = Started(openclaw(change=change), upstream, home)
        try:
            yield Daemon(started, home, silent)
        finally:
            started.stop()


def main() -> None:
    """
    Print a line for each kind of neighbour.
    """
    process, upstream = startUpstream(module="benchmarks.moody")
    silent = socket.create_server(("127.0.0.1", 0), backlog=1024)
    try:
        print("| the greedy caller | p50, ms | p99, ms |\n|---|---|---|")
        for name, greedy in KINDS.items():
            with daemonBeside(upstream, silent.getsockname()[1]) as daemon:
                over = threading.Event()
                path = EMBEDDINGS if "embeddings" in name else PATH
                if greedy is not None:
                    greedy(daemon, over)
                    sleep(1)
                found = quantiles(daemon.latencies(path), n=100)
                over.set()
                print(f"| {name} | {found[49]:.1f} | {found[98]:.1f} |", flush=True)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    main()
