"""
How the servers that are always measured are started: the daemon, and the two relays
that it is compared with.
"""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from benchmarks.subjects import Recipe, Subject, configuration
from benchmarks.works import MODES

MOST_STREAMS = 20_000
TWISTD = Path(sys.executable).parent / "twistd"

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
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  keepalive_requests 1000000;
  upstream mock {{
    server {upstream};
    keepalive 8192;
    keepalive_requests 1000000;
  }}
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


def relay() -> Recipe:
    """
    The bare relay of Klein and treq.
    """

    def command(port: int, upstream: str, home: Path) -> list[str]:
        module = [sys.executable, "-m", "benchmarks.relay"]
        return [*module, "--port", str(port), "--upstream", upstream]

    return Recipe(subject=Subject(name="relay"), command=command)


def nginx() -> Recipe:
    """
    The bare relay of nginx, with one worker.
    """
    program = nginxProgram()

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
        prefix = ["-p", str(home), "-e", "stderr"]
        return [str(program), *prefix, "-c", str(config)]

    return Recipe(subject=Subject(name="nginx"), command=command)


def nginxProgram() -> str | None:
    # /usr/sbin is not on every user's path.
    path = os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin:/usr/local/sbin"
    return shutil.which("nginx", path=path)


def nginxVersion() -> str:
    program = nginxProgram()
    if program is None:
        return "not installed"
    told = subprocess.run(
        [program, "-v"], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    return told.stderr.strip().rpartition("/")[2]


def openclaw(
    workers: int | None = None, change: Callable[[dict[str, Any]], None] | None = None
) -> Recipe:
    """
    Return the daemon as an operator runs it, with an agent for each mode.

    @param workers: How many workers; C{None} does not configure it.
    @param change: Changes the configuration before it is written.
    """
    token = secrets.token_hex(24)

    def command(port: int, upstream: str, home: Path) -> list[str]:
        content = configuration(token, upstream, MODES, MOST_STREAMS)
        if workers is not None:
            content["gateway"]["workers"] = workers
        if change is not None:
            change(content)
        config = home / "openclaw.yaml"
        config.write_text(yaml.safe_dump(content))
        config.chmod(0o600)
        return [
            *[str(TWISTD), "-n", "--pidfile=", "openclaw", "--config", str(config)],
            *["--listen", f"tcp:{port}:interface=127.0.0.1"],
        ]

    name = "openclaw" if workers is None else f"openclaw with {workers} workers"
    model = "openclaw/{mode}"
    subject = Subject(name=name, token=token, model=model, sessions=True)
    return Recipe(subject=subject, command=command)
