"""
Decoding of server-sent events, without I/O.

Follows U{https://html.spec.whatwg.org/multipage/server-sent-events.html}, as far as
model providers use it: C{data} fields are kept, C{id}, C{retry} and comments are
skipped, of C{event} only an error's name counts, and lines end with LF or CRLF.  More
tolerant than the standard in three ways: the blank after the colon may be missing, a
last event without its blank line counts, and so does JSON outside of a C{data} field,
as some servers send errors.
"""

MAX_EVENT_BYTES = 8 * 1024 * 1024
"""
Limit of the bytes of an incomplete event.
"""

MAX_EVENT_LINES = 10_000
"""
Limit of the C{data} lines of one event.  Each is an object of its own, which takes more
memory than a short line.
"""


class EventTooLong(Exception):
    """
    An incomplete event exceeds a limit.
    """


class ErrorEvent(bytes):
    """
    The payload of an event that its name calls an error.
    """


def _isErrorName(line: bytes) -> bool:
    return b"rror" in line or b"xception" in line


class EventStreamDecoder:
    """
    Splits a stream of bytes into the payloads of its events.
    """

    __slots__ = (
        "_data",
        "_isBare",
        "_isError",
        "_maxEventBytes",
        "_rest",
        "_waiting",
    )

    def __init__(self, maxEventBytes: int = MAX_EVENT_BYTES) -> None:
        self._maxEventBytes = maxEventBytes
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._waiting = 0
        self._isError = False
        self._isBare = False

    def feed(self, data: bytes) -> list[bytes]:
        """
        Add data to the stream.

        @return: The payloads of the events completed by it.  Those that are named as
            errors are L{ErrorEvent}s.
        @raise EventTooLong: The incomplete event is longer than a limit.
        """
        if self._rest or self._data or self._isError or b"\r" in data:
            return self._readLines(data)
        end = len(data) - 2
        if data.find(b"\n") == end and data[:6] == b"data: " and data[end:] == b"\n\n":
            # One complete event, as most reads of a stream are.
            return [data[6:end]]
        payloads: list[bytes] = []
        *events, rest = data.split(b"\n\n")
        for event in events:
            # Nearly all are like this; reading line by line takes three times as long.
            if event[:6] == b"data: " and b"\n" not in event:
                payloads.append(event[6:])
            else:
                name, found, payload = event.partition(b"\ndata: ")
                if (
                    found
                    and name[:6] == b"event:"
                    and b"\n" not in name
                    and b"\n" not in payload
                    and not _isErrorName(name)
                ):
                    payloads.append(payload)
                else:
                    payloads += self._readLines(event + b"\n\n")
        if rest:
            payloads += self._readLines(rest)
        return payloads

    def _readLines(self, data: bytes) -> list[bytes]:
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._rest:
            lines[0] = bytes(self._rest + lines[0])
            self._rest.clear()
        if rest:
            self._rest += rest
        payloads: list[bytes] = []
        fields = self._data
        for line in lines:
            if line[-1:] == b"\r":
                line = line[:-1]
            if not line:
                if fields or self._isError:
                    payload = b"\n".join(fields)
                    payloads.append(ErrorEvent(payload) if self._isError else payload)
                    fields.clear()
                    self._isError = self._isBare = False
            elif line[:5] == b"data:":
                fields.append(line[6:] if line[5:6] == b" " else line[5:])
            elif line[:6] == b"event:":
                self._isError = self._isError or _isErrorName(line)
            elif line[:6] == b"error:":  # llama.cpp
                self._isError = True
                fields.append(line[6:])
            elif self._isBare or line[:1] == b"{":
                self._isBare = True
                fields.append(line)
        if fields or not lines:
            self._waiting += len(data)
        else:
            self._waiting = len(rest)
        if self._waiting > self._maxEventBytes or len(fields) > MAX_EVENT_LINES:
            raise EventTooLong
        return payloads

    def finish(self) -> list[bytes]:
        """
        End the stream, and return the payload of the last event if it lacks its blank
        line.
        """
        return self.feed(b"\n\n")
