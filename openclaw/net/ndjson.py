"""
Newline-delimited JSON in: bytes to documents, without I/O.

Follows U{https://github.com/ndjson/ndjson-spec}: one JSON text a line, UTF-8, lines
end with LF or CRLF.  Blank lines are passed over, and the last line may lack its end.
"""

from openclaw.net.sse import MAX_EVENT_BYTES, EventTooLong


class LineDecoder:
    """
    Cuts a stream of bytes, in whatever pieces it comes, into its lines.  Whether a
    line is JSON is for others to find out.
    """

    def __init__(self, maxLineBytes: int = MAX_EVENT_BYTES) -> None:
        self._maxLineBytes = maxLineBytes
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """
        @param data: The next bytes of the stream.

        @return: The lines that these bytes complete, without their ends.

        @raise EventTooLong: The line that these bytes leave open is longer than the
            limit.
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
        The stream has ended.

        @return: The line that was left without its end.
        """
        return self.feed(b"\n")
