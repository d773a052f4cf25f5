"""
Tests of L{openclaw.service}, with the reactor but within one process.
"""

import sqlite3
from contextlib import closing

from twisted.internet import reactor
from twisted.logger import LogLevel, capturedLogs, formatEvent

from openclaw.config.loading import SYSTEM_PATH
from openclaw.errors import ConfigError, StartError, StoreError
from openclaw.service import GatewayService, makeService
from tests.integration.daemon_case import LOOPBACK, DaemonTestCase


class ServiceTestCase(DaemonTestCase):
    """
    A gateway, and its log.
    """

    def setUp(self) -> None:
        """
        Observe the log.
        """
        super().setUp()
        capturing = capturedLogs()
        self.events = capturing.__enter__()
        self.addCleanup(capturing.__exit__, None, None, None)

    def logged(self, *levels: object) -> list[str]:
        """
        Return the gateway's log at these levels, or all of it.
        """
        return [
            formatEvent(event)
            for event in self.events
            if event["log_namespace"] == "openclaw"
            and (not levels or event["log_level"] in levels)
        ]


class NoConfigurationTests(ServiceTestCase):
    """
    A gateway without a configuration file.
    """

    skip = f"{SYSTEM_PATH} is there" if SYSTEM_PATH.exists() else None

    async def test_endpointIsOff(self) -> None:
        """
        It starts with the endpoint disabled, and logs how to enable it.
        """
        gateway = makeService(
            reactor=reactor, listen=[LOOPBACK], environ=self.environment()
        )
        self.addCleanup(gateway.stopService)
        gateway.startService()
        await gateway.ready
        [said] = self.logged()
        self.assertIn("gateway.http.endpoints.chatCompletions.enabled", said)
        self.assertIn(str(self.state / "openclaw.yaml"), said)
        caller = self.caller(gateway)
        refused = await caller.ask("hi")
        self.assertEqual(refused.status, 404)
        self.assertEqual(await refused.code(), "endpoint_disabled")
        self.assertEqual((await caller.get("/readyz")).status, 200)

    async def test_fileThatComesLater(self) -> None:
        """
        A file that did not exist at the start is loaded by a reload.
        """
        gateway = makeService(
            reactor=reactor, listen=[LOOPBACK], environ=self.environment()
        )
        self.addCleanup(gateway.stopService)
        gateway.startService()
        await gateway.ready
        self.upstream.says("so")
        self.configure().replace(self.state / "openclaw.json")
        await gateway.reload()
        self.assertEqual(await (await self.caller(gateway).ask("hi")).words(), "so")


class RefusalTests(ServiceTestCase):
    """
    An invalid configuration is rejected before anything is started.
    """

    def make(self, *listen: str) -> GatewayService:
        """
        Create a gateway.
        """
        return makeService(
            reactor=reactor,
            config=str(self.folder / "openclaw.json"),
            listen=listen,
            environ=self.environment(),
        )

    def test_configuration(self) -> None:
        """
        All errors of a configuration are reported; nothing is written.
        """
        self.configure({"gateway": {"port": "high", "bind": "moon"}})
        error = self.assertRaises(ConfigError, self.make)
        self.assertEqual(
            sorted(fault.partition(":")[0] for fault in error.errors),
            ["gateway.bind", "gateway.port"],
        )
        self.assertFalse(self.state.exists())

    def test_endpoint(self) -> None:
        """
        An invalid endpoint is reported.
        """
        self.configure()
        error = self.assertRaises(StartError, self.make, "nonsense:1")
        self.assertIn("nonsense:1", error.message)

    def test_stateDirectory(self) -> None:
        """
        An unusable state directory is reported.
        """
        self.configure()
        self.state.write_text("a file")
        error = self.assertRaises(StartError, self.make)
        self.assertIn(str(self.state), error.message)


class StoreTests(ServiceTestCase):
    """
    A session store that can't be opened.
    """

    async def test_newerSchema(self) -> None:
        """
        A store of a newer version is not changed: one line reports it, and probes fail.
        """
        self.state.mkdir()
        path = self.state / "sessions.sqlite"
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA user_version = 1000")
        before = path.read_bytes()
        gateway = makeService(
            reactor=reactor,
            config=str(self.configure()),
            listen=[LOOPBACK],
            environ=self.environment(),
        )
        self.addCleanup(gateway.stopService)
        gateway.startService()
        error = await self.assertFailure(gateway.ready, StoreError)
        self.assertEqual(self.logged(LogLevel.critical), [error.message])
        self.assertIn(str(path), error.message)
        ready = await self.caller(gateway).get("/readyz")
        self.assertEqual(ready.status, 503)
        self.assertIn("session store", await ready.whole())
        self.assertEqual(path.read_bytes(), before)


class ListeningTests(ServiceTestCase):
    """
    The gateway's ports.
    """

    async def test_urls(self) -> None:
        """
        Each port is in the banner, and serves; none is left after the end.
        """
        gateway = await self.startGateway(listen=[LOOPBACK, LOOPBACK])
        one, two = gateway.urls()
        self.assertNotEqual(one, two)
        for url in (one, two):
            self.assertEqual((await self.caller(url).get("/healthz")).status, 200)
        await gateway.stopService()
        self.assertEqual(gateway.urls(), [])
