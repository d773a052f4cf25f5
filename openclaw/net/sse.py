"""
Server-sent events in: bytes to payloads, without I/O.

Follows U{https://html.spec.whatwg.org/multipage/server-sent-events.html}, as far as
model providers use it: C{data} fields are kept, C{event}, C{id}, C{retry} and
comments are passed over, and lines end with LF or CRLF.  More tolerant than the
standard in two ways: the blank after the colon may be missing, and a last event
that the end of the stream cut short of its blank line still counts.
"""

MAX_EVENT_BYTES = 8 * 1024 * 1024
"""
Bytes of an unfinished event that are kept.
"""

MAX_EVENT_LINES = 10_000
"""
The most C{data} lines of one event.  Each is an object of its own, which takes more
memory than a short line.
"""


class EventTooLong(Exception):
    """
    An event grew past the limit without ending.
    """


class EventStreamDecoder:
    """
    Cuts a stream of bytes, in whatever pieces it comes, into the payloads of its
    events.
    """

    __slots__ = ("_data", "_maxEventBytes", "_rest", "_waiting")

    def __init__(self, maxEventBytes: int = MAX_EVENT_BYTES) -> None:
        self._maxEventBytes = maxEventBytes
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._waiting = 0

    def feed(self, data: bytes) -> list[bytes]:
        """
        @param data: The next bytes of the stream.

        @return: The payloads of the events that these bytes complete.

        @raise EventTooLong: The event that these bytes leave open is longer than
            the limit.
        """
        if self._rest or self._data or b"\r" in data:
            return self._readLines(data)
        end = len(data) - 2
        if data.find(b"\n") == end and data[:6] == b"data: " and data[end:] == b"\n\n":
            # One event, whole: what a model that speaks slowly sends.
            return [data[6:end]]
        payloads: list[bytes] = []
        *events, rest = data.split(b"\n\n")
        for event in events:
            # Nearly all are like this; to look at each line takes thrice as long.
            if event[:6] == b"data: " and b"\n" not in event:
                payloads.append(event[6:])
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
                if fields:
                    payloads.append(b"\n".join(fields))
                    fields.clear()
            elif line[:5] == b"data:":
                fields.append(line[6:] if line[5:6] == b" " else line[5:])
        if fields or not lines:
            self._waiting += len(data)
        else:
            self._waiting = len(rest)
        if self._waiting > self._maxEventBytes or len(fields) > MAX_EVENT_LINES:
            raise EventTooLong
        return payloads

    def finish(self) -> list[bytes]:
        """
        The stream has ended.

        @return: The payload of the event that was left without its blank line.
        """
        return self.feed(b"\n\n")
