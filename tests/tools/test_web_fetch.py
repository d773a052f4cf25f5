"""
Tests for L{openclaw.tools.web_fetch}: results, limits and cancellation.
"""

import gzip

from openclaw.net.fetching import MAX_REDIRECTS
from tests.tools.local_internet import SITE, FetchTestCase, answer, redirect
from tests.tools.tool_case import appearing


class ReadingTests(FetchTestCase):
    """
    Pages are fetched.
    """

    async def test_plain(self):
        """
        Text is returned unchanged after its URL; the connection is closed.
        """
        self.page("Füße\n".encode())
        told = await self.fetch("http://site.example")
        self.assertEqual(told, "http://site.example/\n\nFüße\n")
        await self.server.allClosed()

    async def test_request(self):
        """
        The request has the URL's path and host, without secrets or the fragment.
        """
        self.server.pages["/a%20b?c=d"] = answer(b"x")
        await self.fetch("http://Site.Example/a b?c=d#e")
        [conversation] = self.server.conversations
        lines = conversation.received.decode().split("\r\n")
        self.assertEqual(lines[0], "GET /a%20b?c=d HTTP/1.1")
        self.assertIn("Host: site.example", lines)
        names = {line.partition(":")[0].lower() for line in lines[1:] if line}
        self.assertEqual(
            names, {"host", "user-agent", "accept", "accept-encoding", "connection"}
        )

    async def test_html(self):
        """
        HTML is converted to text.
        """
        page = "<title>T</title><p>Ein <b>Fuß</b><script>no</script>"
        self.page(page.encode("latin-1"), content_type="text/html; charset=latin-1")
        told = await self.fetch("http://site.example/")
        self.assertEqual(told.split(), ["http://site.example/", "T", "Ein", "Fuß"])

    async def test_json(self):
        """
        JSON is returned unchanged.
        """
        self.page(b'{"a": 1}', content_type="application/json")
        told = await self.fetch("http://site.example/")
        self.assertTrue(told.endswith('\n{"a": 1}'))

    async def test_types(self):
        """
        Text is text by any of its media types, also if a proxy has transformed it.
        """
        for kind in [
            "application/javascript",
            "application/toml",
            "application/x-yaml",
        ]:
            self.page(b"a = 1", content_type=kind)
            self.assertTrue(
                (await self.fetch("http://site.example/")).endswith("\na = 1")
            )
        self.server.pages["/"] = answer(b"text", b"203 Non-Authoritative Information")
        self.assertTrue((await self.fetch("http://site.example/")).endswith("\ntext"))

    async def test_charsets(self):
        """
        The header's charset is one of the WHATWG's, in small and in large pages.
        """
        for size in [1, 100_000]:
            text = "\u2460\u9ad9" * size
            self.page(text.encode("cp932"), content_type="text/plain; charset=x-sjis")
            told = await self.fetch("http://site.example/", maxCharacters=300_000)
            self.assertTrue(told.endswith(text))

    async def test_compressed(self):
        """
        A compressed page is decoded.
        """
        self.page(gzip.compress(b"text"), content_encoding="gzip")
        told = await self.fetch("http://site.example/")
        self.assertTrue(told.endswith("\ntext"), told)

    async def test_untilClosed(self):
        """
        A page without a length ends with the connection.
        """
        self.page(b"text", content_length=None, connection="close")
        call = self.fetch("http://site.example/")
        await appearing(lambda: self.server.open)
        [conversation] = self.server.conversations
        await appearing(lambda: conversation.received)
        conversation.transport.loseConnection()
        self.assertEqual(await call, "http://site.example/\n\ntext")

    async def test_empty(self):
        """
        An empty page gives a note.
        """
        self.page(b"")
        told = await self.fetch("http://site.example/")
        self.assertEqual(told, "http://site.example/\n\n[no text]")

    async def test_notText(self):
        """
        Binary content is refused, whatever its media type.
        """
        self.page(b"\x89PNG", content_type="image/png")
        told = await self.failing(self.fetch("http://site.example/"))
        self.assertEqual(told, "http://site.example/ is not text but image/png.")
        self.page(b"\x89PNG\0")
        told = await self.failing(self.fetch("http://site.example/"))
        self.assertEqual(told, "http://site.example/ is not text.")

    async def test_refusedByServer(self):
        """
        The error message contains the status.
        """
        self.page(b"x", status=b"404 Not Found")
        told = await self.failing(self.fetch("http://site.example/"))
        self.assertEqual(told, "http://site.example/ answers 404 Not Found.")

    async def test_broken(self):
        """
        A response that is not HTTP is an error.
        """
        self.server.greeting = b"220 mail.example ESMTP\r\n"
        told = await self.failing(self.fetch("http://site.example/"))
        self.assertEqual(told, "http://site.example/ gives no valid HTTP response.")

    async def test_nobodyThere(self):
        """
        An unknown host and a refused connection are errors.
        """
        told = await self.failing(self.fetch("http://none.example/"))
        self.assertEqual(told, "There is no host none.example.")
        self.net.routes.clear()
        told = await self.failing(self.fetch("http://site.example/"))
        self.assertEqual(told, "Can't connect to site.example.")


