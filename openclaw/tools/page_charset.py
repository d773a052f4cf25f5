"""
The charsets of web pages, by the labels and the rules of the WHATWG Encoding Standard.

C{webencodings} knows the labels: C{gb2312} is GBK, C{shift_jis} is Windows-31J, and so
on.  A charset that the standard does not have is looked up in Python's codecs.
"""

import codecs
import re
from collections.abc import Callable, Iterator

import webencodings

HEAD_BYTES = 2048
"""
The part of a page in which its charset is looked for.
"""

Decode = Callable[[bytes], str]

_MARKS = (
    # UTF-32's begins with UTF-16's.
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BEGINNINGS = ((b"<\0?\0x\0", "utf-16-le"), (b"\0<\0?\0x", "utf-16-be"))
"""
An XML declaration in UTF-16 without a mark.
"""

_DECLARATION = re.compile(
    rb"\s{0,9}<\?xml\s[^>]{0,200}?encoding\s*=\s*[\"']\s*([\w.:-]{1,40})\s*[\"']"
)
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.S)
_META = re.compile(rb"<meta[\s/]((?:[^>\"']|\"[^\"]*\"|'[^']*')*)>", re.I)
_ATTRIBUTE = re.compile(
    rb"([^\s=/>\"']+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'>]+))"
)
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?\s*([^\s;\"']{1,40})", re.I)

_WIDER = {"gbk": "gb18030"}
"""
Codecs of Python that lack characters which the standard has, and those that have them.
"""

_EXCLUDED = frozenset(
    # Python's codecs that are not charsets of pages, or are slow.
    {"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape", "utf-7"}
)


def decodeText(data: bytes, charset: str | None, html: bool, xml: bool = False) -> str:
    """
    Decode bytes by their byte order mark, the header's charset, or their own
    declaration; else as UTF-8.

    @param charset: The charset of the Content-Type header.
    @param html: HTML may declare a charset in C{<meta>}.
    @param xml: XML, and HTML, may declare one in C{<?xml?>}.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    decode = findDecoder(charset)
    if decode is None and (html or xml):
        for beginning, encoding in _BEGINNINGS:
            if data.startswith(beginning):
                return data.decode(encoding, "replace")
        for label in _findDeclared(data[:HEAD_BYTES], html):
            decode = findDecoder(label, declared=True)
            if decode is not None:
                break
    return decode(data) if decode is not None else data.decode("utf-8", "replace")


def findDecoder(label: str | None, declared: bool = False) -> Decode | None:
    """
    Find the decoder of a charset.

    @param declared: The charset is declared within the text.  Since that is read as
        ASCII, it can't be UTF-16.
    @return: C{None} if there is none.
    """
    if not label:
        return None
    label = label.strip("\"' \t\n\f\r")
    encoding = webencodings.lookup(label)
    if encoding is not None and encoding.name != "replacement":
        name = encoding.name
        if declared and name in ("utf-16le", "utf-16be"):
            encoding = webencodings.UTF8
        elif declared and name == "x-user-defined":
            encoding = webencodings.lookup("windows-1252")
        if name in _WIDER:
            return _makeDecoder(_WIDER[name])
        codec = encoding.codec_info
        return lambda data: codec.decode(data, "replace")[0]
    try:
        name = codecs.lookup(label).name
        # Some codecs do not decode bytes to text; only an attempt shows it.
        b"x".decode(name, "replace")
    except (LookupError, ValueError):
        return None
    if name in _EXCLUDED or (declared and name.startswith(("utf-16", "utf-32"))):
        return None
    return _makeDecoder(name)


def _makeDecoder(name: str) -> Decode:
    return lambda data: data.decode(name, "replace")


def _findDeclared(head: bytes, html: bool) -> Iterator[str]:
    """
    Find the charsets that a text declares itself.
    """
    if match := _DECLARATION.match(head):
        yield match[1].decode("ascii", "replace")
    if not html:
        return
    for meta in _META.finditer(_COMMENT.sub(b"", head)):
        attributes: dict[bytes, bytes] = {}
        for name, *values in _ATTRIBUTE.findall(meta[1]):
            attributes.setdefault(name.lower(), b"".join(values))
        if b"charset" in attributes:
            yield attributes[b"charset"].decode("ascii", "replace")
        elif (
            attributes.get(b"http-equiv", b"").strip().lower() == b"content-type"
        ) and (match := _CHARSET.search(attributes.get(b"content", b""))):
            yield match[1].decode("ascii", "replace")
