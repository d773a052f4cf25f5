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
    Cuts a body into the JSON texts in it, as L{EventStreamDecoder} does.
    """

    def feed(self, data: bytes) -> list[bytes]:
        """
        The texts that these bytes complete.

        @raise EventTooLong: One is longer than the limit.
        """

    def finish(self) -> list[bytes]:
        """
        The body has ended: what it left open.
        """


class StreamedReply(AnswerContent, ABC):
    """
    An answer in server-sent events, each of them a JSON object: bytes in, events
    out; see L{openclaw.models.upstream_call.ReplyDecoder}.

    A dialect extends it with C{read}, which says what an object means by the other
    methods.  An answer that comes as one JSON object, though a stream was asked
    for, goes to C{read} too.

    An error does not raise at once: what came before it is told, however the bytes
    were cut, and C{reply} raises it.

    @ivar complete: Set by C{read} when nothing follows.
    @ivar finishReason: Set by C{read} when the provider says why it stopped.  Only this
        proves that an answer is whole.
    """

    def __init__(
        self, provider: str, refusal: Refusal, lines: Framing | None = None
    ) -> None:
        """
        @param provider: The provider's name, for messages.

        @param refusal: Makes an error of what the provider reports in its answer.

        @param lines: What cuts the body, where it is none of server-sent events.
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
        Understand one JSON object.

        @raise OpenClawError: The provider reports an error, or makes no sense.
        @raise msgspec.DecodeError: The latter, too.
        """

    # What a call asks of a decoder

    def feed(self, data: bytes) -> list[ModelEvent]:
        """
        Read the next bytes of the body.
        """
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
        Is the body one JSON document?
        """
        return self._unstreamed is not None

    def _beginBody(self, data: bytes) -> bytes:
        """
        Find out what kind of body this is.

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
            # A web page: some other server answered.
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
        Read what is left when the body has ended.
        """
        if not self.complete:
            whole = self._unstreamed
            left = self._stream.finish() if whole is None else [bytes(whole)]
            self._readAll(filter(None, left))
            if type(self._error) is UpstreamMalformed:
                # Half an object: the answer broke off.
                self._error, self.complete = None, False
        self.endContent()
        if self._error is None and self.finishReason in ("stop", "tool_calls"):
            for key in self._calls.lacking():
                self.continueCall(key, "{}")
        return self._drain()

    def reply(self) -> ModelReply:
        """
        The whole answer; only a reason to stop proves that it is whole.
        """
        if self._error is not None:
            raise self._error
        if self.finishReason is None:
            raise self.brokenOff()
        return self.assemble(self.finishReason)

    # What a dialect tells

    def reported(self, error: Any, status: int | None = None) -> OpenClawError:
        """
        The error that the provider reports within its answer.

        @param error: Its description, of JSON types.

        @param status: The HTTP status that it would have had at the start, where the
            description does not say it.
        """
        if status is None:
            status = statusOf(error)
        body = msgspec.json.encode({"error": wellFormedJSON(error)})
        return self._refusal(status, Headers(), body)

    def readUnknown(self, payload: bytes, known: Set[str] = frozenset()) -> None:
        """
        Understand an event in which nothing of an answer was found.

        @param known: The members of events that may say nothing.
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
        Understand an event behind C{[DONE]}, of which only the usage counts.
        """

    # How it is kept

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
        Read what is not a JSON object, or is named an error.
        """
        text = payload.strip()
        if text[:6] == b"[DONE]":
            self._isDone = True
            # It proves the end of an answer, but not that there was one.
            if self.hasContent and not self._hasUnknown:
                self.finishReason = self.finishReason or "stop"
            self.complete = self.finishReason is None
        elif type(payload) is ErrorEvent:
            raise self._namedError(text)
        elif text.strip(b'"').lower() not in _HARMLESS:
            self.read(payload)

    def _readBehind(self, payloads: Iterable[bytes]) -> None:
        """
        Read what comes behind C{[DONE]}, where some servers send the usage.
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
