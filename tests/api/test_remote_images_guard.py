"""
Tests of L{openclaw.api.remote_images}: permitted hosts, and the content of errors.
"""

from twisted.internet.error import (
    ConnectionRefusedError,
    NoRouteError,
    TimeoutError,
)

from openclaw.api.request_images import MAX_IMAGES
from openclaw.net.fetching import MAX_REDIRECTS
from tests.api.image_case import PICTURE, SECOND, RemoteTestCase, page
from tests.api.test_request_images import PNG, body
from tests.server.memory_internet import SITE


class GuardTests(RemoteTestCase):
    """
    Callers can't probe the gateway's network.
    """

    def test_sameWords(self):
        """
        A private address, an unknown name, a closed port and a missing page have the
        same error.
        """
        for address in ("127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1"):
            self.net.hosts["inner.example"] = [address]
            self.net.hosts[address] = [address]
            self.assertNotHad(self.post("http://inner.example/"))
            self.assertNotHad(self.post(f"http://{address}/"))
        self.assertNotHad(self.post("http://none.example/"))
        self.assertEqual(self.net.connected, [])
        for answer in (
            page(PNG, "404 Not Found"),
            page(PNG, "500 Oh"),
            b"220 mail.example ESMTP\r\n\r\n",
        ):
            caller = self.post(PICTURE)
            self.serve(answer)
            self.assertNotHad(caller)
        for error in (ConnectionRefusedError(), TimeoutError(), NoRouteError()):
            self.net.fail(80, error)
            caller = self.post(PICTURE)
            self.net.wait(1)
            self.assertNotHad(caller)

    def test_redirectInside(self):
        """
        A redirect is checked like a URL, and its target is not shown.
        """
        self.net.hosts["inner.example"] = ["10.0.0.1"]
        for location in (
            "http://inner.example/",
            "http://site.example:22/",
            "file:///etc/passwd",
            "http://a:b@site.example/",
            "",
        ):
            caller = self.post(PICTURE)
            self.serve(page(b"", "302 Found", location=location))
            self.assertNotHad(caller)
        self.assertEqual(set(self.net.connected), {(SITE, 80)})

    def test_endlessRedirects(self):
        """
        The number of redirects is limited.
        """
        caller = self.post(PICTURE)
        self.serve(*[page(b"", "302 Found", location="/b")] * (MAX_REDIRECTS + 1))
        self.assertNotHad(caller)
        self.assertEqual(len(self.net.connected), MAX_REDIRECTS + 1)

    def test_allowlist(self):
        """
        Hosts that are not listed are not contacted, by URL or redirect.
        """
        self.fetching(urlAllowlist=["site.example", "*.cdn.example"])
        self.net.hosts |= {"a.cdn.example": [SITE], "evil.example": [SITE]}
        answer = self.assertNotHad(
            self.post("http://evil.example/"), code="invalid_image_url"
        )
        self.assertIn("evil.example", answer.error["message"])
        self.assertEqual(self.net.connected, [])
        caller = self.post("http://a.cdn.example/")
        self.serve(page(b"", "302 Found", location="http://evil.example/"))
        self.assertNotHad(caller)
        self.assertEqual(self.net.connected, [(SITE, 80)])
        self.post(PICTURE)
        self.serve(page(b"", "302 Found", location="http://a.cdn.example/"))
        self.serve(page(PNG))
        self.assertEqual(len(self.gateway.provider.calls), 1)

    def test_wrongURL(self):
        """
        An invalid URL has an error with the reason, before anything else is fetched.
        """
        for url, why in [
            ("http://site.example:8080/a", "Port 8080"),
            ("http://me:secret@site.example/", "password"),
            ("http://[::1]/", "IPv6"),
            ("http://", "Only http and https"),
            (f"http://site.example/{'a' * 5000}", "4096"),
        ]:
            caller = self.post(PICTURE, url)
            answer = self.assertNotHad(caller, "invalid_image_url", SECOND)
            self.assertIn(why, answer.error["message"])
            self.assertNotIn("secret", answer.error["message"])
        self.assertEqual(self.net.connected, [])

    def test_otherScheme(self):
        """
        Only HTTP is supported.
        """
        for url in ("file:///etc/passwd", "ftp://site.example/a.png"):
            self.assertNotHad(self.post(url), None)

    def test_notAsked(self):
        """
        For a request that is rejected for another reason nothing is fetched.
        """
        for fields in (
            {"model": "gpt-4o"},
            {"temperature": 3},
            {"tools": [{"type": "function"}]},
        ):
            self.assertEqual(self.post(PICTURE, **fields).answer.status, 400)
        header = ("x-openclaw-model", "scripted/blind")
        answer = self.gateway.post(body(PICTURE), header).answer
        self.assertRefused(answer, 400, "unsupported_content", "messages")
        many = [PICTURE] * (MAX_IMAGES + 1)
        self.assertEqual(self.post(*many).answer.error["param"][-10:], "content[9]")
        self.net.flush()
        self.assertEqual(self.net.connected, [])


class AllowedTests(RemoteTestCase):
    """
    C{web_fetch} may connect to private addresses and other ports.
    """

    fetch = {"allowPrivate": True, "ports": [8080]}

    def test_allowed(self):
        """
        Images may come from there, too.
        """
        self.net.hosts["inner.example"] = ["10.0.0.1"]
        self.net.listen(8080, self.server)
        self.post("http://inner.example:8080/a.png")
        self.serve(page(PNG))
        self.assertEqual(self.net.connected, [("10.0.0.1", 8080)])
        self.assertEqual(len(self.gateway.provider.calls), 1)
