"""
Measure what a polite caller notices of a greedy one.

C{python -m benchmarks.neighbour} starts the daemon and the mock upstream, measures the
polite caller alone, and then beside each kind of greedy one.  Neither has a limit
configured; the polite one has a named token, the greedy one the shared secret.
"""

import argparse
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

from benchmarks.servers import PROJECT, Started, mockUpstream, openclaw

REQUESTS = 200
PATH = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
READ_BYTES = 64 * 1024 * 1024
Greedy = Callable[["Daemon", threading.Event], None]


class Daemon:
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

    def request(self, body: object, extra: str = "", path: str = PATH) -> bytes:
        """
        Return a request of the greedy caller.

        @param body: JSON, or the length of a body that is sent later.
        """
        content = b"" if isinstance(body, int) else json.dumps(body).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
            f"Authorization: Bearer {self.secret}\r\n"
            f"Content-Length: {body if isinstance(body, int) else len(content)}\r\n"
            f"{extra}\r\n"
        )
        return head.encode() + content

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def latencies(self, path: str, requests: int) -> list[float]:
        """
        Ask as the polite caller, one request after the other.

        @return: Milliseconds; a refusal counts as a minute.
        """
        texts = {"input": "hi"}
        body = json.dumps(texts if path == EMBEDDINGS else _asked("instant-16"))
        headers = {"Authorization": f"Bearer {self.token}"}
        found = []
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for _ in range(requests):
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


def _inThreads(many: int, work: Callable[[], None]) -> None:
    for _ in range(many):
        threading.Thread(target=work, daemon=True).start()


def _repeated(
    many: int,
    body: Callable[[Daemon], object],
    extra: str = "",
    path: str = PATH,
    pause: float = 0,
) -> Greedy:
    """
    Send the same request on many connections, again and again, and leave with the first
    bytes of the answer.
    """

    def greedy(daemon: Daemon, over: threading.Event) -> None:
        head = f"Connection: close\r\n{extra}"
        content = daemon.request(body(daemon), head, path)

        def send() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError), daemon.connect() as connection:
                    connection.sendall(content)
                    connection.recv(65_536)
                if pause:
                    sleep(pause)

        _inThreads(many, send)

    return greedy


def streams(daemon: Daemon, over: threading.Event) -> None:
    content = daemon.request(_asked("paced-64-20", stream=True))

    def hold() -> None:
        with contextlib.ExitStack() as kept:
            for _ in range(600):
                kept.enter_context(daemon.connect()).sendall(content)
            over.wait()

    _inThreads(1, hold)


def uploads(daemon: Daemon, over: threading.Event) -> None:
    # 64 bodies of 20 MB are announced, and a kilobyte of each is sent in a second.
    def trickle() -> None:
        with contextlib.suppress(OSError), daemon.connect() as connection:
            connection.sendall(daemon.request(20_000_000))
            while not over.wait(1):
                connection.sendall(b" " * 1100)

    _inThreads(64, trickle)


def _image(daemon: Daemon) -> object:
    url = f"http://127.0.0.1:{daemon.silent}/cat.png"
    return _asked("instant-16", [{"type": "image_url", "image_url": {"url": url}}])


KINDS: dict[str, Greedy | None] = {
    "alone": None,
    "600 streams": streams,
    "32 requests at once": _repeated(32, lambda _: _asked("instant-16")),
    "64 slow uploads": uploads,
    "bodies of 4 MB": _repeated(4, lambda _: _asked("instant-16", "word " * 800_000)),
    "runs that go on alone": _repeated(
        8,
        lambda _: _asked("paced-64-20", stream=True),
        "x-openclaw-on-disconnect: continue\r\n",
        pause=0.002,
    ),
    "images that never come": _repeated(64, _image),
    # Each reads a large file.
    "24 runs of 24 tool calls": _repeated(24, lambda _: _asked("read-24")),
    "alone, embeddings": None,
    "64 requests for embeddings": _repeated(
        64,
        lambda _: {"input": "hi"},
        "x-openclaw-model: mock/vector-1000\r\n",
        EMBEDDINGS,
    ),
}


@contextlib.contextmanager
def daemonBeside(upstream: str, silent: int) -> Iterator[Daemon]:
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
    parser = argparse.ArgumentParser(description="Measure beside greedy callers.")
    parser.add_argument("--quick", action="store_true", help="20 requests each")
    requests = 20 if parser.parse_args().quick else REQUESTS
    with contextlib.ExitStack() as owned:
        home = Path(owned.enter_context(tempfile.TemporaryDirectory()))
        mock = Started(mockUpstream(), "", home)
        owned.callback(mock.stop)
        silent = socket.create_server(("127.0.0.1", 0), backlog=1024)
        print("| the greedy caller | p50, ms | p99, ms |\n|---|---|---|")
        for name, greedy in KINDS.items():
            with daemonBeside(mock.subject.url, silent.getsockname()[1]) as daemon:
                over = threading.Event()
                path = EMBEDDINGS if "embeddings" in name else PATH
                if greedy is not None:
                    greedy(daemon, over)
                    sleep(1)
                found = quantiles(daemon.latencies(path, requests), n=100)
                over.set()
                print(f"| {name} | {found[49]:.1f} | {found[98]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
