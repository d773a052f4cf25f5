"""
Tests of L{openclaw.tools.web_fetch}: the process that makes text of a page.
"""

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from openclaw.interfaces import ToolError
from openclaw.tools import web_fetch
from openclaw.tools.html_text import TOO_DEEP
from openclaw.tools.web_fetch import pageText

LIMIT = 50_000
SIZE = 200_000


def filled(piece: str) -> bytes:
    """
    Repeat a piece of HTML up to the size of a large page.
    """
    return (piece * (SIZE // len(piece))).encode()


class PageTests(TestCase):
    """
    Pages of strangers.
    """

    timeout = 60

    async def text(self, page: bytes, kind: str = "text/html") -> tuple[str, int]:
        """
        Make text of a page.
        """
        return await pageText(reactor, page, kind, None, LIMIT)

    async def test_usual(self) -> None:
        """
        The text of a page, and of what is no HTML.
        """
        found = await self.text("<p>Grüße, <b>alle</b>".encode())
        self.assertEqual(found, ("Grüße, alle", 0))
        self.assertEqual(await self.text(b"<p>", "text/plain"), ("<p>", 0))

    async def test_long(self) -> None:
        """
        Of a long text the beginning comes, and the number of characters that do not.
        """
        text, left = await self.text(("ü" * 70_000).encode(), "text/plain")
        self.assertEqual((text, left), ("ü" * LIMIT, 20_000))

    async def test_binary(self) -> None:
        """
        What is no text is an error.
        """
        with self.assertRaises(ToolError) as caught:
            await self.text(b"a\0b")
        self.assertIn("is not text", str(caught.exception))

    async def test_shapes(self) -> None:
        """
        Pages of any shape give text within the bounds, or say why not; what is nested
        too deeply is said to be left out.
        """
        for piece in (
            "<ul><li>x",
            "<div>x",
            "<blockquote>x",
            "<table><tr><td>x",
            "<b>x",
            "<a href=y>x",
            "<pre>x\n",
            "<svg>x",
        ):
            text, left = await self.text(filled(piece))
            self.assertLessEqual(len(text), LIMIT)
            whole = text.count("x") >= SIZE // len(piece)
            self.assertTrue(whole or left or text.endswith(TOO_DEEP.strip()), piece)

    async def test_memory(self) -> None:
        """
        What takes too much memory is an error.
        """
        self.patch(web_fetch, "MEMORY_BYTES", 120 * 1024 * 1024)
        self.patch(web_fetch, "MEMORY_PER_BYTE", 0)
        with self.assertRaises(ToolError) as caught:
            await self.text(b"<table>" + filled("<tr><td>a<td>b") * 5)
        self.assertIn("too much memory", str(caught.exception))

    async def test_time(self) -> None:
        """
        So is what takes too long.
        """
        self.patch(web_fetch, "SECONDS", 0.01)
        with self.assertRaises(ToolError) as caught:
            await self.text(b"<p>hi")
        self.assertIn("within 0.01 s", str(caught.exception))
