"""
Throttling of guesses, with the real daemon.
"""

from typing import Any

from twisted.internet import reactor

from tests.integration.daemon import Daemon
from tests.integration.daemon_case import TOKEN, DaemonTestCase, merged
from tests.integration.http_caller import Caller
from tests.integration.raw_http import exchange, proxyLine
from tests.integration.test_surfaces import basic

HAPROXY = "haproxy:tcp:0:interface=127.0.0.1"


class ThrottleTestCase(DaemonTestCase):
    """
    A daemon that locks out this machine, too, after three attempts.
    """

    def setUp(self) -> None:
        """
        Let the provider reply.
        """
        super().setUp()
        self.upstream.says("so")

    async def startStrict(self, *options: str, **auth: Any) -> Daemon:
        """
        Start the daemon.
        """
        limits = {"exemptLoopback": False, "maxAttempts": 3}
        changes = {"gateway": {"auth": {"rateLimit": limits, **auth}}}
        return await self.startDaemon(*options, config=self.configure(changes))

    async def status(self, caller: Caller, **headers: str) -> int:
        """
        Return the status of a response.
        """
        answer = await caller.ask("hi", headers=headers)
        await answer.whole()
        return answer.status


class LockTests(ThrottleTestCase):
    """
    Repeated invalid credentials.
    """

    async def test_token(self) -> None:
        """
        A caller with invalid tokens must wait; one with the right token is served.
        """
        daemon = await self.startStrict()
        wrong = self.caller(daemon, "wrong")
        for _ in range(3):
            self.assertEqual(await self.status(wrong), 401)
        answer = await wrong.ask("hi")
        self.assertEqual(answer.status, 429)
        self.assertEqual(await answer.code(), "too_many_failed_attempts")
        self.assertTrue(290 < int(answer.header("retry-after") or 0) <= 300)
        self.assertTrue(290_000 < int(answer.header("retry-after-ms") or 0) <= 300_000)
        self.assertEqual(answer.header("x-should-retry"), "false")
        self.assertEqual(await self.status(self.caller(daemon)), 200)
        self.assertEqual(await self.status(self.caller(daemon, None)), 401)
        await daemon.line("127.0.0.1 is locked out for 300 s after 3 attempts")
        self.assertEqual(daemon.text.count("locked out"), 1)

    async def test_password(self) -> None:
        """
        After invalid passwords the right one is not checked.
        """
        daemon = await self.startStrict(mode="password", password="open sesame 4711")
        right = self.caller(daemon, "open sesame 4711")
        self.assertEqual(await self.status(right), 200)
        for _ in range(3):
            self.assertEqual(await self.status(self.caller(daemon, "wrong")), 401)
        self.assertEqual(await self.status(right), 429)
        self.assertNotIn("sesame", daemon.text)

    async def test_basic(self) -> None:
        """
        The same applies to users' passwords, while the gateway's token is accepted.
        """
        daemon = await self.startStrict("--auth", "memory:ann:pass word")
        nobody = self.caller(daemon, None)
        for _ in range(3):
            status = await self.status(nobody, authorization=basic("ann", "wrong"))
            self.assertEqual(status, 401)
        status = await self.status(nobody, authorization=basic("ann", "pass word"))
        self.assertEqual(status, 429)
        self.assertEqual(await self.status(self.caller(daemon)), 200)

    async def test_usual(self) -> None:
        """
        By default this machine is not locked out.
        """
        daemon = await self.startDaemon()
        for _ in range(12):
            self.assertEqual(await self.status(self.caller(daemon, "wrong")), 401)

    async def test_reload(self) -> None:
        """
        A reload does not end a lockout, and its limits apply.
        """
        daemon = await self.startStrict()
        wrong = self.caller(daemon, "wrong")
        for _ in range(3):
            self.assertEqual(await self.status(wrong), 401)
        daemon.send("HUP")
        await daemon.line("The configuration was reloaded")
        self.assertEqual(await self.status(wrong), 429)
        limits = {"gateway": {"auth": {"rateLimit": {"exemptLoopback": True}}}}
        self.configure(merged({}, limits))
        again = daemon.nextLine("The configuration was reloaded")
        daemon.send("HUP")
        await again
        self.assertEqual(await self.status(wrong), 401)


class BehindProxyTests(ThrottleTestCase):
    """
    A proxy with the PROXY protocol.
    """

    async def statusFrom(self, daemon: Daemon, source: str, token: str) -> int:
        """
        Send a request from an address, through the proxy.
        """
        headers = {"Authorization": f"Bearer {token}"}
        status, _ = await exchange(reactor, daemon.url, headers, proxyLine(source))
        return status

    async def test_trusted(self) -> None:
        """
        Guesses are counted by the address from the proxy.
        """
        changes = {"gateway": {"trustedProxies": ["127.0.0.1"]}}
        password = {"mode": "password", "password": TOKEN}
        config = self.configure(
            merged(changes, {"gateway": {"auth": {"token": None, **password}}})
        )
        daemon = await self.startDaemon(config=config, listen=[HAPROXY])
        for _ in range(10):
            self.assertEqual(await self.statusFrom(daemon, "203.0.113.5", "wrong"), 401)
        self.assertEqual(await self.statusFrom(daemon, "203.0.113.5", TOKEN), 429)
        self.assertEqual(await self.statusFrom(daemon, "203.0.113.6", TOKEN), 200)
        await daemon.line("203.0.113.5 is locked out")

    async def test_stranger(self) -> None:
        """
        An untrusted client of that port gets no further attempts by claiming addresses.
        """
        changes = {"gateway": {"auth": {"rateLimit": {"maxAttempts": 3}}}}
        config = self.configure(changes)
        daemon = await self.startDaemon(config=config, listen=[HAPROXY])
        found = [
            await self.statusFrom(daemon, f"203.0.113.{number}", "wrong")
            for number in range(5)
        ]
        self.assertEqual(found, [401, 401, 401, 429, 429])
