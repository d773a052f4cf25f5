"""
Bytes from the web, as text that a model can read.

HTML is made text of by C{inscriptis}: it lays tables and lists out, its parser is
libxml2's, which copes with hostile pages in no time, and its licence is free.  It is
imported when the first page is there.
"""

import codecs
import re
from typing import Any

HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})

TEXT_TYPES = frozenset(
    {
        "application/json",
        "application/ld+json",
        "application/markdown",
        "application/x-ndjson",
        "application/xml",
        "application/yaml",
    }
)

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_META = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.I)
_META_BYTES = 2048
_USUAL_CHARSETS = {
    # What pages mean when they say these.
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
}
_NO_CHARSETS = frozenset(
    # Of the names that Python knows, these stand for something else, or are slow.
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)


MOST_PADDED = 16 * 1024 * 1024
"""
Limit of the characters of a table once its columns are made as wide as their widest
cells, by a rough guess that is too high rather than too low.
"""

MAX_INDENTS = 12
"""
The most levels that lines are indented by.  Each line is filled up with blanks: at
250 levels, a megabyte of list items was 188 MB of text.
"""

MAX_DEPTH = 200
"""
The most levels of elements.
"""

TOO_DEEP = "\n[the rest of the page is nested too deeply to be read]"

_BREAK = "\u2028"
"""
Begins a line in the place of a block that was too deep.
"""

_NO_TEXT = ("script", "style", "template", "noscript")
_INDENTED = ("ul", "ol", "div")
_HIDDEN = re.compile(r"display\s*:\s*none", re.I)
_TABLE_PARTS = ("table", "thead", "tbody", "tfoot", "tr", "td", "th")


def isText(kind: str) -> bool:
    """
    Is this media type one of those that can be read?
    """
    return (
        kind.startswith("text/")
        or kind in HTML_TYPES
        or kind in TEXT_TYPES
        or kind.endswith(("+json", "+xml"))
    )


def textOf(data: bytes, kind: str, charset: str | None) -> str | None:
    """
    Make text of what was fetched.

    @param kind: The media type.

    @param charset: What the header says.

    @return: C{None} if it is no text.
    """
    html = kind in HTML_TYPES
    text = decoded(data, charset, html)
    if "\0" in text:
        return None
    return readable(text) if html else text


def decoded(data: bytes, charset: str | None, html: bool) -> str:
    """
    Text, in the charset that its bytes, its header or its HTML says, else UTF-8.

    @param charset: What the header says.
    """
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(name, "replace")
    names = [charset]
    if html and (meta := _META.search(data[:_META_BYTES])):
        names.append(meta[1].decode("ascii", "replace"))
    for said in names:
        codec = _codec(said)
        if codec is not None:
            return data.decode(codec, "replace")
    return data.decode("utf-8", "replace")


def _codec(charset: str | None) -> str | None:
    """
    Python's name of a charset, or C{None} if there is no such charset.
    """
    if not charset:
        return None
    try:
        name = codecs.lookup(charset).name
        # Some codecs make no text of bytes, which only an attempt tells.
        b"x".decode(name, "replace")
    except (LookupError, ValueError):
        return None
    if name in _NO_CHARSETS:
        return None
    return _USUAL_CHARSETS.get(name, name)


def readable(html: str) -> str:
    """
    The text of a page, its title first, links as C{[text](address)}.

    Takes up to half a second for a megabyte: work for a thread.
    """
    from inscriptis import Inscriptis
    from inscriptis.model.config import ParserConfig
    from lxml.etree import ErrorTypes, ParserError, XMLSyntaxError
    from lxml.html import HTMLParser, document_fromstring

    # With the usual bound on nesting, more pages would be cut.
    parser = HTMLParser(encoding="utf-8", huge_tree=True)
    try:
        tree = document_fromstring(html.encode("utf-8", "replace"), parser=parser)
    except (ParserError, ValueError):
        return ""
    except XMLSyntaxError as error:
        if error.code == ErrorTypes.ERR_NO_MEMORY:
            raise MemoryError from None
        raise
    _shallow(tree)
    _tame(tree)
    title = " ".join((tree.findtext(".//title") or "").split())
    text = Inscriptis(tree, ParserConfig(display_links=True)).get_text()
    # That splits at our own breaks, too.
    lines = [line.rstrip() for line in text.splitlines()]
    body = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
    if any("depth" in entry.message for entry in parser.error_log):
        body += TOO_DEEP
    return f"{title}\n\n{body}" if title else body


def _tame(tree: Any) -> None:
    """
    Take out of a page what would make its text far larger than itself: distances, and
    tables with cells so wide that each row would be filled up with blanks.
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
        if _padded(table) > MOST_PADDED:
            for part in list(table.iter(*_TABLE_PARTS)):
                part.tag = "div"
    _flatten(tree)


def _shallow(tree: Any) -> None:
    """
    Make lines of what is nested deeper than L{MAX_DEPTH}: the layout is recursive.
    """
    from lxml.etree import iterwalk, strip_elements

    deep, depth = [], 0
    for event, element in iterwalk(tree, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if event == "start" and depth == MAX_DEPTH and len(element):
            deep.append(element)
    for element in deep:
        strip_elements(element, *_NO_TEXT, with_tail=False)
        lines = [line for text in element.itertext() if (line := text.strip())]
        del element[:]
        element.text = _BREAK.join(lines)


def _flatten(tree: Any) -> None:
    """
    Indent no deeper than L{MAX_INDENTS}.
    """
    from lxml.etree import iterwalk

    deep, depth = [], 0
    for event, element in iterwalk(tree, events=("start", "end"), tag=_INDENTED):
        depth += 1 if event == "start" else -1
        if event == "start" and depth > MAX_INDENTS:
            deep.append(element)
    for element in deep:
        # Begins a line, and is not indented.
        element.tag = "article"


def _padded(table: Any) -> int:
    """
    Estimate the characters of a table, at most.
    """
    from lxml.etree import tostring

    source = tostring(table, encoding="unicode", with_tail=False)
    lines = sum(1 for _ in table.iter())
    if "<pre" in source or "<textarea" in source:
        lines += source.count("\n")
    if lines * len(source) <= MOST_PADDED:
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
        # Tables within tables: each is made as wide as what is in it.
        return lines * len(source)
    return lines * sum(widths)
