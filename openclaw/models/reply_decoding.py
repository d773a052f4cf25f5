"""
Decoding of responses: the part that dialects share, without I/O.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence, Set
from contextlib import suppress
from typing import Any, Protocol

import msgspec
from twisted.web.http_headers import Headers

from openclaw.errors import (
    OpenClawError,
    UpstreamMalformed,
)
from openclaw.events import ModelEvent
from openclaw.interfaces import ModelReply
from openclaw.json_size import hasTooManyEscapes, hasTooManyValues
from openclaw.messages import NO_USAGE
from openclaw.models.answer_content import AnswerContent
from openclaw.models.answer_limits import (
    LARGE_EVENT,
    MOST_BYTES,
    MOST_CONTENT,
    MOST_EVENTS,
    UNCOUNTED_BYTES,
)
from openclaw.models.lenient_json import parseLeniently, wellFormedJSON
from openclaw.models.reported_errors import PINGS, findError, isPing, statusOf
from openclaw.models.upstream_call import Refusal
from openclaw.net.sse import (
    MAX_EVENT_BYTES,
    ErrorEvent,
    EventStreamDecoder,
    EventTooLong,
)

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HARMLESS = frozenset({b"", b"null", *(ping.encode() for ping in PINGS)})


class Framing(Protocol):
    """
    Splits a body into its JSON texts, like L{EventStreamDecoder}.
    """

    def feed(self, data: bytes) -> list[bytes]:
        """
        Return the texts that these bytes complete.

        @raise EventTooLong: A text exceeds the limit.
        """

    def finish(self) -> list[bytes]:
        """
        Return the unfinished texts at the end of the body.
        """


class StreamedReply(AnswerContent, ABC):
    """
    A reply in server-sent events, each of them a JSON object: bytes in, events out; see
    L{openclaw.models.upstream_call.ReplyDecoder}.

    A dialect implements C{read}, which interprets an object with the other methods.  A
    plain response that is one JSON object goes to C{read}, too.

    An error is not raised immediately: earlier events are sent first, however the bytes
    were split, and C{reply} raises it.

    @ivar complete: Set by C{read} when nothing follows.
    @ivar finishReason: Set by C{read} from the provider's reason.  Only this proves
        that a reply is complete.
    """

    def __init__(
        self, provider: str, refusal: Refusal, lines: Framing | None = None
    ) -> None:
        """
        @param provider: The provider's name, for messages.
        @param refusal: Makes an error of one that the provider reports in its response.
        @param lines: The framing of the body, if it is not server-sent events.
        """
        super().__init__(provider)
        self.complete = False
        self._hasUnknown = False
        self._isDone = False
        self._refusal = refusal
        self._stream: Framing = lines or EventStreamDecoder()
        self._eventCount = 0
        self._unstreamed: bytearray | None = None
        self._isStarted = False
        self._start = b""
        self._isLines = lines is not None
        self._received = 0
        self._error: OpenClawError | None = None

    @abstractmethod
    def read(self, payload: bytes) -> None:
        """
        Decode one JSON object.

        @raise OpenClawError: The provider reports an error, or the object is malformed.
        @raise msgspec.DecodeError: The object is malformed.
        """

    # The interface for calls

    def feed(self, data: bytes) -> list[ModelEvent]:
        self._received += len(data)
        if self._received > MOST_BYTES:
            self._fail(self.tooLarge(f"of more than {MOST_BYTES} bytes"))
            return self._drain()
        if not self._isStarted:
            data = self._beginBody(data)
        if self._unstreamed is not None:
            self._unstreamed += data
            if len(self._unstreamed) > MAX_EVENT_BYTES:
                self._unstreamed.clear()
                self._fail(self.tooLarge(f"of more than {MAX_EVENT_BYTES} bytes"))
            return []
        try:
            payloads = self._stream.feed(data)
        except EventTooLong:
            self._fail(self.tooLarge("with an event that has no end"))
        else:
            self._readAll(payloads)
            if self._received > UNCOUNTED_BYTES:
                self._checkAmount(payloads)
        return self._drain()

    @property
    def isUnstreamed(self) -> bool:
        """
        Return whether the body is one JSON document.
        """
        return self._unstreamed is not None

    def _beginBody(self, data: bytes) -> bytes:
        """
        Determine the kind of the body.

        @return: The body so far, without a byte order mark.
        """
        data = (self._start + data).lstrip()
        if len(data) < len(BYTE_ORDER_MARK) and BYTE_ORDER_MARK.startswith(data):
            self._start = data
            return b""
        data = data.removeprefix(BYTE_ORDER_MARK).lstrip()
        self._start = b""
        self._isStarted = bool(data)
        if data[:1] == b"<":
            # A web page: another server responded.
            self._fail(self.unreadable())
            return b""
        if data and data[0] in b"{[" and not self._isLines:
            self._unstreamed = bytearray()
        return data

    def _checkAmount(self, payloads: Sequence[bytes]) -> None:
        self._eventCount += len(payloads)
        if self._eventCount > MOST_EVENTS:
            self._fail(self.tooLarge(f"of more than {MOST_EVENTS} events"))
        if len(self._text) + self._content > MOST_CONTENT:
            self._fail(self._sayingTooMuch())

    def finish(self) -> list[ModelEvent]:
        """
        Decode the rest at the end of the body.
        """
        if not self.complete:
            whole = self._unstreamed
            left = self._stream.finish() if whole is None else [bytes(whole)]
            self._readAll(filter(None, left))
            if type(self._error) is UpstreamMalformed:
                # An incomplete object: the response is truncated.
                self._error, self.complete = None, False
        self.endContent()
        if self._error is None and self.finishReason in ("stop", "tool_calls"):
            for key in self._calls.lacking():
                self.continueCall(key, "{}")
        return self._drain()

    def reply(self) -> ModelReply:
        """
        Return the complete reply; only a finish reason proves that it is complete.
        """
        if self._error is not None:
            raise self._error
        if self.finishReason is None:
            raise self.brokenOff()
        return self.assemble(self.finishReason)

    # The interface for dialects

    def reported(self, error: Any, status: int | None = None) -> OpenClawError:
        """
        Return the error that the provider reports within its response.

        @param error: Its description, of JSON types.
        @param status: The HTTP status that it would have at the start, if the
            description has none.
        """
        if status is None:
            status = statusOf(error)
        body = msgspec.json.encode({"error": wellFormedJSON(error)})
        return self._refusal(status, Headers(), body)

    def readUnknown(self, payload: bytes, known: Set[str] = frozenset()) -> None:
        """
        Handle an event without a part of a reply.

        @param known: The members of events that may be without meaning.
        @raise OpenClawError: It is an error.
        """
        document = parseLeniently(payload)
        error = findError(document)
        if error is not None:
            raise self.reported(error)
        if document and not isPing(document) and not known & set(document):
            self._hasUnknown = True

    def readLate(self, payload: bytes) -> None:
        """
        Handle an event after C{[DONE]}, of which only the usage is read.
        """

    # Implementation

    def _readAll(self, payloads: Iterable[bytes]) -> None:
        remaining = iter(payloads)
        if self._isDone:
            self._readBehind(remaining)
        for payload in remaining:
            if self.complete:
                break
            if hasTooManyEscapes(payload):
                self._fail(self.tooLarge("with an event of too many escapes"))
                break
            if len(payload) > LARGE_EVENT and hasTooManyValues(payload):
                self._fail(self.tooLarge("with an event of too many values"))
                break
            try:
                if payload[:1] == b"{" and type(payload) is bytes:
                    self.read(payload)
                else:
                    self._readOdd(payload)
                    if self._isDone:
                        self._readBehind(remaining)
            except OpenClawError as error:
                self._fail(error)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                self._fail(self.unreadable())

    def _readOdd(self, payload: bytes) -> None:
        """
        Handle data that is not a JSON object, or is named an error.
        """
        text = payload.strip()
        if text[:6] == b"[DONE]":
            self._isDone = True
            # It proves the end of a reply, but not that there was one.
            if self.hasContent and not self._hasUnknown:
                self.finishReason = self.finishReason or "stop"
            self.complete = self.finishReason is None
        elif type(payload) is ErrorEvent:
            raise self._namedError(text)
        elif text.strip(b'"').lower() not in _HARMLESS:
            self.read(payload)

    def _readBehind(self, payloads: Iterable[bytes]) -> None:
        """
        Handle data after C{[DONE]}, where some servers send the usage.
        """
        for payload in payloads:
            if len(payload) <= LARGE_EVENT:
                with suppress(msgspec.DecodeError, UnicodeError, RecursionError):
                    self.readLate(payload)
        self.complete = self.complete or self.usage is not NO_USAGE

    def _namedError(self, text: bytes) -> OpenClawError:
        try:
            document = parseLeniently(text)
        except (msgspec.DecodeError, RecursionError):
            if text[:1] in (b"{", b"["):
                return self.unreadable()
            document = text.decode("utf-8", "replace")
        return self.reported(findError(document) or document)

    def _fail(self, error: OpenClawError) -> None:
        if not self._isDone:
            self._error = error
        self.complete = True