class RedirectTests(FetchTestCase):
    """
    Redirects are followed, up to a limit.
    """

    async def test_followed(self):
        """
        Each kind of redirect is followed, also relative ones; the result has the final
        URL, and each connection is closed.
        """
        self.net.hosts["other.example"] = [SITE]
        self.server.pages["/x/y"] = answer(b"there")
        for status in [b"301 M", b"302 F", b"303 S", b"307 T", b"308 P"]:
            for location in ["/x/y", "//other.example/x/y", "x/y#part"]:
                self.server.pages["/"] = redirect(location, status)
                told = await self.fetch("http://site.example/")
                self.assertTrue(told.endswith("/x/y\n\nthere"), told)
        await self.server.allClosed()

    async def test_bounded(self):
        """
        Circular redirects are an error.
        """
        self.server.pages["/"] = redirect("/")
        told = await self.failing(self.fetch("http://site.example/"))
        self.assertEqual(told, f"More than {MAX_REDIRECTS} redirects.")
        self.assertEqual(len(self.server.conversations), MAX_REDIRECTS + 1)


class BoundsTests(FetchTestCase):
    """
    Time and size are limited.
    """

    async def test_longPage(self):
        """
        The beginning of a long page is read, and the connection is closed.
        """
        self.page(b"x" * 1000, content_length=1 << 40)
        told = await self.fetch("http://site.example/", maxBytes=100)
        self.assertEqual(
            told,
            f"http://site.example/\n\n{'x' * 100}"
            "\n[only the first 100 bytes were read]",
        )
        await self.server.allClosed()

    async def test_longText(self):
        """
        The text is truncated.
        """
        self.page(b"x" * 1000)
        told = await self.fetch("http://site.example/", maxCharacters=10)
        self.assertTrue(
            told.endswith("\n\nxxxxxxxxxx\n[990 more characters are not shown]")
        )

    async def test_bomb(self):
        """
        The limit applies to decoded content.
        """
        self.page(gzip.compress(b"x" * 5_000_000), content_encoding="gzip")
        told = await self.fetch("http://site.example/", maxBytes=100)
        self.assertIn("[only the first 100 bytes were read]", told)

    async def test_endlessHeaders(self):
        """
        Endless headers are an error.
        """
        self.server.greeting = b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 400_000
        told = await self.failing(self.fetch("http://site.example/"))
        self.assertEqual(told, "http://site.example/ gives no valid HTTP response.")
        await self.server.allClosed()

    async def test_tooSlow(self):
        """
        A server that does not respond in time, or not completely, is an error.
        """
        self.server.pages["/cut"] = answer(b"x", content_length=9)
        for path in ["silent", "cut"]:
            told = await self.failing(
                self.fetch(f"http://site.example/{path}", timeoutSeconds=0.2)
            )
            self.assertEqual(told, "The fetch took longer than 0.2 s.")
            await self.server.allClosed()

    async def test_resolverTooSlow(self):
        """
        The time-out includes name resolution.
        """
        self.net.unresolved = True
        told = await self.failing(
            self.fetch("http://site.example/", timeoutSeconds=0.1)
        )
        self.assertEqual(told, "The fetch took longer than 0.1 s.")

    async def test_cutShort(self):
        """
        A truncated page is returned with a note.
        """
        self.page(b"text", content_length=9)
        call = self.fetch("http://site.example/")
        await appearing(lambda: self.server.open)
        [conversation] = self.server.conversations
        await appearing(lambda: conversation.received)
        conversation.transport.loseConnection()
        self.assertEqual(
            await call,
            "http://site.example/\n\ntext\n[only the first 4 bytes were read]",
        )


class CancelTests(FetchTestCase):
    """
    A cancelled fetch closes its connection in every phase.
    """

    async def test_resolving(self):
        """
        During name resolution.
        """
        self.net.unresolved = True
        call = self.fetch("http://site.example/")
        self.assertEqual(self.net.asked, ["site.example"])
        await self.cancelling(call)
        self.assertEqual(self.net.connected, [])

    async def test_connecting(self):
        """
        During connecting.
        """
        call = self.fetch("http://site.example/")
        self.assertEqual(self.net.connected, [(SITE, 80)])
        await self.cancelling(call)
        await self.server.allClosed()

    async def test_waiting(self):
        """
        While it waits for a response.
        """
        call = self.fetch("http://site.example/silent")
        await appearing(lambda: self.server.open)
        await self.cancelling(call)
        await self.server.allClosed()

    async def test_reading(self):
        """
        While it reads the page.
        """
        self.page(b"x", content_length=9)
        call = self.fetch("http://site.example/")
        await appearing(lambda: self.server.open)
        [conversation] = self.server.conversations
        await appearing(lambda: conversation.received)
        await self.cancelling(call)
        await self.server.allClosed()

    async def test_tls(self):
        """
        During a TLS handshake without a reply.
        """
        server = self.serve(SITE, 443)
        call = self.fetch("https://site.example/")
        await appearing(lambda: server.open)
        await self.cancelling(call)
        await server.allClosed()
