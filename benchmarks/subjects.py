"""
What is measured: a server that answers chat completions, and how ours are started.
"""

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
import yaml

PROJECT = Path(__file__).resolve().parent.parent
READY_WITHIN = 30.0
STOPPED_WITHIN = 15.0
POLL_INTERVAL = 0.005
LOG_TAIL = 2000


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """
    A server that is running.

    @ivar name: What the report calls it.
    @ivar url: Its base URL, with the C{/v1}.
    @ivar token: The bearer token it wants, if any.
    @ivar models: For each mode, the model to ask for; by default the mode's own name.
    @ivar pid: The process to charge, or C{None} for none.
    @ivar coalesced: Whether its streams may bring several words in one chunk.
    @ivar guarded: Whether the figures are worth nothing when the upstream costs more.
    """

    name: str
    url: str
    token: str | None = None
    models: Mapping[str, str] = {}
    pid: int | None = None
    coalesced: bool = False
    guarded: bool = True


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """
    How to start a server.

    @ivar command: Makes the command from the port to listen on, the upstream's base
        URL, and a private directory.
    @ivar token: See L{Subject.token}.
    @ivar models: See L{Subject.models}.
    """

    name: str
    command: Callable[[int, str, Path], Sequence[str]]
    token: str | None = None
    models: Mapping[str, str] = {}


class NotStarted(Exception):
    """
    A server ended, or was not ready in time.  The message has the end of its log.
    """


class Started:
    """
    A server that was started here, and is ready.

    @ivar subject: The server.
    @ivar readySeconds: From its start to the first C{200} of C{/healthz}.
    """

    def __init__(self, recipe: Recipe, upstream: str, home: Path) -> None:
        """
        @param upstream: The base URL of the upstream, with the C{/v1}.
        @param home: A private directory; a server that was here before left its
            state in it.

        @raise NotStarted: It did not become ready.
        """
        home.mkdir(mode=0o700, exist_ok=True)
        port = freePort()
        command = recipe.command(port, upstream, home)
        self.log = home / "output.log"
        begun = time.monotonic()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env={**os.environ, "OPENCLAW_STATE_DIR": str(home)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._await(port, "/healthz")
            self.readySeconds = time.monotonic() - begun
            self._await(port, "/readyz")
        except BaseException:
            self.stop()
            raise
        self.subject = Subject(
            name=recipe.name,
            url=f"http://127.0.0.1:{port}/v1",
            token=recipe.token,
            models=recipe.models,
            pid=self.process.pid,
        )

    def _await(self, port: int, path: str) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while statusOf(port, path) != 200:
            if self.process.poll() is not None:
                raise NotStarted(f"it ended:\n{self.logTail()}")
            if time.monotonic() > deadline:
                raise NotStarted(f"{path} gave no 200:\n{self.logTail()}")
            time.sleep(POLL_INTERVAL)

    def logTail(self) -> str:
        """
        The end of what it printed.
        """
        return self.log.read_text(errors="replace")[-LOG_TAIL:]

    def stop(self) -> None:
        """
        End the process, and whatever it has started that is still there.
        """
        self.process.terminate()
        try:
            self.process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def freePort() -> int:
    """
    A port that nobody listens on at this moment.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def statusOf(port: int, path: str) -> int | None:
    """
    The status that a C{GET} has, or C{None} when nobody answers.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def relay() -> Recipe:
    """
    The bare relay of Klein and treq.
    """

    def command(port: int, upstream: str, home: Path) -> list[str]:
        module = [sys.executable, "-m", "benchmarks.relay"]
        return [*module, "--port", str(port), "--upstream", upstream]

    return Recipe(name="relay", command=command)


def openclaw() -> Recipe:
    """
    The daemon as an operator runs it, with an agent for each mode.
    """
    token = secrets.token_hex(24)

    def command(port: int, upstream: str, home: Path) -> list[str]:
        config = home / "openclaw.yaml"
        config.write_text(yaml.safe_dump(configuration(token, upstream)))
        config.chmod(0o600)
        twistd = Path(sys.executable).parent / "twistd"
        options = ["--config", str(config)]
        listen = ["--listen", f"tcp:{port}:interface=127.0.0.1"]
        return [str(twistd), "-n", "--pidfile=", "openclaw", *options, *listen]

    models = {
        "instant-16": "openclaw",
        "burst-200": "openclaw/burst",
        "paced-64-20": "openclaw/paced",
    }
    return Recipe(name="openclaw", command=command, token=token, models=models)


def configuration(token: str, upstream: str) -> dict[str, object]:
    """
    The daemon's configuration.
    """
    return {
        "gateway": {
            "auth": {"mode": "token", "token": token},
            "http": {"endpoints": {"chatCompletions": {"enabled": True}}},
        },
        "models": {"providers": {"mock": {"baseUrl": upstream, "apiKey": "x"}}},
        "agents": {
            # As many as any of the works has streams at once.
            "defaults": {"model": "mock/instant-16", "maxConcurrent": 512},
            "list": [
                {"id": "main", "default": True},
                {"id": "burst", "model": "mock/burst-200"},
                {"id": "paced", "model": "mock/paced-64-20"},
            ],
        },
    }


def startUpstream(port: int) -> tuple[subprocess.Popen[bytes], str]:
    """
    Start the mock upstream.

    @param port: Where it shall listen; 0 is any free port.

    @return: The process, and the base URL with the C{/v1}.

    @raise NotStarted: It ended at once; it has said why on the standard error.
    """
    module = [sys.executable, "-m", "benchmarks.upstream"]
    process = subprocess.Popen(
        [*module, "--port", str(port)],
        cwd=PROJECT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        process.wait()
        raise NotStarted("the mock upstream did not start")
    return process, f"http://127.0.0.1:{json.loads(line)['port']}/v1"


__all__ = [
    "NotStarted",
    "Recipe",
    "Started",
    "Subject",
    "openclaw",
    "relay",
    "startUpstream",
]
