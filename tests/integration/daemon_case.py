"""
The base class of integration tests: an upstream, a configuration, a gateway.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from openclaw.service import GatewayService, makeService
from tests.integration.daemon import Daemon
from tests.integration.http_caller import Caller
from tests.integration.program import Program
from tests.integration.upstream import Upstream

TOKEN = "token-of-the-tests-4711"
KEY = "provider-key-of-the-tests-0815"
LOOPBACK = "tcp:0:interface=127.0.0.1"

WORKERS = int(os.environ.get("OPENCLAW_TEST_WORKERS", "1"))
"""
The default number of a daemon's processes.
"""


def merged(base: Any, changes: Any) -> Any:
    """
    Merge changes into a document; C{None} removes a member.
    """
    if not isinstance(base, dict) or not isinstance(changes, dict):
        return changes
    both = dict(base)
    for name, value in changes.items():
        if value is None:
            both.pop(name, None)
        else:
            both[name] = merged(both.get(name, {}), value)
    return both


class DaemonTestCase(TestCase):
    """
    A model provider, to whose calls tests reply, and gateways that use it.

    @ivar folder: A directory for files of the test.
    @ivar state: The state directory of its gateways.
    @cvar workers: The number of a daemon's processes.
    """

    timeout = 60
    workers = WORKERS

    def setUp(self) -> None:
        """
        Start the provider.
        """
        self.upstream = Upstream(reactor)
        self.addCleanup(self.upstream.close)
        self.folder = Path(self.mktemp()).absolute()
        self.state = self.folder / "state"
        self.folder.mkdir(parents=True)

    # Configuration

    def document(self, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """
        Return a configuration that uses the provider.
        """
        base = {
            "gateway": {
                "auth": {"token": TOKEN},
                "http": {"endpoints": {"chatCompletions": {"enabled": True}}},
            },
            "agents": {"defaults": {"model": "scripted/words"}},
            "models": {
                "providers": {"scripted": {"baseUrl": self.upstream.url, "apiKey": KEY}}
            },
        }
        return merged(base, changes or {})

    def configure(
        self, changes: Mapping[str, Any] | None = None, name: str = "openclaw.json"
    ) -> Path:
        """
        Write the configuration into a file.
        """
        path = self.folder / name
        path.write_text(json.dumps(self.document(changes)))
        return path

    def environment(self, **more: str) -> dict[str, str]:
        """
        Return a gateway's environment, without the tests' own.
        """
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "OPENCLAW_STATE_DIR": str(self.state),
            **more,
        }

    # Gateways

    def spawn(
        self,
        *options: str,
        config: Path | None = None,
        listen: Sequence[str] = (LOOPBACK,),
        environ: Mapping[str, str] | None = None,
    ) -> Daemon:
        """
        Start a daemon without waiting for it.

        @param config: Its configuration; by default that of L{configure}.
        """
        daemon = Daemon()
        arguments = ["--config", str(config or self.configure()), *options]
        if self.workers != 1 and "--workers" not in options:
            arguments += ["--workers", str(self.workers)]
        for description in listen:
            arguments += ["--listen", description]
        daemon.serve(reactor, arguments, self.environment(**(environ or {})))
        self.addCleanup(daemon.abandon)
        return daemon

    def start(self, *command: str, environ: Mapping[str, str] | None = None) -> Program:
        """
        Start a program.
        """
        program = Program()
        program.start(reactor, command, self.environment(**(environ or {})))
        self.addCleanup(program.abandon)
        return program

    async def seenBy(self, gateway: Daemon, *command: str) -> Any:
        """
        Run a program that uses a daemon; its arguments are the base URL and the token.

        @return: The JSON that it printed.
        """
        program = self.start(*command, f"{gateway.url}/v1", TOKEN)
        await program.ended
        self.assertEqual(program.status, 0, program.text)
        return json.loads(program.output)

    async def startDaemon(
        self,
        *options: str,
        config: Path | None = None,
        listen: Sequence[str] = (LOOPBACK,),
        environ: Mapping[str, str] | None = None,
    ) -> Daemon:
        """
        Start a daemon, and wait until it is ready.
        """
        daemon = self.spawn(*options, config=config, listen=listen, environ=environ)
        await daemon.ready()
        return daemon

    async def startGateway(
        self,
        config: Path | None = None,
        listen: Sequence[str] = (LOOPBACK,),
        environ: Mapping[str, str] | None = None,
    ) -> GatewayService:
        """
        Start a gateway in the tests' reactor, and wait until it is ready.
        """
        gateway = makeService(
            reactor=reactor,
            config=str(config or self.configure()),
            listen=listen,
            environ=self.environment(**(environ or {})),
        )
        gateway.startService()
        self.addCleanup(gateway.stopService)
        await gateway.ready
        return gateway

    def caller(
        self, gateway: Daemon | GatewayService | str, token: str | None = TOKEN
    ) -> Caller:
        """
        Return a client of a gateway.
        """
        if isinstance(gateway, GatewayService):
            gateway = gateway.urls()[0]
        url = gateway if isinstance(gateway, str) else gateway.url
        return Caller(reactor, url, token)


__all__ = ["KEY", "LOOPBACK", "TOKEN", "DaemonTestCase", "merged"]
