"""
Pages whose text would be far larger than the page.
"""

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from openclaw.tools.html_text import renderHTML
from tests.fuzz.mutations import hurried, mutated

FACTOR = 20
"""
The limit of a page's text, as a multiple of the page's size.
"""

WIDE = "x" * 20_000
ROWS = "<tr><td>a</td><td>b</td></tr>" * 500

PAGES = [
    b"<html><head><title>News</title><style>p {color: red}</style></head><body>"
    b'<h1>News</h1><p style="margin-top:1em">One <a href="/a?b=1&amp;c">two</a></p>'
    b"<ul><li>a<li>b</ul><pre>x\n  y</pre><table><tr><th>n</th>"
    b"<td rowspan=2>1</td></tr>"
    b"<tr><td>2</td></tr></table><!-- no --><script>alert(1)</script></body></html>",
    b"<p>caf\xc3\xa9 &nbsp;&#8212;&#x1F99E;<br><b><i>x</b></i><table><td><table><td>y",
]


class SizeTests(SynchronousTestCase):
    """
    A small page can't fill the memory.
    """

    def assertModest(self, page: str) -> None:
        """
        Assert that the text of a page is not much larger than the page.
        """
        self.assertLess(len(renderHTML(page)), FACTOR * len(page) + 1000, page[:200])

    def test_wideCell(self) -> None:
        """
        One wide cell does not widen all rows of its table, and no content is lost.
        """
        first = f"<tr><td>{WIDE}</td><td>y</td></tr>"
        for page in (
            f"<table>{first}{ROWS}</table>",
            f"<table><tbody>{first}</tbody><tbody>{ROWS}</tbody></table>",
            f"<table><tr><td><table>{first}{ROWS}</table></td></tr></table>",
            f"<table><div>{first}{ROWS}</div></table>",
            f"<table><tr><td><a href='{WIDE}'>x</a></td></tr>{ROWS}</table>",
            f"<table><tr><td>{WIDE}</td><td><pre>" + "a\nb\n" * 500 + "</pre></table>",
        ):
            self.assertModest(page)
            self.assertIn(WIDE, renderHTML(page))

    def test_distances(self) -> None:
        """
        CSS distances do not enlarge the text.
        """
        for style in ("margin-top", "margin-bottom", "padding-left", "margin-left"):
            self.assertModest(f'<ul style="{style}:90000em">' + "<li>x" * 100 + "</ul>")

    def test_nested(self) -> None:
        """
        Deeply nested lists and quotations do not enlarge it.
        """
        for opening in ("<ul><li>", "<ol><li>", "<div>", "<div><ul>", "<blockquote>"):
            page = opening * 100 + "<li>x" * 20_000
            self.assertModest(page)
            self.assertEqual(renderHTML(page).count("x"), 20_000)

    def test_hidden(self) -> None:
        """
        Hidden parts of a page are left out.
        """
        page = '<p>Seen</p><p style="color:red; DISPLAY : none; margin:0">Hidden</p>'
        self.assertEqual(renderHTML(page), "Seen")

    def test_usualTable(self) -> None:
        """
        A usual table has its columns.
        """
        rows = "".join(f"<tr><td>{n}<td>name {n}" for n in range(1000))
        lines = renderHTML(f"<table class='w'>{rows}</table>").splitlines()
        self.assertEqual(lines[7], "7    name 7")
        self.assertEqual(len(lines), 1000)

    @hurried
    @given(mutated(PAGES))
    def test_mutated(self, page: bytes) -> None:
        """
        Mutated pages do not enlarge it.
        """
        self.assertModest(page.decode("utf-8", "replace").replace("\0", ""))
