"""
TLS, UNIX sockets, IPv6; and the required credentials.
"""

import os
import socket
from base64 import b64encode
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, ResponseNeverReceived
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from tests.integration.certificates import writeCertificate
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import LOOPBACK, TOKEN, DaemonTestCase
from tests.integration.http_caller import COMPLETIONS, Caller
from tests.integration.requirements import missingProgram

EVERYWHERE = "tcp:0:interface=0.0.0.0"


def missingIPv6() -> str | None:
    """
    Return the reason to skip tests of IPv6; C{None} if it is available.
    """
    try:
        with socket.socket(socket.AF_INET6) as trial:
            trial.bind(("::1", 0))
    except OSError:
        return "there is no IPv6 here"
    return None


class SurfaceTestCase(DaemonTestCase):
    """
    A test case with a provider that replies.
    """

    def setUp(self) -> None:
        super().setUp()
        self.upstream.says("so")

    async def assertAnswers(self, caller: Caller, **headers: str) -> None:
        """
        Assert that the caller gets replies, streamed and plain.
        """
        for streaming in (False, True):
            answer = await caller.ask("hi", stream=streaming, headers=headers)
            self.assertEqual(answer.status, 200)
            self.assertEqual(await answer.words(), "so")

    async def assertRefuses(self, caller: Caller, **headers: str) -> None:
        """
        Assert that the caller gets no reply.
        """
        answer = await caller.ask("hi", headers=headers)
        self.assertEqual(answer.status, 401)
        self.assertEqual(await answer.code(), "invalid_api_key")


class TLSTests(SurfaceTestCase):
    """
    A port with a certificate.
    """

    def callers(self, daemon: Daemon, certificate: Path) -> tuple[Caller, Caller]:
        """
        Return a client that trusts only that certificate, and one without TLS.
        """
        trusted = Certificate.loadPEM(certificate.read_bytes())
        policy = BrowserLikePolicyForHTTPS(trustRootFromCertificates([trusted]))
        return (
            Caller(reactor, daemon.url, TOKEN, Agent(reactor, policy)),
            self.caller(daemon.url.replace("https:", "http:")),
        )

    async def assertSecure(self, daemon: Daemon, certificate: Path) -> None:
        """
        Assert that it responds over TLS, and not without.
        """
        self.assertTrue(daemon.url.startswith("https://127.0.0.1:"))
        trusting, careless = self.callers(daemon, certificate)
        await self.assertAnswers(trusting)
        await self.assertFailure(
            Deferred.fromCoroutine(careless.get("/healthz")), ResponseNeverReceived
        )

    async def test_configured(self) -> None:
        """
        The certificate is in the configuration.
        """
        certificate, key = writeCertificate(self.folder)
        tls = {"certPath": str(certificate), "keyPath": str(key)}
        config = self.configure({"gateway": {"port": 0, "tls": tls}})
        daemon = await self.startDaemon(config=config, listen=())
        await self.assertSecure(daemon, certificate)

    async def test_endpoint(self) -> None:
        """
        The certificate is in a Twisted endpoint.
        """
        certificate, key = writeCertificate(self.folder)
        daemon = await self.startDaemon(
            listen=[f"ssl:0:interface=127.0.0.1:privateKey={key}:certKey={certificate}"]
        )
        await self.assertSecure(daemon, certificate)


