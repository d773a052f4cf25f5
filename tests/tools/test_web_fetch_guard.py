"""
Tests for L{openclaw.tools.web_fetch}: permitted addresses and URLs.
"""

import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase

from openclaw.interfaces import ToolError
from openclaw.net.fetching import parseURL
from tests.tools.certificates import certificateFor
from tests.tools.local_internet import SITE, FetchTestCase, answer, redirect


class GuardTests(FetchTestCase):
    """
    Only public addresses are connected to.
    """

    async def assertNotReached(self, url):
        """
        Assert that nothing was connected to.
        """
        told = await self.failing(self.fetch(url))
        self.assertIn("is not on the public Internet", told)
        self.assertEqual(self.net.connected, [])

    async def test_private(self):
        """
        Private addresses are refused, by name and by address.
        """
        for address in ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1"]:
            self.net.hosts["inner.example"] = [address]
            await self.assertNotReached("http://inner.example/")
            if ":" not in address:
                self.net.hosts[address] = [address]
                await self.assertNotReached(f"http://{address}/")

    async def test_oddlyWritten(self):
        """
        Unusual spellings of addresses are refused, too.
        """
        for host in ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "localhost"]:
            self.net.hosts[host] = ["127.0.0.1"]
            await self.assertNotReached(f"http://{host}/")

    async def test_mixed(self):
        """
        Only the public addresses of a name are used.
        """
        self.net.hosts["site.example"] = ["127.0.0.1", SITE, "10.0.0.1", "::1"]
        self.page(b"x")
        await self.fetch("http://site.example/")
        self.assertEqual(self.net.connected, [(SITE, 80)])

    async def test_rebinding(self):
        """
        A name is resolved once, so that later changes have no effect.
        """
        answers = [[SITE], ["127.0.0.1"]]
        self.net.hosts["site.example"] = lambda: answers.pop(0)
        self.page(b"x")
        await self.fetch("http://site.example/")
        self.assertEqual(self.net.connected, [(SITE, 80)])
        self.assertEqual(len(answers), 1)

    async def test_redirectInside(self):
        """
        Redirects to private addresses, other ports or schemes, or URLs with passwords
        are refused.
        """
        self.net.hosts["inner.example"] = self.net.hosts["127.0.0.1"] = ["127.0.0.1"]
        for location, why in [
            ("http://127.0.0.1/", "is not on the public Internet"),
            ("//inner.example/", "is not on the public Internet"),
            ("http://site.example:22/", "Port 22 is not allowed."),
            ("file:///etc/passwd", "Only http and https"),
            ("http://a:b@site.example/", "user name or password"),
            ("http://[", "redirects to an invalid URL"),
            ("http://[::1]/", "An IPv6 address"),
            ("", "redirects to an invalid URL"),
        ]:
            self.server.pages["/"] = redirect(location)
            told = await self.failing(self.fetch("http://site.example/"))
            self.assertIn(why, told, location)
        self.assertEqual(set(self.net.connected), {(SITE, 80)})

    async def test_redirectRebinding(self):
        """
        A redirect to the same name resolves and checks it again.
        """
        answers = [[SITE], ["127.0.0.1"]]
        self.net.hosts["site.example"] = lambda: answers.pop(0)
        self.server.pages["/"] = redirect("/again")
        told = await self.failing(self.fetch("http://site.example/"))
        self.assertIn("is not on the public Internet", told)
        self.assertEqual(self.net.connected, [(SITE, 80)])

    async def test_allowed(self):
        """
        Private addresses and other ports can be allowed by the configuration.
        """
        server = self.serve("127.0.0.1", 8080)
        server.pages["/"] = answer(b"inner")
        self.net.hosts["localhost"] = ["127.0.0.1"]
        told = await self.fetch(
            "http://localhost:8080/", allowPrivate=True, ports=[8080]
        )
        self.assertTrue(told.endswith("inner"))


