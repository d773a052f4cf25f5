"""
Tests of L{openclaw.tools.web_fetch}: the process that extracts the text of a page.
"""

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from openclaw.interfaces import ToolError
from openclaw.tools import web_fetch
from openclaw.tools.html_text import TOO_DEEP
from openclaw.tools.web_fetch import WebFetchTool, extractPageText
from tests.tools.local_internet import FetchTestCase
from tests.tools.tool_case import appearing

LIMIT = 50_000
SIZE = 200_000


def filled(piece: str) -> bytes:
    """
    Repeat HTML up to the size of a large page.
    """
    return (piece * (SIZE // len(piece))).encode()


class PageTests(TestCase):
    """
    Text is extracted from untrusted pages.
    """

    timeout = 60

    async def text(self, page: bytes, kind: str = "text/html") -> tuple[str, int]:
        """
        Extract the text of a page.
        """
        return await extractPageText(reactor, page, kind, None, LIMIT)

    async def test_usual(self) -> None:
        """
        The text of HTML and of plain text is returned.
        """
        found = await self.text("<p>Grüße, <b>alle</b>".encode())
        self.assertEqual(found, ("Grüße, alle", 0))
        self.assertEqual(await self.text(b"<p>", "text/plain"), ("<p>", 0))

    async def test_long(self) -> None:
        """
        A long text is truncated, and the number of left-out characters is returned.
        """
        text, left = await self.text(("ü" * 70_000).encode(), "text/plain")
        self.assertEqual((text, left), ("ü" * LIMIT, 20_000))

    async def test_binary(self) -> None:
        """
        Binary content is an error.
        """
        with self.assertRaises(ToolError) as caught:
            await self.text(b"a\0b")
        self.assertIn("is not text", str(caught.exception))

    async def test_shapes(self) -> None:
        """
        Pages of any shape give a text within the limits, or an error; content nested
        too deeply is left out with a note.
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
        A page that takes too much memory is an error.
        """
        self.patch(web_fetch, "MEMORY_BYTES", 120 * 1024 * 1024)
        self.patch(web_fetch, "MEMORY_PER_BYTE", 0)
        with self.assertRaises(ToolError) as caught:
            await self.text(b"<table>" + filled("<tr><td>a<td>b") * 5)
        self.assertIn("too much memory", str(caught.exception))

    async def test_memoryOfParser(self) -> None:
        """
        So is one whose parser needs too much.
        """
        self.patch(web_fetch, "MEMORY_BYTES", 420 * 1024 * 1024)
        self.patch(web_fetch, "MEMORY_PER_BYTE", 0)
        with self.assertRaises(ToolError) as caught:
            await self.text(b"<table>" + filled("<tr><td>a<td>b") * 20)
        self.assertIn("too much memory", str(caught.exception))

    async def test_reasons(self) -> None:
        """
        The error message says why the process ended.
        """
        kill = "import os, signal\nos.kill(os.getpid(), signal.{})"
        for program, words in (
            (kill.format("SIGSEGV"), "extracted: ended by SIGSEGV."),
            (kill.format("SIGABRT"), "extracted: ended by SIGABRT."),
            (kill.format("SIGRTMIN + 3"), "extracted: ended by signal 37."),
            (kill.format("SIGKILL"), "SIGKILL, as the system does when its memory"),
            (kill.format("SIGXCPU"), "extracted within 10 s."),
            ("raise SystemExit(3)", "extracted: exit status 3."),
            ("raise ImportError('x')", "extracted: exit status 1."),
            ("", "extracted: exit status 0."),
            ("print('[]')", "extracted: exit status 0."),
            ("print('{\"left\": 0}')\nraise SystemExit(3)", "exit status 3."),
            ("while True: print('x' * 10**6)", ": it is far too long."),
        ):
            child = Path(self.mktemp())
            child.write_text(program)
            self.patch(web_fetch, "PAGE_PROGRAM", child.absolute())
            with self.assertRaises(ToolError) as caught:
                await self.text(b"<p>hi")
            self.assertIn(words, str(caught.exception))

    async def test_lowerLimit(self) -> None:
        """
        A lower limit of the daemon itself applies, too.
        """
        page = web_fetch.PAGE_PROGRAM.read_text()
        child = Path(self.mktemp())
        limit = "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (5, 5))\n"
        child.write_text(page.replace("import json\n", limit + "import json\n", 1))
        self.patch(web_fetch, "PAGE_PROGRAM", child.absolute())
        self.assertEqual(await self.text(b"<p>hi"), ("hi", 0))

    async def test_time(self) -> None:
        """
        A page that takes too long is an error.
        """
        self.patch(web_fetch, "SECONDS", 0.01)
        with self.assertRaises(ToolError) as caught:
            await self.text(b"<p>hi")
        self.assertIn("within 0.01 s", str(caught.exception))


class WaitingTests(FetchTestCase):
    """
    The queue of pages is limited.
    """

    def setUp(self) -> None:
        super().setUp()
        self.page(b"<p>hi", content_type="text/html")
        self.tool = WebFetchTool()
        child = Path(self.mktemp()).absolute()
        child.write_text("import time\ntime.sleep(600)")
        self.patch(web_fetch, "PAGE_PROGRAM", child)
        self.patch(web_fetch, "AT_ONCE", 1)

    def call(self, sessionKey: str = "a") -> "Deferred[str]":
        """
        Call the tool.
        """
        context = self.context(reactor=self.net, sessionKey=sessionKey, settings={})
        return self.tool.run({"url": "http://site.example/"}, context)

    async def test_many(self) -> None:
        """
        A call beyond the limit fails at once.
        """
        self.patch(web_fetch, "MAX_WAITING", 1)
        first = self.call()
        await appearing(lambda: self.tool._processes and self.tool._processes.held)
        second = self.call()
        await appearing(lambda: self.tool._processes.waiting)
        told = await self.failing(self.call())
        self.assertEqual(told, "Too many pages are being read. Try again soon.")
        for call in (second, first):
            await self.cancelling(call)
        self.assertEqual(
            (self.tool._processes.held, self.tool._processes.waiting), (0, 0)
        )

    async def test_long(self) -> None:
        """
        A call fails after the longest wait.
        """
        self.patch(web_fetch, "WAIT_SECONDS", 0.01)
        first = self.call()
        await appearing(lambda: self.tool._processes and self.tool._processes.held)
        told = await self.failing(self.call())
        self.assertEqual(told, "Too many pages are being read. Try again soon.")
        await self.cancelling(first)
