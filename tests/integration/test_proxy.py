"""
A proxy that authenticates callers: C{gateway.auth.mode: trusted-proxy}, with the real
daemon.
"""

import sys
from collections.abc import Mapping
from typing import Any

from twisted.internet import reactor

from tests.integration.daemon import Daemon
from tests.integration.daemon_case import LOOPBACK, DaemonTestCase, merged
from tests.integration.raw_http import exchange, proxyLine

HAPROXY = "haproxy:tcp:0:interface=127.0.0.1"
TOKEN_COMMAND = (sys.executable, "-m", "openclaw.cli.main", "token")
EVERYWHERE = "tcp:0:interface=0.0.0.0"
ANN = {"X-Forwarded-User": "ann@example.com"}
BOB = {"X-Forwarded-User": "bob@example.com"}


class ProxyTestCase(DaemonTestCase):
    """
    A gateway behind a proxy.
    """

    def setUp(self) -> None:
        """
        Let the provider reply.
        """
        super().setUp()
        self.upstream.says("so")

    def document(self, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """
        Return a configuration that trusts this machine and another one.
        """
        proxied = {
            "gateway": {
                "auth": {
                    "token": None,
                    "mode": "trusted-proxy",
                    "trustedProxy": {"userHeader": "X-Forwarded-User"},
                },
                "trustedProxies": ["127.0.0.1", "192.0.2.0/24"],
            }
        }
        return merged(super().document(proxied), changes or {})

    def trusting(self, *proxies: str) -> Mapping[str, Any]:
        """
        Return a configuration that trusts proxies.
        """
        return {"gateway": {"trustedProxies": list(proxies)}}

    async def code(
        self, daemon: Daemon, headers: Mapping[str, str], before: str = ""
    ) -> tuple[int, str | None]:
        """
        Return the status of an answer, and the code of its error.
        """
        status, found = await exchange(reactor, daemon.url, headers, before)
        return status, found.get("error", {}).get("code")


REQUIRED = (403, "proxy_attribution_required")


class HeaderTests(ProxyTestCase):
    """
    The proxy's header, over plain TCP.
    """

    async def test_user(self) -> None:
        """
        A user from a trusted proxy is accepted, also on a port that others can reach;
        and it is logged.
        """
        daemon = await self.startDaemon(listen=[EVERYWHERE])
        await daemon.line("credential: the user header of a trusted proxy")
        self.assertEqual(await self.code(daemon, ANN), (200, None))
        self.assertEqual(await self.code(daemon, {}), (401, "invalid_api_key"))
        twice = {**ANN, "x-forwarded-user": "bob@example.com"}
        self.assertEqual(await self.code(daemon, twice), REQUIRED)
        narrowed = {**ANN, "x-openclaw-scopes": "operator.read"}
        self.assertEqual(await self.code(daemon, narrowed), (403, "missing_scope"))
        # No unusable token is generated.
        self.assertFalse((self.state / "gateway-token").exists())

    async def test_stranger(self) -> None:
        """
        Other clients are rejected, whatever address they claim.
        """
        config = self.configure(self.trusting("192.0.2.1"))
        daemon = await self.startDaemon(config=config)
        for more in ({}, {"X-Forwarded-For": "192.0.2.1"}, {"X-Real-IP": "192.0.2.1"}):
            self.assertEqual(await self.code(daemon, {**ANN, **more}), REQUIRED)

    async def test_sessions(self) -> None:
        """
        Users have their own sessions, even under the same name.
        """
        caller = self.caller(await self.startDaemon(), None)
        for headers in (ANN, BOB):
            answer = await caller.ask("one", user="me", headers=headers)
            await answer.whole()
            name = headers["X-Forwarded-User"]
            self.assertEqual(
                answer.header("x-openclaw-session-key"),
                f"agent:main:user:{name}:openai-user:me",
            )
            self.assertEqual(self.upstream.heard(), [("user", "one")])
        theirs = {"x-openclaw-session-key": "agent:main:user:ann@example.com:x", **BOB}
        answer = await caller.ask("hi", headers=theirs)
        self.assertEqual(answer.status, 403)
        self.assertEqual(await answer.code(), "session_not_yours")

    async def test_namedTokens(self) -> None:
        """
        Programs with their own token need no proxy.
        """
        config = self.configure(self.trusting("192.0.2.1"))
        daemon = await self.startDaemon(config=config)
        program = self.start(*TOKEN_COMMAND, "add", "ci")
        await program.ended
        bearer = {"Authorization": f"Bearer {program.output.strip()}"}
        self.assertEqual(await self.code(daemon, bearer), (200, None))

    async def test_fault(self) -> None:
        """
        Without trusted proxies the daemon does not start.
        """
        config = self.configure(self.trusting())
        daemon = self.spawn(config=config, listen=[LOOPBACK])
        await daemon.ended
        self.assertEqual(daemon.status, 1)
        self.assertIn("gateway.trustedProxies: missing", daemon.text)


class ProxyProtocolTests(ProxyTestCase):
    """
    A load balancer with the PROXY protocol in front of the proxies.
    """

    async def test_chain(self) -> None:
        """
        It sends the address of its client: a trusted proxy, or another one.
        """
        daemon = await self.startDaemon(listen=[HAPROXY])
        trusted, stranger = proxyLine("192.0.2.7"), proxyLine("203.0.113.5")
        self.assertEqual(await self.code(daemon, ANN, trusted), (200, None))
        self.assertEqual(await self.code(daemon, ANN, stranger), REQUIRED)
        self.assertEqual(await self.code(daemon, ANN, "PROXY UNKNOWN x\r\n"), REQUIRED)
        self.assertEqual(await exchange(reactor, daemon.url, ANN), (0, None))

    async def test_forged(self) -> None:
        """
        Other clients of that port can't claim to be a trusted proxy.
        """
        config = self.configure(self.trusting("192.0.2.7"))
        daemon = await self.startDaemon(config=config, listen=[HAPROXY])
        forged = proxyLine("192.0.2.7")
        self.assertEqual(await self.code(daemon, ANN, forged), REQUIRED)
