"""
Tests for L{openclaw.tools.page_charset} and L{openclaw.tools.page_text}: the charsets
and types of fetched documents.
"""

import codecs
from encodings import aliases

import webencodings
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.net.media_type import mediaType
from openclaw.tools.page_charset import decodeText
from openclaw.tools.page_text import extractText, isTextType

CHARSETS = st.sampled_from(sorted({*aliases.aliases, *aliases.aliases.values()}))
"""
The names of all that Python can decode.
"""


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

    def test_labels(self):
        """
        A label is that of the WHATWG, whose encodings are often wider than the name.
        """
        for label, data, text in [
            ("gb2312", "\u9555\u20ac".encode("gb18030"), "\u9555\u20ac"),
            ("GBK", "\U00020087".encode("gb18030"), "\U00020087"),
            ("x-gbk", "\u4f60".encode("gbk"), "\u4f60"),
            ("shift_jis", "\u2460\u9ad9".encode("cp932"), "\u2460\u9ad9"),
            ("x-sjis", "\u2460".encode("cp932"), "\u2460"),
            ("windows-31j", "\u2460".encode("cp932"), "\u2460"),
            ("euc-kr", "\ub625".encode("cp949"), "\ub625"),
            ("ks_c_5601-1987", "\ub625".encode("cp949"), "\ub625"),
            ("big5", "\u55f0".encode("big5hkscs"), "\u55f0"),
            ("x-x-big5", "\u4e2d".encode("big5"), "\u4e2d"),
            ("tis-620", "\u0e01".encode("cp874"), "\u0e01"),
            ("latin1", b"\x80", "\u20ac"),
            ("us-ascii", b"\x93", "\u201c"),
            ("iso-8859-9", b"\x80\xd0", "\u20ac\u011e"),
            ("unicode-1-1-utf-8", "\u00fc".encode(), "\u00fc"),
            ("utf-16", "\u00fc".encode("utf-16-le"), "\u00fc"),
            ("utf-16be", "\u00fc".encode("utf-16-be"), "\u00fc"),
            ("x-mac-cyrillic", "\u0436".encode("mac_cyrillic"), "\u0436"),
            ("iso-8859-8-i", "\u05d0".encode("iso8859_8"), "\u05d0"),
            ("cp437", b"\x81", "\u00fc"),
            ("hz-gb-2312", "\u4f60".encode("hz"), "\u4f60"),
            (" 'UTF-8' ", "\u00fc".encode(), "\u00fc"),
        ]:
            self.assertEqual(decodeText(data, label, False), text, label)

    def test_allLabels(self):
        """
        Each label of the standard is known.
        """
        self.assertGreater(len(webencodings.LABELS), 200)
        for label in webencodings.LABELS:
            name = webencodings.lookup(label).name
            codec = name if name.startswith("utf-16") else "ascii"
            self.assertEqual(decodeText("abc".encode(codec), label, False), "abc")

    def test_declared(self):
        """
        A page's own declaration counts: that of XML, then those of C{<meta>}, except
        in comments.
        """
        for page, charset in [
            ('<?xml version="1.0" encoding="koi8-r"?><html>\u0424', "koi8-r"),
            ("<?xml version='1.0' encoding='koi8-r' ?><html>\u0424", "koi8-r"),
            ('<meta charset="koi8-r">\u0424', "koi8-r"),
            ("<META CharSet=koi8-r >\u0424", "koi8-r"),
            ("<meta charset='koi8-r'/>\u0424", "koi8-r"),
            (
                '<meta http-equiv="Content-Type" content="text/html; charset=koi8-r">'
                "\u0424",
                "koi8-r",
            ),
            (
                '<meta content="text/html;charset=koi8-r" http-equiv=content-type>'
                "\u0424",
                "koi8-r",
            ),
            ('<!-- <meta charset="latin1"> --><meta charset="koi8-r">\u0424', "koi8-r"),
            (
                '<meta name="description" content="charset=latin1">'
                '<meta charset="koi8-r">\u0424',
                "koi8-r",
            ),
            (
                '<meta name="d" content="a > b"><meta charset="koi8-r">\u0424',
                "koi8-r",
            ),
            ('<meta charset="no-such"><meta charset="koi8-r">\u0424', "koi8-r"),
            ('<meta charset="utf-16">\u00fc\u0424', "utf-8"),
            ('<meta charset="utf-16be">\u0424', "utf-8"),
            ('<?xml version="1.0" encoding="utf-16"?>\u0424', "utf-8"),
            ('<meta charset="x-user-defined">\u00fc', "cp1252"),
            ('<?xml version="1.0"?><html>\u0424', "utf-16-le"),
            ('<?xml version="1.0"?><html>\u0424', "utf-16-be"),
        ]:
            self.assertEqual(decodeText(page.encode(charset), None, True), page, page)
        page = '<meta charset="latin1">\u0424'
        self.assertEqual(decodeText(page.encode("koi8-r"), "koi8-r", True), page)

    def test_XML(self):
        """
        XML that is not HTML declares its charset, too, and only so.
        """
        text = '<?xml version="1.0" encoding="windows-1251"?><a>\u0424</a>'
        for kind in ["application/xml", "text/xml", "application/rss+xml"]:
            self.assertEqual(extractText(text.encode("cp1251"), kind, None, 99), text)
        self.assertIn(
            "\ufffd", extractText(text.encode("cp1251"), "text/plain", None, 99)
        )

    def test_controls(self):
        """
        Control characters are shown in a readable form.
        """
        self.assertEqual(
            extractText(b"a\x1b[1mb\r\n\tc", "text/plain", None, 99),
            "a\\x1b[1mb\r\n\tc",
        )
        self.assertIsNone(extractText(b"a\0b", "text/plain", None, 99))


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
            "application/javascript",
            "application/x-javascript",
            "application/ecmascript",
            "application/typescript",
            "application/toml",
            "application/x-toml",
            "application/yaml",
            "application/x-yaml",
            "application/vnd.yaml",
            "application/openapi+yaml",
            "application/x-sh",
            "application/x-shellscript",
            "application/x-python",
            "application/x-perl",
            "application/x-httpd-php",
            "application/sql",
            "application/graphql",
            "application/x-ndjson",
            "application/csv",
            "application/x-tex",
            "application/xml-dtd",
            "application/x-www-form-urlencoded",
            "image/svg+xml",
            "message/rfc822",
        ]:
            self.assertTrue(isTextType(mediaType(said)[0]), said)
        for said in [
            "image/png",
            "application/pdf",
            "application/octet-stream",
            "application/zip",
            "application/x-tar",
            "application/javascript2",
            "application/vnd.ms-excel",
            "application/wasm",
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
