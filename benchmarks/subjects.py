"""
What is measured: a server that answers chat completions, and how one is started.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.machine import startingOn, usable
from benchmarks.replies import modeOf

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
    @ivar models: For each mode, the model to ask for.
    @ivar model: The model to ask for in all other modes; C{{mode}} stands for the
        mode's name.
    @ivar pid: The process to charge with all that descends from it, or C{None}.
    @ivar sessions: Whether it remembers what a C{user} has said.
    @ivar foreign: Whether it was not started here.  Then its streams may bring several
        words in one chunk, and what it gets wrong is told, but is no flaw.
    """

    name: str
    url: str = ""
    token: str | None = None
    models: Mapping[str, str] = {}
    model: str = "{mode}"
    pid: int | None = None
    sessions: bool = False
    foreign: bool = False

    def modelFor(self, mode: str) -> str:
        return self.models.get(mode) or self.model.replace("{mode}", mode)


def subjectFrom(text: str) -> Subject:
    """
    The server that a word of the command describes:
    C{NAME=URL,token=TOKEN,pid=PID,sessions=yes,model=MODEL,MODE=MODEL}, of which all
    after the URL may be left out.

    @raise ValueError: It is not so.
    """
    name, _, rest = text.partition("=")
    url, *pairs = rest.split(",")
    given = dict(pair.partition("=")[::2] for pair in pairs)
    if not (name and url.startswith("http://")):
        raise ValueError("wanted is NAME=http://…/v1")
    subject = Subject(
        name=name,
        url=url.rstrip("/"),
        token=given.pop("token", None),
        pid=int(given.pop("pid")) if "pid" in given else None,
        model=given.pop("model", "{mode}"),
        sessions=given.pop("sessions", "no") == "yes",
        foreign=True,
    )
    unknown = [key for key in given if modeOf(key) is None]
    if unknown:
        raise ValueError(f"{unknown[0]} is neither a mode nor a word that is known")
    return msgspec.structs.replace(subject, models=given)


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """
    How to start a server.

    @ivar subject: The server as it will be, but for its URL and process.
    @ivar command: Makes the command from the port to listen on, the upstream's base
        URL, and a private directory.
    """

    subject: Subject
    command: Callable[[int, str, Path], Sequence[str]]

    @property
    def name(self) -> str:
        return self.subject.name


class NotStarted(Exception):
    """
    A server ended, or was not ready in time.  The message has the end of its log.
    """


class Started:
    """
    A server that was started here, and is ready.

    @ivar subject: The server.
    @ivar readySeconds: From its start to the first C{200} of C{/readyz}.
    """

    def __init__(
        self,
        recipe: Recipe,
        upstream: str,
        home: Path,
        cores: Sequence[int] | None = None,
        environment: Mapping[str, str] = {},
    ) -> None:
        """
        @param upstream: The base URL of the upstream, with the C{/v1}.
        @param home: A private directory; a server that was here before left its
            state in it.
        @param cores: The cores that it may use; by default all.
        @param environment: Variables that it gets beside ours.

        @raise NotStarted: It did not become ready.
        """
        self.stopped = False
        home.mkdir(mode=0o700, exist_ok=True)
        self.port = freePort()
        command = recipe.command(self.port, upstream, home)
        self.log = home / "output.log"
        begun = time.monotonic()
        with self.log.open("wb") as log, startingOn(cores or usable()):
            self.process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env={**os.environ, "OPENCLAW_STATE_DIR": str(home), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self._awaitReady()
        except BaseException:
            self.stop()
            raise
        self.readySeconds = time.monotonic() - begun
        self.subject = msgspec.structs.replace(
            recipe.subject,
            url=f"http://127.0.0.1:{self.port}/v1",
            pid=self.process.pid,
        )

    def _awaitReady(self) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while not isReady(self.port):
            if self.process.poll() is not None:
                raise NotStarted(f"it ended:\n{self.logTail()}")
            if time.monotonic() > deadline:
                raise NotStarted(f"/readyz gave no 200:\n{self.logTail()}")
            time.sleep(POLL_INTERVAL)

    def logTail(self) -> str:
        return self.log.read_text(errors="replace")[-LOG_TAIL:]

    def stop(self) -> None:
        """
        End the process, and whatever it has started that is still there.
        """
        if self.stopped:
            return
        self.stopped = True
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
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def isReady(port: int) -> bool:
    """
    Return whether a server answers C{GET /readyz} with 200.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def configuration(
    token: str,
    upstream: str,
    modes: Sequence[str] = ("instant-16",),
    streams: int = 512,
) -> dict[str, Any]:
    """
    The configuration of a daemon whose only provider is the mock upstream.

    @param modes: For each of these there is an agent of that name.
    @param streams: How many runs there may be at once.
    """
    return {
        "gateway": {
            "auth": {"mode": "token", "token": token},
            "http": {"endpoints": {"chatCompletions": {"enabled": True}}},
        },
        "models": {"providers": {"mock": {"baseUrl": upstream, "apiKey": "x"}}},
        "agents": {
            "defaults": {"model": f"mock/{modes[0]}", "maxConcurrent": streams},
            "list": [{"id": mode, "model": f"mock/{mode}"} for mode in modes],
        },
    }


def startUpstream(
    port: int = 0,
    cores: Sequence[int] | None = None,
    module: str = "benchmarks.upstream",
) -> tuple[subprocess.Popen[bytes], str]:
    """
    Start the mock upstream.

    @param port: Where it shall listen; 0 is any free port.
    @param cores: The cores that it may use; by default all.

    @return: The process, and the base URL with the C{/v1}.

    @raise NotStarted: It ended at once; it has said why on the standard error.
    """
    listening = ["--port", str(port)] if port else []
    with startingOn(cores or usable()):
        process = subprocess.Popen(
            [sys.executable, "-m", module, *listening],
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
