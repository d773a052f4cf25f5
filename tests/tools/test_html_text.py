"""
Tests for L{openclaw.tools.html_text}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.tools.html_text import renderHTML

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