@implementer(IAgentEndpointFactory)
class _ToSocket:
    """
    An agent that connects to a UNIX socket for any URL.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def endpointForURI(self, uri: object) -> IStreamClientEndpoint:
        return UNIXClientEndpoint(reactor, self._path)


class SocketTests(SurfaceTestCase):
    """
    A UNIX socket.
    """

    def setUp(self) -> None:
        """
        Choose a short path.
        """
        super().setUp()
        self.socket = os.path.relpath(self.folder / "s")

    async def test_agent(self) -> None:
        """
        The agent replies there, and on a port beside it.
        """
        daemon = await self.startDaemon(listen=[LOOPBACK, f"unix:{self.socket}"])
        agent = Agent.usingEndpointFactory(reactor, _ToSocket(self.socket))
        await self.assertAnswers(Caller(reactor, "http://localhost", TOKEN, agent))
        await self.assertRefuses(Caller(reactor, "http://localhost", "wrong", agent))
        await self.assertAnswers(self.caller(daemon))

    async def test_curl(self) -> None:
        """
        curl can use it.
        """
        daemon = self.spawn(listen=[f"unix:{self.socket}:mode=600"])
        await daemon.line("Ready at unix:")
        self.assertEqual(os.stat(self.socket).st_mode & 0o777, 0o600)
        curl = self.start(
            *("curl", "-sS", "--unix-socket", self.socket),
            *("-H", f"Authorization: Bearer {TOKEN}"),
            *("-d", '{"messages": [{"role": "user", "content": "hi"}]}'),
            f"http://localhost{COMPLETIONS}",
        )
        await curl.ended
        self.assertIn('"content":"so"', curl.output)
        await daemon.stop()
        self.assertFalse(os.path.exists(self.socket))

    test_curl.skip = missingProgram("curl")


class IPv6Tests(SurfaceTestCase):
    """
    IPv6.
    """

    skip = missingIPv6()

    async def test_loopback(self) -> None:
        """
        The agent replies on C{::1}, and the URL in the log works.
        """
        config = self.configure({"gateway": {"port": 0, "bind": "::1"}})
        daemon = await self.startDaemon(config=config, listen=())
        self.assertTrue(daemon.url.startswith("http://[::1]:"))
        await self.assertAnswers(self.caller(daemon))

    async def test_loopbackNeedsNoToken(self) -> None:
        """
        C{::1} is loopback, so a generated token or none suffices.
        """
        config = self.configure({"gateway": {"auth": {"mode": "none", "token": None}}})
        daemon = await self.startDaemon(
            config=config, listen=["tcp6:0:interface=\\:\\:1"]
        )
        await self.assertAnswers(self.caller(daemon, None))


class BasicTests(SurfaceTestCase):
    """
    HTTP Basic, through a strcred checker.
    """

    async def test_nameAndPassword(self) -> None:
        """
        The right name and password are accepted, no other pair is, and the gateway's
        token still is.
        """
        daemon = await self.startDaemon("--auth", "memory:ann:pass word")
        stranger = self.caller(daemon, None)
        await self.assertAnswers(stranger, authorization=basic("ann", "pass word"))
        for pair in (("ann", "wrong"), ("bob", "pass word"), ("ann", "")):
            await self.assertRefuses(stranger, authorization=basic(*pair))
        await self.assertAnswers(self.caller(daemon))

    async def test_withoutChecker(self) -> None:
        """
        Without a checker HTTP Basic is rejected, also with the token as the password.
        """
        daemon = await self.startDaemon()
        stranger = self.caller(daemon, None)
        await self.assertRefuses(stranger, authorization=basic("ann", TOKEN))


def basic(name: str, password: str) -> str:
    """
    Return the value of an C{Authorization} header.
    """
    return f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"


class CredentialTests(SurfaceTestCase):
    """
    The effective credential.
    """

    async def assertHolds(
        self,
        auth: dict[str, str],
        environ: dict[str, str],
        right: str,
        wrong: str,
        said: str,
    ) -> None:
        """
        Assert that one of two credentials is valid, and the other is not.
        """
        config = self.configure({"gateway": {"auth": {"token": None, **auth}}})
        daemon = await self.startDaemon(config=config, environ=environ)
        await daemon.line(said)
        await self.assertAnswers(self.caller(daemon, right))
        await self.assertRefuses(self.caller(daemon, wrong))

    async def test_configurationBeforeEnvironment(self) -> None:
        """
        The configuration's token takes precedence over the environment's.
        """
        await self.assertHolds(
            {"token": "configured"},
            {"OPENCLAW_GATEWAY_TOKEN": "environmental"},
            "configured",
            "environmental",
            r"token from gateway\.auth\.token",
        )

    async def test_environment(self) -> None:
        """
        Without a configured token the environment's is used, and takes precedence over
        a password.
        """
        await self.assertHolds(
            {"password": "configured"},
            {"OPENCLAW_GATEWAY_TOKEN": "environmental"},
            "environmental",
            "configured",
            "token from OPENCLAW_GATEWAY_TOKEN",
        )

    async def test_password(self) -> None:
        """
        A password is sent like a token.
        """
        await self.assertHolds(
            {"mode": "password", "token": "configured"},
            {"OPENCLAW_GATEWAY_PASSWORD": "environmental"},
            "environmental",
            "configured",
            "password from OPENCLAW_GATEWAY_PASSWORD",
        )

    async def test_generated(self) -> None:
        """
        Without a credential, a token is generated, in a private file.
        """
        config = self.configure({"gateway": {"auth": {"token": None}}})
        tokens = []
        for _ in range(2):
            daemon = await self.startDaemon(config=config)
            path = Path((await daemon.line(r"token in (\S+)"))[1])
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
            tokens.append(path.read_text().strip())
            self.assertNotIn(tokens[-1], daemon.text)
            await self.assertAnswers(self.caller(daemon, tokens[-1]))
            await self.assertRefuses(self.caller(daemon, None))
            await daemon.stop()
        self.assertEqual(tokens[0], tokens[1])

    async def test_none(self) -> None:
        """
        With C{mode: none} on loopback, no credential is required.
        """
        config = self.configure({"gateway": {"auth": {"mode": "none", "token": None}}})
        daemon = await self.startDaemon(config=config)
        await self.assertAnswers(self.caller(daemon, None))
        narrowed = await self.caller(daemon, None).ask(
            "hi", headers={"x-openclaw-scopes": "operator.read"}
        )
        self.assertEqual(narrowed.status, 403)
        self.assertIn("operator.write", await narrowed.whole())


class OpenPortTests(DaemonTestCase):
    """
    A port that other machines can reach.
    """

    async def test_needsCredential(self) -> None:
        """
        Without a configured credential the daemon does not start, with C{mode: none} or
        a generated token.
        """
        for auth in ({"mode": "none", "token": None}, {"token": None}):
            config = self.configure({"gateway": {"auth": auth}})
            daemon = self.spawn(config=config, listen=[LOOPBACK, EVERYWHERE])
            await daemon.ended
            self.assertEqual(daemon.status, 1)
            self.assertIn("Refusing to listen", daemon.text)
            self.assertNotIn("Traceback", daemon.text)
            self.assertNotIn("Ready", daemon.text)

    async def test_withCredential(self) -> None:
        """
        With a configured credential it starts.
        """
        daemon = await self.startDaemon(listen=[EVERYWHERE])
        self.assertEqual((await self.caller(daemon).get("/v1/models")).status, 200)
        self.assertEqual(
            (await self.caller(daemon, "wrong").get("/v1/models")).status, 401
        )
