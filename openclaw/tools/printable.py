"""
Readable forms of control characters.
"""

import re
import unicodedata

_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]|\r(?!\n)")


def escapeControls(text: str) -> str:
    """
    Replace control characters by escapes, except for tabs and line ends: a terminal's
    sequences, NUL and the like are invisible to a model, and some providers refuse
    them.  Lone surrogates, which stand for bytes that are not valid UTF-8, become
    C{\\xff}.
    """
    return _CONTROLS.sub(_escape, text) if hasControls(text) else text


def hasControls(text: str) -> bool:
    """
    Return whether L{escapeControls} changes a text.
    """
    # Printable text, which most is, is recognized in half the time.
    plain = text.replace("\r\n", "").replace("\n", "").replace("\t", "")
    return not plain.isprintable() and _CONTROLS.search(text) is not None


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:
        code -= 0xDC00
    if code > 0xFF:
        return f"\\u{code:04x}"
    return "\\r" if code == 0x0D else f"\\x{code:02x}"


def describeCharacter(character: str) -> str:
    """
    Name a character: C{U+00A0 NO-BREAK SPACE}.
    """
    if "\udc80" <= character <= "\udcff":
        return f"the byte 0x{ord(character) - 0xDC00:02X}"
    names = {"\t": "TAB", "\n": "LINE FEED", "\r": "CARRIAGE RETURN"}
    name = names.get(character) or unicodedata.name(character, "")
    return f"U+{ord(character):04X} {name}".rstrip()
