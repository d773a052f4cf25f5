"""
The daemon behind a real nginx and a real HAProxy, which share their connections among
all clients.
"""

import json
import re
from pathlib import Path
from shutil import rmtree, which
from tempfile import mkdtemp
from typing import Any, ClassVar

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from tests.integration.daemon_case import TOKEN, DaemonTestCase
from tests.integration.http_caller import COMPLETIONS, Connection, asking

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream openclaw {{ server {address}; keepalive 1; }}
    server {{
        listen unix:{socket};
        location / {{
            proxy_pass http://openclaw;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host localhost;
            proxy_buffering off;
        }}
    }}
}}
"""
HAPROXY = """
global
    maxconn 100
defaults
    mode http
    # In a backend alone it has no effect.
    option abortonclose
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    http-reuse always
frontend openclaw
    bind unix@{socket}
    default_backend openclaw
backend openclaw
    http-request set-header Host localhost
    server gateway {address}
"""


class ProxyContract:
    """
    The contract of any proxy.

    @cvar command: Starts it with a configuration file.
    """

    command: ClassVar[list[str]] = []
    configuration: ClassVar[str] = ""

    async def startProxy(self) -> None:
        """
        Start a daemon, and the proxy in front of it.
        """
        if which(self.command[0]) is None:
            raise SkipTest(f"{self.command[0]} is not installed")
        self.daemon = await self.startDaemon()
        # The path of a socket is limited to about a hundred characters.
        folder = mkdtemp()
        self.addCleanup(rmtree, folder)
        self.socket = f"{folder}/http.sock"
        path = self.folder / "proxy.conf"
        path.write_text(
            self.configuration.format(
                folder=self.folder,
                socket=self.socket,
                address=self.daemon.url.removeprefix("http://"),
            )
        )
        self.proxy = self.start(*self.command, str(path))
        await self.open()

    async def open(self) -> Connection:
        """
        Open a connection to the proxy, once it listens.
        """
        endpoint = UNIXClientEndpoint(reactor, self.socket)
        while True:
            if Path(self.socket).exists():
                try:
                    found = await endpoint.connect(Factory.forProtocol(Connection))
                except ConnectError:
                    pass
                else:
                    self.addCleanup(found.close)
                    return found
            self.assertIsNone(self.proxy.status, self.proxy.text)
            await deferLater(reactor, 0.02)

    async def send(self, method: str, path: str, **fields: Any) -> Connection:
        """
        Send a request on a new connection.
        """
        connection = await self.open()
        # Runs with a key are recorded, so that their events can be requested.
        key = "stream" if fields.get("stream") else "whole"
        body = json.dumps(fields) if fields else ""
        lines = [
            f"{method} {path} HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {TOKEN}",
            f"Idempotency-Key: {key}",
            f"Content-Length: {len(body)}",
            "Connection: close",
        ]
        connection.transport.write("\r\n".join([*lines, "", body]).encode())
        return connection

    async def answer(self, method: str, path: str, **fields: Any) -> str:
        """
        Return the complete response to a request.
        """
        connection = await self.send(method, path, **fields)
        await connection.lost
        return connection.received

    async def test_head(self) -> None:
        """
        A response to HEAD has no body, so that the next client on the connection gets
        its own response.
        """
        await self.startProxy()
        called = self.upstream.nextCall()
        stream = await self.send("POST", COMPLETIONS, **asking("hi", stream=True))
        call = await called
        call.say("One")
        head = (await stream.until("One")).lower()
        run = re.search(r"x-openclaw-run-id: (\S+)", head)[1]
        for path in (f"/v1/runs/{run}/events", "/v1/models", "/nothing", "/metrics"):
            head = await self.answer("HEAD", path)
            self.assertTrue(head.endswith("\r\n\r\n"), head)
            next = await self.send("GET", "/healthz")
            # The daemon has both requests before anything could leak.
            await deferLater(reactor, 0.1)
            call.say("Secret words")
            await next.lost
            after = next.received
            self.assertRegex(after, r"\AHTTP/1.1 200 [\s\S]*\"live\"")
            self.assertNotIn("Secret words", after)

    async def test_left(self) -> None:
        """
        When a client disconnects, streaming or not, its run is cancelled.
        """
        await self.startProxy()
        for stream in (True, False):
            called = self.upstream.nextCall()
            fields = asking("hi", stream=stream)
            connection = await self.send("POST", COMPLETIONS, **fields)
            call = await called
            if stream:
                call.say("One")
                await connection.until("One")
            connection.close()
            await call.gone


class NginxTests(ProxyContract, DaemonTestCase):
    """
    Behind nginx.
    """

    command: ClassVar[list[str]] = ["nginx", "-c"]
    configuration = NGINX


class HAProxyTests(ProxyContract, DaemonTestCase):
    """
    Behind HAProxy.
    """

    command: ClassVar[list[str]] = ["haproxy", "-f"]
    configuration = HAPROXY