class TLSTests(FetchTestCase):
    """
    A certificate must be trusted and match the URL's host.
    """

    def setUp(self):
        super().setUp()
        self.certificate = certificateFor("site.example")

        def listen(port, factory, interface):
            options = self.certificate.options()
            return reactor.listenSSL(port, factory, options, interface=interface)

        self.listen = listen
        self.secure = self.serve(SITE, 443, listen)
        self.secure.pages["/"] = answer(b"safe")

    def trust(self):
        """
        Trust the test's certificate.
        """
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(self.certificate.dumpPEM())
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE", None)
        os.environ["SSL_CERT_FILE"] = path

    async def test_trusted(self):
        """
        The certificate is checked for the name, though the connection is to an address.
        """
        self.trust()
        told = await self.fetch("https://site.example/")
        self.assertEqual(told, "https://site.example/\n\nsafe")
        self.assertEqual(self.net.connected, [(SITE, 443)])
        await self.secure.allClosed()

    async def test_otherName(self):
        """
        A certificate of another host is refused.
        """
        self.trust()
        self.net.hosts["other.example"] = [SITE]
        told = await self.failing(self.fetch("https://other.example/"))
        self.assertEqual(told, "https://other.example/ gives no valid HTTP response.")
        self.assertEqual(self.flushLoggedErrors(), [])

    async def test_noNames(self):
        """
        A certificate without names is refused, trusted or not; no error is logged.
        """
        for trusted in (True, False):
            self.certificate = certificateFor("site.example", names=False)
            address = f"93.184.216.{40 + trusted}"
            self.serve(address, 443, self.listen)
            self.net.hosts["site.example"] = [address]
            if trusted:
                self.trust()
            else:
                os.environ.pop("SSL_CERT_FILE", None)
            told = await self.failing(self.fetch("https://site.example/"))
            self.assertEqual(
                told, "https://site.example/ gives no valid HTTP response."
            )
            self.assertEqual(self.flushLoggedErrors(), [])

    async def test_untrusted(self):
        """
        An untrusted certificate is refused.
        """
        told = await self.failing(self.fetch("https://site.example/"))
        self.assertEqual(told, "https://site.example/ gives no valid HTTP response.")
        await self.secure.allClosed()


class URLTests(SynchronousTestCase):
    """
    Only web addresses are fetched.
    """

    def test_refused(self):
        """
        Other schemes and ports, passwords and invalid URLs are refused before any
        request.
        """
        for url, why in [
            ("ftp://site.example/", "Only http and https"),
            ("file:///etc/passwd", "Only http and https"),
            ("javascript:alert(1)", "Only http and https"),
            ("site.example", "Only http and https"),
            ("/etc/passwd", "Only http and https"),
            ("http://", "Only http and https"),
            ("http:///x", "Only http and https"),
            ("http://me@site.example/", "user name or password"),
            ("http://me:secret@site.example/", "user name or password"),
            ("http://site.example:8080/", "Port 8080 is not allowed."),
            ("http://[::1]/", "An IPv6 address"),
            ("http://[::ffff:127.0.0.1]:80/", "An IPv6 address"),
            ("http://site.example:x/", "not a URL"),
            ("http://[::1/", "not a URL"),
            ("http://a\ud800b/", "not a URL"),
        ]:
            with self.assertRaises(ToolError) as caught:
                parseURL(url, (80, 443))
            self.assertIn(why, str(caught.exception), ascii(url))
            self.assertNotIn("secret", str(caught.exception))

    def test_accepted(self):
        """
        Valid URLs are normalized.
        """
        for url, expected in [
            (" HTTP://Site.Example ", "http://site.example/"),
            ("https://bücher.example/ä?ö#ü", None),
            ("http://site.example:443/", "http://site.example:443/"),
        ]:
            found = parseURL(url, (80, 443)).to_text()
            self.assertTrue(found.isascii())
            if expected:
                self.assertEqual(found.rstrip("/"), expected.rstrip("/"))

    @given(st.text() | st.text().map("http://{}".format))
    def test_anything(self, text):
        """
        Any text is parsed or refused with a L{ToolError}.
        """
        try:
            url = parseURL(text, (80, 443))
        except ToolError:
            return
        self.assertIn(url.scheme, ["http", "https"])
        self.assertEqual(url.userinfo, "")
        self.assertTrue(url.to_text().isascii())
