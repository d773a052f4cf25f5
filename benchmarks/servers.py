"""
The servers that are measured: the daemon, the two relays that it is compared with, and
others that run already.
"""

import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from benchmarks.processes import startingOn, usable
from benchmarks.works import MODES, Subject

PROJECT = Path(__file__).resolve().parent.parent
READY_WITHIN = 30.0
STOPPED_WITHIN = 15.0
POLL_INTERVAL = 0.005
LOG_TAIL = 2000
MOST_STREAMS = 20_000

NGINX = """\
daemon off;
{user}
worker_processes 1;
worker_rlimit_nofile {files};
pid {home}/nginx.pid;
error_log stderr;
events {{ worker_connections {files}; }}
http {{
  access_log off;
  client_body_buffer_size 1m;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/a; uwsgi_temp_path {home}/b; scgi_temp_path {home}/c;
  keepalive_requests 1000000;
  upstream mock {{ server {upstream}; keepalive 8192; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=2048;
    location = /readyz {{ return 200; }}
    location / {{
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 300s;
    }}
  }}
}}
"""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """
    The way to start a server.

    @ivar command: Makes the command from the port, the upstream's base URL, and a
        private directory.
    """

    subject: Subject  # the server as it will be, but for its URL and process
    command: Callable[[int, str, Path], Sequence[str]]

    @property
    def name(self) -> str:
        return self.subject.name


def _module(name: str, module: str, *options: str) -> Recipe:
    def command(port: int, upstream: str, home: Path) -> list[str]:
        filled = [each.format(port=port, upstream=upstream) for each in options]
        return [sys.executable, "-m", module, *filled]

    return Recipe(subject=Subject(name=name), command=command)


def mockUpstream() -> Recipe:
    return _module("the mock upstream", "benchmarks.upstream", "--port={port}")


def relay() -> Recipe:
    options = ("--port={port}", "--upstream={upstream}")
    return _module("relay", "benchmarks.relay", *options)


def nginxProgram() -> str | None:
    # /usr/sbin is not on every user's path.
    path = os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin:/usr/local/sbin"
    return shutil.which("nginx", path=path)


def nginx() -> Recipe:
    def command(port: int, upstream: str, home: Path) -> list[str]:
        config = home / "nginx.conf"
        text = NGINX.format(
            home=home,
            port=port,
            upstream=upstream.removeprefix("http://").removesuffix("/v1"),
            files=MOST_STREAMS,
            # Else its worker could not use its own directories.
            user="user root;" if os.geteuid() == 0 else "",
        )
        config.write_text(text)
        program = str(nginxProgram())
        return [program, "-p", str(home), "-e", "stderr", "-c", str(config)]

    return Recipe(subject=Subject(name="nginx"), command=command)


def openclaw(
    workers: int | None = None, change: Callable[[dict[str, Any]], None] | None = None
) -> Recipe:
    """
    Return the daemon as an operator runs it, with an agent for each mode.

    @param workers: The number of workers; C{None} does not configure it.
    @param change: Changes the configuration before it is written.
    """
    token = secrets.token_hex(24)

    def command(port: int, upstream: str, home: Path) -> list[str]:
        content = configuration(token, upstream)
        if workers is not None:
            content["gateway"]["workers"] = workers
        if change is not None:
            change(content)
        config = home / "openclaw.yaml"
        config.write_text(yaml.safe_dump(content))
        config.chmod(0o600)
        return [
            *[str(Path(sys.executable).parent / "twistd"), "-n", "--pidfile="],
            *["openclaw", "--config", str(config)],
            *["--listen", f"tcp:{port}:interface=127.0.0.1"],
        ]

    name = "openclaw" if workers is None else f"openclaw with {workers} workers"
    model = "openclaw/{mode}"
    subject = Subject(name=name, token=token, model=model, sessions=True)
    return Recipe(subject=subject, command=command)


def configuration(token: str, upstream: str) -> dict[str, Any]:
    """
    Return the configuration of a daemon whose only provider is the mock upstream, with
    an agent for each mode.
    """
    return {
        "gateway": {
            "auth": {"mode": "token", "token": token},
            "http": {"endpoints": {"chatCompletions": {"enabled": True}}},
        },
        "models": {"providers": {"mock": {"baseUrl": upstream, "apiKey": "x"}}},
        "agents": {
            "defaults": {"model": f"mock/{MODES[0]}", "maxConcurrent": MOST_STREAMS},
            "list": [{"id": mode, "model": f"mock/{mode}"} for mode in MODES],
        },
    }


RECIPES = {"openclaw": openclaw, "relay": relay, "nginx": nginx}


class NotStarted(Exception):
    """
    A server ended, or was not ready in time.  The message has the end of its log.
    """


class Started:
    """
    A server that was started here, and is ready: C{readySeconds} after its start
    C{/readyz} was answered with 200.
    """

    def __init__(
        self,
        recipe: Recipe,
        upstream: str,
        home: Path,
        cores: Sequence[int] | None = None,
        environment: Mapping[str, str] = {},
        port: int = 0,
    ) -> None:
        """
        @param upstream: The base URL of the upstream, with the C{/v1}.
        @param home: A private directory, maybe with state of an earlier server.
        @param cores: The cores that it may use; by default all.
        @param environment: Variables that it gets beside ours.
        @param port: Its port; by default any free one.

        @raise NotStarted: It did not become ready.
        """
        self.stopped = False
        home.mkdir(mode=0o700, exist_ok=True)
        self.port = port or freePort()
        self.log = home / "output.log"
        command = recipe.command(self.port, upstream, home)
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
            self._awaitReady(begun + READY_WITHIN)
        except BaseException:
            self.stop()
            raise
        self.readySeconds = time.monotonic() - begun
        self.subject = msgspec.structs.replace(
            recipe.subject,
            url=f"http://127.0.0.1:{self.port}/v1",
            pid=self.process.pid,
        )

    def _awaitReady(self, deadline: float) -> None:
        while not isReady(self.port):
            if self.process.poll() is not None:
                raise NotStarted(f"it ended:\n{self.logTail()}")
            if time.monotonic() > deadline:
                raise NotStarted(f"/readyz gave no 200:\n{self.logTail()}")
            time.sleep(POLL_INTERVAL)

    def logTail(self) -> str:
        return self.log.read_text(errors="replace")[-LOG_TAIL:]

    def stop(self) -> None:
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
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
