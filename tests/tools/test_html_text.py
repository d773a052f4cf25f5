"""
Tests for L{openclaw.tools.html_text}.
"""

import codecs
from encodings import aliases

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.net.media_type import mediaType
from openclaw.tools.html_text import decodeText, isTextType, renderHTML

CHARSETS = st.sampled_from(sorted({*aliases.aliases, *aliases.aliases.values()}))
"""
The names of all that Python can decode.
"""

PAGE = """<!DOCTYPE html>
<html><head><title> A
 title </title><style>p { color: red }</style><script>alert(1)</script></head>
<body><h1>Head</h1><p>Some <b>words</b> &amp; a <a href="/more">link</a>.</p>
<ul><li>one<li>two</ul><table><tr><th>a<th>b<tr><td>1<td>2</table></body></html>"""


class ReadableTests(SynchronousTestCase):
    """
    HTML is rendered as readable text.
    """

    def test_page(self):
        """
        Title, text, links, lists and tables are included; scripts and styles are not.
        """
        text = renderHTML(PAGE)
        self.assertTrue(text.startswith("A title\n\n"), text)
        self.assertIn("Some words & a [link](/more).", text)
        self.assertIn("* one", text)
        self.assertRegex(text, r"a +b\n")
        self.assertRegex(text, r"1 +2")
        self.assertNotIn("alert", text)
        self.assertNotIn("color", text)

    def test_declared(self):
        """
        An encoding declaration in decoded HTML is ignored.
        """
        text = renderHTML('<?xml version="1.0" encoding="latin-1"?><p>Füße</p>')
        self.assertEqual(text.strip(), "Füße")

    def test_nothing(self):
        """
        A page without text gives an empty text.
        """
        for page in ["", " ", "<html></html>", "<!-- -->", "<p>"]:
            self.assertEqual(renderHTML(page), "")

    def test_hostile(self):
        """
        Hostile pages are rendered without an error.
        """
        for piece in [
            "<div>",
            "<b>",
            "<table><tr><td>",
            "<ul><li>",
            "<!--",
            "<a ",
            "<",
        ]:
            self.assertIsInstance(renderHTML(piece * 20_000), str)

    @given(st.text())
    def test_anything(self, text):
        """
        Any input gives a text.
        """
        self.assertIsInstance(renderHTML(text), str)


class DecodedTests(SynchronousTestCase):
    """
    Bytes are decoded with the right charset.
    """

    def test_header(self):
        """
        The header's charset takes precedence.
        """
        for charset in ["utf-8", "iso-8859-15", "koi8-r", "shift_jis", "utf-16-le"]:
            text = "Фи" if charset == "koi8-r" else "no" if "jis" in charset else "Fü"
            self.assertEqual(decodeText(text.encode(charset), charset, False), text)

    def test_mark(self):
        """
        A byte order mark takes precedence over the header.
        """
        self.assertEqual(
            decodeText(codecs.BOM_UTF8 + "ü".encode(), "koi8-r", True), "ü"
        )
        self.assertEqual(decodeText("ü".encode("utf-16"), None, False), "ü")

    def test_meta(self):
        """
        HTML's charset is used if there is no other.
        """
        page = '<meta charset="koi8-r">Ф'
        self.assertEqual(decodeText(page.encode("koi8-r"), None, True), page)
        self.assertIn("\ufffd", decodeText(page.encode("koi8-r"), None, False))

    def test_windows(self):
        """
        Latin-1 is decoded as Windows-1252, as in browsers.
        """
        self.assertEqual(decodeText(b"\x93x\x94", "ISO-8859-1", False), "\u201cx\u201d")

    def test_nonsense(self):
        """
        Unknown charsets, and Python's codecs that are not charsets, are ignored.
        """
        for charset in [
            "no-such",
            "rot13",
            "zip",
            "idna",
            "unicode_escape",
            "a\0b",
            "é",
        ]:
            self.assertEqual(decodeText("ü".encode(), charset, True), "ü", charset)

    @given(st.binary(), CHARSETS | st.text(max_size=9) | st.none(), st.booleans())
    def test_anything(self, data, charset, html):
        """
        Any input gives a text.
        """
        self.assertIsInstance(decodeText(data, charset, html), str)


class TypeTests(SynchronousTestCase):
    """
    Media types are classified.
    """

    def test_text(self):
        """
        Text types are accepted, others are not.
        """
        for said in [
            "text/html",
            "TEXT/Markdown; charset=x",
            "application/json",
            "application/atom+xml",
            "application/problem+json",
        ]:
            self.assertTrue(isTextType(mediaType(said)[0]), said)
        for said in [
            "image/png",
            "application/pdf",
            "application/octet-stream",
            "",
            "x",
        ]:
            self.assertFalse(isTextType(mediaType(said)[0]), said)

    def test_charset(self):
        """
        The charset is parsed, quoted or not.
        """
        for said in ["text/plain;charset=utf-8", 'text/plain; x=y; charset="utf-8"']:
            self.assertEqual(mediaType(said), ("text/plain", "utf-8"))
        self.assertEqual(mediaType("text/plain"), ("text/plain", None))

    @given(st.text())
    def test_anything(self, said):
        """
        Any header can be parsed.
        """
        kind, charset = mediaType(said)
        self.assertIsInstance(kind, str)
        self.assertIsInstance(charset, (str, type(None)))
