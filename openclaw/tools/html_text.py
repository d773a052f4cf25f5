"""
Extraction of text from web pages.

HTML is rendered by C{inscriptis}: it lays out tables and lists, its parser is
libxml2's, which is fast on hostile pages, too, and its licence is free.  It is imported
at its first use.
"""

import re
from typing import Any

MAX_TABLE_CHARACTERS = 16 * 1024 * 1024
"""
Limit of the characters of a table once its columns are padded to their widest cells, by
an estimate that is never too low.
"""

MAX_INDENTS = 12
"""
Limit of the levels by which lines are indented.  Each line is padded with blanks: at
250 levels, a megabyte of list items became 188 MB of text.
"""

MAX_DEPTH = 200
"""
Limit of nested elements.
"""

TOO_DEEP = "\n[the rest of the page is nested too deeply]"

_BREAK = "\u2028"
"""
Separates the lines of blocks that were nested too deeply.
"""

_TEXTLESS = ("script", "style", "template", "noscript")
_INDENTED = ("ul", "ol", "div")
_HIDDEN = re.compile(r"display\s*:\s*none", re.I)
_TABLE_PARTS = ("table", "thead", "tbody", "tfoot", "tr", "td", "th")


def renderHTML(html: str) -> str:
    """
    Return the text of a page: its title first, links as C{[text](address)}.

    Blocks for up to half a second per megabyte.
    """
    from inscriptis import Inscriptis
    from inscriptis.model.config import ParserConfig
    from lxml.etree import ErrorTypes, ParserError, XMLSyntaxError
    from lxml.html import HTMLParser, document_fromstring

    # The parser's default limit of nesting would cut more pages.
    parser = HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        tree = document_fromstring(html.encode("utf-8", "replace"), parser=parser)
    except (ParserError, ValueError):
        return ""
    except XMLSyntaxError as error:
        if error.code == ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from None
        raise
    _limitDepth(tree)
    _limitWidths(tree)
    title = " ".join((tree.findtext(".//title") or "").split())
    text = Inscriptis(tree, ParserConfig(display_links=True)).get_text()
    # splitlines splits at _BREAK, too.
    lines = [line.rstrip() for line in text.splitlines()]
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    if any("depth" in entry.message for entry in parser.error_log):
        body += TOO_DEEP
    return f"{title}\n\n{body}" if title else body


def _limitWidths(tree: Any) -> None:
    """
    Remove from a page what would make its text far larger than its source: distances,
    and tables with cells so wide that padding would multiply each row.
    """
    for element in tree.iter():
        style = element.attrib.pop("style", None)
        if style is not None and _HIDDEN.search(style):
            element.set("style", "display:none")
    within: set[Any] = set()
    for table in list(tree.iter("table")):
        if table in within:
            continue
        within.update(table.iter("table"))
        if _estimateSize(table) > MAX_TABLE_CHARACTERS:
            for part in list(table.iter(*_TABLE_PARTS)):
                part.tag = "div"
    _limitIndents(tree)


def _limitDepth(tree: Any) -> None:
    """
    Replace what is nested deeper than L{MAX_DEPTH} by its lines, since the layout is
    recursive.
    """
    from lxml.etree import iterwalk, strip_elements

    deep, depth = [], 0
    for event, element in iterwalk(tree, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if event == "start" and depth == MAX_DEPTH and len(element):
            deep.append(element)
    for element in deep:
        strip_elements(element, *_TEXTLESS, with_tail=False)
        lines = [line for text in element.itertext() if (line := text.strip())]
        del element[:]
        element.text = _BREAK.join(lines)


def _limitIndents(tree: Any) -> None:
    from lxml.etree import iterwalk

    deep, depth = [], 0
    for event, element in iterwalk(tree, events=("start", "end"), tag=_INDENTED):
        depth += 1 if event == "start" else -1
        if event == "start" and depth > MAX_INDENTS:
            deep.append(element)
    for element in deep:
        # Starts on a line of its own, and is not indented.
        element.tag = "article"


def _estimateSize(table: Any) -> int:
    """
    Estimate the most characters of a table's text.
    """
    from lxml.etree import tostring

    source = tostring(table, encoding="unicode", with_tail=False)
    lines = sum(1 for _ in table.iter())
    if "<pre" in source or "<textarea" in source:
        lines += source.count("\n")
    if lines * len(source) <= MAX_TABLE_CHARACTERS:
        return lines * len(source)
    widths: list[int] = []
    cells = 0
    for row in table.xpath("./tr | ./*/tr"):
        for index, cell in enumerate(row.xpath("./td | ./th")):
            width = len(tostring(cell, encoding="unicode", with_tail=False))
            cells += 1
            if index == len(widths):
                widths.append(0)
            widths[index] = max(widths[index], width)
    if cells != sum(1 for _ in table.iter("td", "th")):
        # Nested tables: each is as wide as its contents.
        return lines * len(source)
    return lines * sum(widths)
