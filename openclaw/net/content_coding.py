"""
Decode the C{Content-Encoding} of an HTTP answer, in bounded pieces.
"""

import zlib
from collections.abc import Sequence

from openclaw.interfaces import ToolError

PIECE_BYTES = 64 * 1024
"""
The most that is inflated at a time.
"""

MAX_MEMBERS = 1000
"""
The most members of one gzip file: empty ones would cost much time and give nothing.
"""

_GZIP_BITS = zlib.MAX_WBITS | 16


class ContentError(ToolError):
    """
    The content can't be decoded.  The text goes on behind "sends" or "sent".
    """


def printable(text: str) -> str:
    """
    Return a text of a remote server for a message, on one line.
    """
    return "".join(each if each.isprintable() else " " for each in text)


class ContentDecoder:
    """
    Undo one content coding: C{gzip} of any number of members, C{deflate} with or
    without the header of zlib, or C{identity}.

    @ivar members: The number of members so far, of which there may be C{maxMembers}.
        A stream without an end sets it back with each read.
    """

    def __init__(self, headers: Sequence[bytes], maxMembers: int = MAX_MEMBERS) -> None:
        """
        @param headers: The values of all C{Content-Encoding} headers.

        @raise ContentError: There is more than one coding, or it is not supported.
        """
        said = b", ".join(headers).strip().lower()
        shown = printable(said[:100].decode("latin-1"))
        if len(headers) > 1 or b"," in said:
            raise ContentError(f"more than one content coding ({shown})")
        if said not in (b"", b"identity", b"gzip", b"x-gzip", b"deflate"):
            raise ContentError(f"a content coding that is not supported ({shown})")
        self.identity = said in (b"", b"identity")
        self._deflate = said == b"deflate"
        self._inflater: zlib._Decompress | None = None
        self._input = b""
        self.members = 0
        self._maxMembers = maxMembers
        self._begun = False
        self._full = False

    @property
    def pending(self) -> bool:
        """
        Can L{decode} give more without being given more?
        """
        return bool(self._input) or self._full

    def decode(self, data: bytes = b"") -> bytes:
        """
        Take data in, and return at most L{PIECE_BYTES} of what is decoded; for the rest
        call this again, without data, while there is more L{pending}.

        @raise ContentError: The data is broken.
        """
        if self.identity:
            return data
        self._input += data
        self._begun = self._begun or bool(data)
        try:
            return self._piece()
        except zlib.error:
            raise ContentError("broken compressed content") from None

    def _piece(self) -> bytes:
        inflater = self._inflater
        if inflater is not None and inflater.eof and self._input:
            if self._deflate:
                raise ContentError("something behind its compressed content")
            # Another member; what is none of gzip's has a wrong header.
            inflater = None
        if inflater is None:
            if not self._input:
                return b""
            self.members += 1
            if self.members > self._maxMembers:
                raise ContentError(
                    f"more than {self._maxMembers} members of compressed content"
                )
            inflater = self._inflater = zlib.decompressobj(self._bits())
        piece = inflater.decompress(self._input, PIECE_BYTES)
        self._input = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        # There may be more inside though all has been taken in.
        self._full = len(piece) == PIECE_BYTES and not inflater.eof
        return piece

    def _bits(self) -> int:
        if not self._deflate:
            return _GZIP_BITS
        # The first byte of zlib's header: deflate, with a window of its size.  A raw
        # stream that begins so would be a stored block with garbage in its padding.
        first = self._input[0]
        zlibs = first & 0x0F == 8 and first >> 4 <= 7
        return zlib.MAX_WBITS if zlibs else -zlib.MAX_WBITS

    def finish(self, closed: bool = False) -> None:
        """
        Check that the content is whole.

        @param closed: Is its end only that of the connection?

        @raise ContentError: It is not.
        """
        if self.identity or not (self._begun or closed):
            return
        if self._inflater is None or not self._inflater.eof:
            raise ContentError("compressed content that breaks off")
