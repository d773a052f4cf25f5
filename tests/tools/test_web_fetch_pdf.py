"""
Tests of L{openclaw.tools.web_fetch} with PDF.
"""

import zlib

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from openclaw.interfaces import ToolError
from openclaw.tools import web_fetch
from openclaw.tools.web_fetch import extractPageText
from tests.tools.local_internet import FetchTestCase
from tests.tools.pdf_documents import encryptPDF, makeDocument, makePDF
from tests.tools.tool_case import childProcesses

URL = "http://site.example/"
PDF = "application/pdf"


class FetchedPDFTests(FetchTestCase):
    """
    PDF is read as text.
    """

    async def test_pages(self):
        """
        The text of each page is returned.
        """
        self.page(makePDF("Hello", "Gr\u00fc\u00dfe"), content_type=PDF)
        self.assertEqual(
            await self.fetch(URL),
            f"{URL}\n\n[page 1 of 2]\nHello\n[page 2 of 2]\nGr\u00fc\u00dfe",
        )

    async def test_truncated(self):
        """
        A document that exceeds the limit of a download is refused with the limit.
        """
        self.page(makePDF("x" * 5000, "y" * 5000), content_type=PDF)
        told = await self.failing(self.fetch(URL, maxBytes=600))
        self.assertIn("is a PDF of more than 600 bytes", told)
        self.assertIn("tools.web.fetch.maxBytes", told)

    async def test_long(self):
        """
        The text is bounded, and the result says which pages are left out.
        """
        self.page(makePDF(*["words " * 20] * 30), content_type=PDF)
        told = await self.fetch(URL, maxCharacters=500)
        self.assertLess(len(told), 650)
        self.assertTrue(
            told.endswith("[the rest of this page and 26 more is not shown]"), told
        )


class PDFProcessTests(TestCase):
    """
    PDF is not trusted.
    """

    timeout = 60

    async def text(self, document):
        text, _ = await extractPageText(reactor, document, PDF, None, 40_000)
        self.assertEqual(childProcesses(), [])
        return text

    async def refusal(self, document):
        """
        Return the error.
        """
        try:
            text = await self.text(document)
        except ToolError as error:
            return str(error)
        raise self.failureException(f"it was read: {text[:100]!r}")

    async def test_encrypted(self):
        """
        A document with a password is refused; one with the empty password is read.
        """
        told = await self.refusal(encryptPDF(makePDF("secret"), "hush"))
        self.assertEqual(told, "The page is encrypted with a password.")
        text = await self.text(encryptPDF(makePDF("open"), ""))
        self.assertEqual(text, "[page 1 of 1]\nopen")

    async def test_damaged(self):
        """
        A damaged document is refused with the reason, or read.
        """
        document = makePDF("Hello")
        for damaged in [b"", b"%PDF-1.4", b"no PDF", b"%PDF-1.4\n" + b"[" * 100_000]:
            self.assertIn("PDF", await self.refusal(damaged))
        for size in range(100, len(document), 211):
            try:
                await self.text(document[:size])
            except ToolError as error:
                self.assertIn("PDF", str(error))

    async def test_images(self):
        """
        A document without text says so.
        """
        told = await self.refusal(makePDF("", ""))
        self.assertEqual(
            told, "The page is a PDF without text; its pages may be images."
        )

    async def test_bombs(self):
        """
        Content that takes too much memory or time is refused.
        """
        self.patch(web_fetch, "SECONDS", 3)
        bomb = makeDocument([b"q " * 200_000_000])
        self.assertLess(len(bomb), 1_000_000)
        twice = makeDocument([zlib.compress(b" " * 1_000_000_000, 9)])
        slow = makeDocument([b"BT /F1 12 Tf (x) Tj ET " * 3_000_000] * 3)
        for document in [bomb, twice, slow]:
            try:
                text = await self.text(document)
            except ToolError:
                continue
            self.assertLess(len(text), 50_000)
