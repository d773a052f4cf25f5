"""
Decoding of the C{Content-Encoding} of an HTTP response, in bounded pieces.
"""

import zlib
from collections.abc import Sequence

from openclaw.interfaces import ToolError

PIECE_BYTES = 64 * 1024
"""
Limit of the bytes inflated at once.
"""

MAX_MEMBERS = 1000
"""
Limit of the members of a gzip file: many empty ones would take time and yield nothing.
"""

_GZIP_BITS = zlib.MAX_WBITS | 16


class ContentError(ToolError):
    """
    The content cannot be decoded.  The message is the object of "sends" or "sent".
    """


def replaceUnprintable(text: str) -> str:
    """
    Replace unprintable characters of a remote server's text by blanks.
    """
    return "".join(each if each.isprintable() else " " for each in text)


class ContentDecoder:
    """
    Decodes one content coding: C{gzip} of any number of members, C{deflate} with or
    without a zlib header, or C{identity}.

    @ivar members: The number of members so far, at most C{maxMembers}.  For an endless
        stream, it is reset with each read.
    """

    def __init__(self, headers: Sequence[bytes], maxMembers: int = MAX_MEMBERS) -> None:
        """
        @param headers: The values of all C{Content-Encoding} headers.

        @raise ContentError: There is more than one coding, or it is not supported.
        """
        coding = b", ".join(headers).strip().lower()
        shown = replaceUnprintable(coding[:100].decode("latin-1"))
        if len(headers) > 1 or b"," in coding:
            raise ContentError(f"more than one content coding ({shown})")
        if coding not in (b"", b"identity", b"gzip", b"x-gzip", b"deflate"):
            raise ContentError(f"a content coding that is not supported ({shown})")
        self.identity = coding in (b"", b"identity")
        self._deflate = coding == b"deflate"
        self._inflater: zlib._Decompress | None = None
        self._input = b""
        self.members = 0
        self._maxMembers = maxMembers
        self._begun = False
        self._full = False

    @property
    def pending(self) -> bool:
        """
        Return whether L{decode} can return more without further data.
        """
        return bool(self._input) or self._full

    def decode(self, data: bytes = b"") -> bytes:
        """
        Add data, and return at most L{PIECE_BYTES} of decoded data.  Call it again
        without data while L{pending} is true.

        @raise ContentError: The data is damaged.
        """
        if self.identity:
            return data
        self._input += data
        self._begun = self._begun or bool(data)
        try:
            return self._inflatePiece()
        except zlib.error:
            raise ContentError("damaged compressed content") from None

    def _inflatePiece(self) -> bytes:
        inflater = self._inflater
        if inflater is not None and inflater.eof and self._input:
            if self._deflate:
                raise ContentError("data after its compressed content")
            # The next member.  Anything else fails, since it lacks the gzip header.
            inflater = None
        if inflater is None:
            if not self._input:
                return b""
            self.members += 1
            if self.members > self._maxMembers:
                raise ContentError(
                    f"more than {self._maxMembers} members of compressed content"
                )
            inflater = self._inflater = zlib.decompressobj(self._windowBits())
        piece = inflater.decompress(self._input, PIECE_BYTES)
        self._input = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        # The inflater may hold more output though it has consumed all input.
        self._full = len(piece) == PIECE_BYTES and not inflater.eof
        return piece

    def _windowBits(self) -> int:
        if not self._deflate:
            return _GZIP_BITS
        # The first byte of a zlib header: method and window size.  A raw stream
        # with this byte would be a stored block with non-zero padding.
        first = self._input[0]
        zlibs = first & 0x0F == 8 and first >> 4 <= 7
        return zlib.MAX_WBITS if zlibs else -zlib.MAX_WBITS

    def finish(self, closed: bool = False) -> None:
        """
        Check that the content is complete.

        @param closed: Whether the end of the connection is the only sign of its end.
        @raise ContentError: It is not complete.
        """
        if self.identity or not (self._begun or closed):
            return
        if self._inflater is None or not self._inflater.eof:
            raise ContentError("truncated compressed content")
