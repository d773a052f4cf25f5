"""
The encodings of text files.

A file is UTF-8 unless it has another byte order mark, is UTF-16 without one, or is not
valid UTF-8.  The encoding of the rest is guessed by C{charset-normalizer}, which is
imported then.  Imports nothing else of the project but this package, so that
L{openclaw.tools.grep_main} can use it.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

SNIFF_BYTES = 8192
"""
A file with a NUL in its first bytes is binary or UTF-16.
"""

SAMPLE_BYTES = 16 * 1024
"""
Limit of the text from which an encoding is guessed: only lines that are not ASCII.
"""

_MARKS = (
    # UTF-32's begins with UTF-16's.
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_GUESSED = {
    "cp1252": "windows-1252",
    "cp1250": "windows-1250",
    "cp1251": "windows-1251",
    "cp1253": "windows-1253",
    "cp1254": "windows-1254",
    "cp1255": "windows-1255",
    "cp1256": "windows-1256",
    "cp1257": "windows-1257",
    "cp874": "windows-874",
    "koi8_r": "koi8-r",
    "gb18030": "gb18030",
    "big5": "big5",
    "cp932": "shift_jis",
    "euc_jp": "euc-jp",
    "cp949": "euc-kr",
}
"""
The encodings that are guessed, all ASCII beside other bytes, and their WHATWG labels.
With all that Python has, the library guesses those of IBM and Apple for short texts.
"""

_USUAL = {
    # Hangul and kana: without them the text is more likely Chinese.
    "cp949": (re.compile("[\uac00-\ud7a3]"), 0.5),
    "euc_jp": (re.compile("[\u3040-\u30ff]"), 0.2),
}
_LATIN = frozenset({"cp1250", "cp1252", "cp1254", "cp1257"})
_WESTERN = "cp1252"
_NOT_ASCII = re.compile(rb"[\x80-\xff]+")
_BLOCK = 64 * 1024


class BinaryData(Exception):
    """
    The data is not text.
    """


@dataclass(frozen=True)
class TextEncoding:
    """
    The encoding of a file.

    @ivar codec: Python's name.
    @ivar label: The name for a model.
    @ivar mark: The byte order mark, or nothing.
    @ivar damaged: The data has bytes that are not valid in the encoding.  They are
        decoded as lone surrogates in UTF-8, so that they can be encoded again, and as
        U+FFFD else.
    """

    codec: str
    label: str
    mark: bytes = b""
    damaged: bool = False

    @property
    def isUTF8(self) -> bool:
        return self.codec == "utf-8"

    def decode(self, data: bytes) -> str:
        errors = "strict"
        if self.damaged:
            errors = "surrogateescape" if self.isUTF8 else "replace"
        return data[len(self.mark) :].decode(self.codec, errors)

    def encode(self, text: str) -> bytes:
        """
        @raise UnicodeEncodeError: The encoding does not have a character of the text.
        """
        if self.isUTF8:
            # The surrogates are bytes that were not valid.
            return self.mark + text.encode("utf-8", "surrogateescape")
        return self.mark + text.encode(self.codec)


UTF8 = TextEncoding("utf-8", "UTF-8")


def detectEncoding(data: bytes) -> TextEncoding:
    """
    Find the encoding of a file's contents.

    @raise BinaryData: It is not text.
    """
    for mark, codec in _MARKS:
        if data.startswith(mark):
            if codec == "utf-32-le" and not _isValid(data[4:], codec):
                continue
            return TextEncoding(
                codec,
                f"{codec.upper().removesuffix('-LE').removesuffix('-BE')}",
                mark,
                not _isValid(data[len(mark) :], codec),
            )
    if b"\0" in data[:SNIFF_BYTES]:
        for codec in ("utf-16-le", "utf-16-be"):
            if _looksLikeUTF16(data, codec):
                return TextEncoding(codec, codec.upper())
        raise BinaryData
    if _isValid(data, "utf-8"):
        if maySwitch(data) and _isValid(data, "iso2022_jp"):
            return TextEncoding("iso2022_jp", "ISO-2022-JP")
        return UTF8
    return _guess(data)


def maySwitch(data: bytes) -> bool:
    """
    Return whether data that looks like ASCII has the escapes of ISO-2022-JP.
    """
    return b"\x1b$B" in data or b"\x1b$@" in data


def _isValid(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _looksLikeUTF16(data: bytes, codec: str) -> bool:
    """
    Return whether data is UTF-16 without a mark: each second byte of its beginning is
    mostly NUL, as in text of European languages, and the whole is valid.
    """
    high = data[codec == "utf-16-le" : SNIFF_BYTES : 2]
    low = data[codec == "utf-16-be" : SNIFF_BYTES : 2]
    return (
        len(data) % 2 == 0
        and b"\0" not in low
        and high.count(b"\0") * 2 > len(high)
        and _isValid(data, codec)
    )


def _guess(data: bytes) -> TextEncoding:
    """
    Guess the encoding of text that is not valid UTF-8.
    """
    damaged = TextEncoding("utf-8", "UTF-8", damaged=True)
    valid, invalid = _countUTF8(data)
    if valid >= invalid:
        return damaged
    from charset_normalizer import from_bytes

    sample = b"".join(_takeLines(data, SAMPLE_BYTES))
    found = list(from_bytes(sample, cp_isolation=list(_GUESSED)))
    names = [match.encoding for match in found]
    runs = _NOT_ASCII.findall(sample)
    if found and (
        _WESTERN in found[0].could_be_from_charset
        # Letters with accents among others: of equally likely encodings the usual one.
        or (_WESTERN in names and len(b"".join(runs)) < 2 * len(runs))
    ):
        names.insert(0, _WESTERN)
    if len(b"".join(runs)) >= 3 * len(runs):
        # Whole words that are not ASCII are not of a Latin alphabet.
        names.sort(key=_LATIN.__contains__)
    # Thai bytes are often valid pairs; pairs are seldom valid in all lines of Thai.
    names.sort(key="cp874".__eq__)
    for codec in [*names, _WESTERN]:
        if codec in _GUESSED and _isValid(data, codec) and _isPlausible(sample, codec):
            return TextEncoding(codec, _GUESSED[codec])
    return damaged


def _isPlausible(sample: bytes, codec: str) -> bool:
    """
    Return whether a text has the letters that are usual in the language of an encoding
    whose bytes may also be of another language.
    """
    if codec not in _USUAL:
        return True
    letters = [each for each in sample.decode(codec, "replace") if each >= "\x80"]
    pattern, share = _USUAL[codec]
    usual = sum(1 for each in letters if pattern.match(each))
    return usual >= share * len(letters)


def _countUTF8(data: bytes) -> tuple[int, int]:
    """
    Count the runs of bytes beyond ASCII that are mostly valid UTF-8, and the others.
    Only the first lines that have such bytes are looked at.
    """
    runs = _NOT_ASCII.findall(b"".join(_takeLines(data, _BLOCK)))
    valid = 0
    for run in runs:
        text = run.decode("utf-8", "surrogateescape")
        invalid = sum(1 for character in text if "\udc80" <= character <= "\udcff")
        valid += 2 * invalid < len(text)
    return valid, len(runs) - valid


def _takeLines(data: bytes, limit: int) -> Iterator[bytes]:
    """
    Take the lines that are not ASCII from the beginning, up to a number of bytes.
    """
    at = 0
    while limit > 0 and (match := _NOT_ASCII.search(data, at)):
        start = max(data.rfind(b"\n", at, match.start()) + 1, at)
        # Of a long line only what is near.
        start = max(start, match.start() - 1000)
        end = data.find(b"\n", match.end()) + 1 or len(data)
        at = min(end, start + limit)
        limit -= at - start
        yield data[start:at]
