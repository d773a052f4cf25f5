"""
The daemon, and fetches of pages, through a real tinyproxy.
"""

import socket
from shutil import which
from typing import Any

from twisted.internet import reactor, ssl
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest
from twisted.web.resource import Resource
from twisted.web.server import Site

from openclaw.interfaces import ToolError
from openclaw.net.fetching import FetchOptions, fetch
from openclaw.net.outbound_proxy import OutboundProxy, parseProxy
from tests.integration.certificates import writeCertificate
from tests.integration.daemon_case import DaemonTestCase

PASSWORD = "proxy-password-4711"
TINYPROXY = """
Port {port}
Listen 127.0.0.1
Timeout 30
LogLevel Info
BasicAuth user {password}
"""


class Page(Resource):
    """
    A web page that keeps the headers of its requests.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.headers: list[Any] = []

    def render_GET(self, request: Any) -> bytes:
        self.headers.append(request.requestHeaders.copy())
        request.setHeader("content-type", "text/plain")
        return b"a page"


class OutboundProxyTests(DaemonTestCase):
    """
    The proxy wants a user and a password, and allows tunnels to all ports.
    """

    async def startProxy(self) -> str:
        """
        @return: Its C{host:port}.
        """
        if which("tinyproxy") is None:
            raise SkipTest("tinyproxy is not installed")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        path = self.folder / "tinyproxy.conf"
        path.write_text(TINYPROXY.format(port=port, password=PASSWORD))
        self.proxy = self.start("tinyproxy", "-d", "-c", str(path))
        await self.proxy.line("Accepting connections|accepting connections")
        return f"127.0.0.1:{port}"

    def provider(self, **settings: Any) -> Any:
        return self.configure({"models": {"providers": {"scripted": settings}}})

    async def test_http(self) -> None:
        """
        A model over http is asked through the proxy, with its credentials, which are
        not logged.
        """
        address = await self.startProxy()
        self.upstream.says("Good day.")
        daemon = await self.startDaemon(
            config=self.provider(proxy=f"http://user:{PASSWORD}@{address}")
        )
        for _ in range(2):
            answer = await self.caller(daemon).ask("Hello")
            self.assertEqual(await answer.words(), "Good day.")
        await self.proxy.line(r"POST http://127\.0\.0\.1:\d+/v1/chat/completions")
        [headers, _] = [call.headers for call in self.upstream.calls]
        self.assertNotIn("proxy-authorization", {name.lower() for name in headers})
        self.assertNotIn(PASSWORD, daemon.text)

    async def test_https(self) -> None:
        """
        A model over https is asked through a tunnel, and its certificate is verified.
        """
        address = await self.startProxy()
        cert, key = writeCertificate(self.folder)
        options = ssl.DefaultOpenSSLContextFactory(str(key), str(cert))
        site = Site(self.upstream)
        port = reactor.listenSSL(0, site, options, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.upstream.says("Good day.")
        daemon = await self.startDaemon(
            config=self.provider(
                baseUrl=f"https://127.0.0.1:{port.getHost().port}/v1",
                proxy=f"http://user:{PASSWORD}@{address}",
            ),
            environ={"SSL_CERT_FILE": str(cert)},
        )
        answer = await self.caller(daemon).ask("Hello")
        self.assertEqual(await answer.words(), "Good day.")
        await self.proxy.line(r"CONNECT 127\.0\.0\.1:\d+")

    async def test_refused(self) -> None:
        """
        A proxy that wants other credentials is a failure, which names it.
        """
        address = await self.startProxy()
        daemon = await self.startDaemon(
            config=self.provider(
                baseUrl="https://model.invalid/v1", proxy=f"http://user:no@{address}"
            )
        )
        answer = await self.caller(daemon).ask("Hello")
        self.assertEqual(answer.status, 502)
        failure = await answer.json()
        self.assertEqual(failure["error"]["code"], "upstream_unreachable")
        self.assertIn("other credentials", failure["error"]["message"])
        self.assertEqual(self.upstream.calls, [])

    async def test_environment(self) -> None:
        """
        The environment's proxy is used for hosts beyond the machine.
        """
        address = await self.startProxy()
        daemon = await self.startDaemon(
            config=self.provider(baseUrl="https://model.invalid/v1"),
            environ={"https_proxy": f"http://user:no@{address}"},
        )
        answer = await self.caller(daemon).ask("Hello")
        failure = await answer.json()
        self.assertIn("other credentials", failure["error"]["message"])

    # Pages

    async def fetchThrough(
        self, proxy: OutboundProxy, page: Page, *, allowPrivate: bool, tls: Any = None
    ) -> bytes:
        site = Site(page)
        if tls is None:
            port = reactor.listenTCP(0, site, interface="127.0.0.1")
        else:
            port = reactor.listenSSL(0, site, tls, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number = port.getHost().port
        options = FetchOptions(
            allowPrivate=allowPrivate,
            ports=(number,),
            seconds=20,
            maxBytes=1000,
            accept="*/*",
            what="text",
            chooseProxy=lambda scheme, host, port: proxy,
        )
        scheme = "http" if tls is None else "https"
        document = await fetch(reactor, f"{scheme}://127.0.0.1:{number}/a", options)
        # The connections are closed in the next iteration.
        await deferLater(reactor, 0)
        return document.data

    async def test_page(self) -> None:
        """
        A page is fetched through the proxy, which keeps its credentials.
        """
        proxy = parseProxy(f"user:{PASSWORD}@{await self.startProxy()}")
        page = Page()
        data = await self.fetchThrough(proxy, page, allowPrivate=True)
        self.assertEqual(data, b"a page")
        [headers] = page.headers
        self.assertFalse(headers.hasHeader("proxy-authorization"))
        await self.proxy.line(r"GET http://127\.0\.0\.1:\d+/a")

    async def test_guarded(self) -> None:
        """
        The proxy is not asked for an address that may not be reached.
        """
        proxy = parseProxy(f"user:{PASSWORD}@{await self.startProxy()}")
        page = Page()
        try:
            await self.fetchThrough(proxy, page, allowPrivate=False)
        except ToolError as error:
            self.assertIn("not on the public Internet", str(error))
        else:
            self.fail("the page was fetched")
        self.assertEqual(page.headers, [])
        self.assertNotIn("GET http", self.proxy.text)

    async def test_pageRefused(self) -> None:
        """
        Without credentials there is an error that names the proxy.
        """
        proxy = parseProxy(await self.startProxy())
        cert, key = writeCertificate(self.folder)
        options = ssl.DefaultOpenSSLContextFactory(str(key), str(cert))
        try:
            await self.fetchThrough(proxy, Page(), allowPrivate=True, tls=options)
        except ToolError as error:
            self.assertIn("other credentials", str(error))
        else:
            self.fail("the page was fetched")
