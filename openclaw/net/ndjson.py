"""
Decoding of newline-delimited JSON, without I/O.

Follows U{https://github.com/ndjson/ndjson-spec}: one JSON text a line, UTF-8, lines end
with LF or CRLF.  Blank lines are skipped, and the last line may lack its end.
"""

from openclaw.net.sse import MAX_EVENT_BYTES, EventTooLong


class LineDecoder:
    """
    Splits a stream of bytes into lines.  The lines are not parsed.
    """

    def __init__(self, maxLineBytes: int = MAX_EVENT_BYTES) -> None:
        self._maxLineBytes = maxLineBytes
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """
        Add data to the stream.

        @return: The lines completed by it, without their ends.
        @raise EventTooLong: The incomplete line is longer than the limit.
        """
        lines = data.split(b"\n")
        if len(lines) > 1:
            lines[0] = bytes(self._rest + lines[0])
            self._rest.clear()
        rest = lines.pop()
        if rest:
            self._rest += rest
            if len(self._rest) > self._maxLineBytes:
                raise EventTooLong
        return [line for line in map(bytes.strip, lines) if line]

    def finish(self) -> list[bytes]:
        """
        End the stream, and return the last line if it lacks its end.
        """
        return self.feed(b"\n")
