"""
Hostile web pages, and certificates.
"""

from twisted.internet import reactor
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS

from tests.integration.attacker import AttackerTestCase, answersIn
from tests.integration.certificates import writeCertificate
from tests.integration.daemon_case import TOKEN
from tests.integration.http_caller import Caller

PAGE = "https://chat.example"


class PageTests(AttackerTestCase):
    """
    Pages in a browser on this machine.
    """

    async def ask(self, *lines: str) -> str:
        """
        Send a request, and receive the head of the response.
        """
        connection = await self.connect("\r\n".join([*lines, "", ""]).encode())
        received = await connection.until("\r\n\r\n")
        connection.close()
        return received

    async def test_rebinding(self) -> None:
        """
        A page whose name resolves to this machine is rejected, unless a reload
        configures that name.
        """
        await self.begin(allowedHosts=["gateway.example"])
        for host, status in (
            ("evil.example", 403),
            ("gateway.example", 200),
            ("localhost", 200),
            ("127.0.0.1:18789", 200),
        ):
            received = await self.ask("GET /healthz HTTP/1.1", f"Host: {host}")
            [answer] = answersIn(received)
            self.assertEqual(answer.status, status, host)
        await self.assertUnharmed()

    async def test_allowed(self) -> None:
        """
        A configured page may send requests and read responses, others may not.
        """
        await self.begin(cors={"allowedOrigins": [PAGE]})
        for origin, status in ((PAGE, 204), ("https://evil.example", 403)):
            head = await self.ask(
                "OPTIONS /v1/chat/completions HTTP/1.1",
                "Host: localhost",
                f"Origin: {origin}",
                "Access-Control-Request-Method: POST",
                "Access-Control-Request-Headers: authorization",
            )
            self.assertTrue(head.startswith(f"HTTP/1.1 {status} "), head)
            allowed = f"access-control-allow-origin: {origin}\r\n"
            self.assertEqual(allowed in head.lower(), status == 204)
        self.upstream.says("so")
        answer = await self.caller(self.daemon).ask(
            "hi", stream=True, headers={"origin": PAGE}
        )
        self.assertEqual(answer.header("access-control-allow-origin"), PAGE)
        self.assertIn("x-request-id", answer.header("access-control-expose-headers"))
        self.assertEqual(await answer.words(), "so")
        await self.assertUnharmed()


class CertificateTests(AttackerTestCase):
    """
    A renewed certificate.
    """

    async def test_hangUp(self) -> None:
        """
        After SIGHUP new connections get the new certificate, unless it is invalid.
        """
        self.upstream.says("so")
        certificate, key = writeCertificate(self.folder)
        tls = {"certPath": str(certificate), "keyPath": str(key)}
        config = self.configure({"gateway": {"port": 0, "tls": tls}})
        daemon = await self.startDaemon(config=config, listen=())
        for _ in range(2):
            await self.assertShows(daemon.url, certificate.read_bytes())
            writeCertificate(self.folder)
            renewed = daemon.nextLine("info. The renewed certificate .* is in use")
            daemon.send("HUP")
            await renewed
        inForce = certificate.read_bytes()
        await self.assertShows(daemon.url, inForce)
        certificate.write_text("broken")
        refused = daemon.nextLine("renewed certificate can't be used, the old one")
        daemon.send("HUP")
        await refused
        await self.assertShows(daemon.url, inForce)

    async def assertShows(self, url: str, certificate: bytes) -> None:
        """
        Assert that a client that trusts only this certificate gets a response.
        """
        root = trustRootFromCertificates([Certificate.loadPEM(certificate)])
        agent = Agent(reactor, BrowserLikePolicyForHTTPS(root))
        answer = await Caller(reactor, url, TOKEN, agent).ask("hi")
        self.assertEqual(await answer.words(), "so")
