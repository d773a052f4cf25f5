"""
Decoding of responses: the part that dialects share, without I/O.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from twisted.web.http_headers import Headers

from openclaw.errors import (
    OpenClawError,
    UpstreamMalformed,
    UpstreamTooLarge,
    UpstreamTruncated,
)
from openclaw.events import ModelEvent, ReasoningDelta, TextDelta
from openclaw.interfaces import ModelReply
from openclaw.json_size import hasTooManyEscapes, hasTooManyValues
from openclaw.messages import MOST_CALLS, NO_USAGE, FinishReason, Thought, Usage
from openclaw.models.think_tags import ThinkingSplitter
from openclaw.models.tool_calls import (
    MOST_ARGUMENTS,
    CallsTooLarge,
    ToolCallAssembler,
)
from openclaw.models.upstream_call import Refusal
from openclaw.net.sse import MAX_EVENT_BYTES, EventStreamDecoder, EventTooLong

MOST_BYTES = 128 * 1024 * 1024
"""
The largest body of an answer, with all that is passed over in it, such as comments.
The longest that models can give today, of 128,000 tokens, has about 40 MB in the
wordiest dialect.
"""

MOST_CONTENT = 16 * 1024 * 1024
"""
The most that an answer may say, in bytes or characters: text, thoughts, and the
arguments of tool calls.
"""

MOST_EVENTS = 1_000_000
"""
The most events of an answer, also those that say nothing.
"""

UNCOUNTED_BYTES = 4 * 1024 * 1024
"""
A body of no more bytes can pass neither of these two limits: an event has eight bytes
at least, and no byte of a body says more than two of content.
"""

MOST_THOUGHTS = 1024
"""
The most thoughts of an answer that a provider may want back.
"""

MOST_ITEMS = 10_000
"""
The most items or blocks of an answer that are told apart.
"""

LARGE_EVENT = 64 * 1024
"""
The values in an event of more bytes than this are counted before it is read.
"""

MOST_TOKENS = 2**53
"""
The largest count that every reader of JSON can tell from its neighbours.
"""


def plausible(count: int) -> int:
    """
    A provider's count of tokens if it can be one, else the nearest that can.
    """
    return min(max(0, count), MOST_TOKENS)


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


class StreamedReply(ABC):
    """
    An answer in server-sent events, each of them a JSON object: bytes in, events
    out; see L{openclaw.models.upstream_call.ReplyDecoder}.

    A dialect extends it with C{read}, which says what an object means by the other
    methods.  An answer that comes as one JSON object, though a stream was asked
    for, goes to C{read} too.

    An error does not raise at once: what came before it is told, however the bytes
    were cut, and C{reply} raises it.

    @ivar complete: Set by C{read} when nothing follows.
    @ivar finishReason: Set by C{read} when the provider says why it stopped.
    """

    def __init__(
        self, provider: str, refusal: Refusal, lines: Framing | None = None
    ) -> None:
        """
        @param provider: The provider's name, for messages.

        @param refusal: Makes an error of what the provider reports in its answer.

        @param lines: What cuts the body, where it is none of server-sent events.
        """
        self.complete = False
        self.finishReason: FinishReason | None = None
        self._usage = NO_USAGE
        self.provider = provider
        self._refusal = refusal
        self._stream: Framing = lines or EventStreamDecoder()
        self._splitter = ThinkingSplitter()
        self._calls = ToolCallAssembler()
        self._thoughts: list[Thought] = []
        self._content = 0
        self._eventCount = 0
        # In UTF-8: each word as a string of its own would take ten times as much.
        self._text = bytearray()
        self._events: list[ModelEvent] = []
        self._unstreamed: bytearray | None = None
        self._started = lines is not None
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
        if not self._started:
            start = data.lstrip()[:1]
            if not start:
                return []
            self._started = True
            if start == b"<":
                # A web page: some other server answered.
                self._fail(self.unreadable())
                return []
            if start in b"{[":
                self._unstreamed = bytearray()
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
            self._readAll(self._stream.finish() if whole is None else [bytes(whole)])
            if type(self._error) is UpstreamMalformed:
                # Half an object: the answer broke off.
                self._error, self.complete = None, False
        self._keep(self._splitter.finish())
        reason = self.finishReason
        if reason is None and self.complete and self._error is None:
            reason = "stop"
        if reason in ("stop", "tool_calls"):
            for key in self._calls.lacking():
                self.continueCall(key, "{}")
        return self._drain()

    def reply(self) -> ModelReply:
        """
        The whole answer; a reason to stop, or the end mark, proves that it is whole.
        """
        if self._error is not None:
            raise self._error
        if self.finishReason is None and not self.complete:
            raise UpstreamTruncated(
                f"The answer of provider {self.provider!r} broke off."
            )
        calls = self._calls.calls()
        reason = self.finishReason or "stop"
        if reason in ("stop", "tool_calls"):
            # Some say the one and mean the other.
            reason = "tool_calls" if calls else "stop"
        return ModelReply(
            text=self._text.decode(),
            finishReason=reason,
            usage=self.usage,
            toolCalls=calls,
            # After an answer that ends with words, nobody wants them back.
            thoughts=tuple(self._thoughts) if calls else (),
        )

    # What a dialect tells

    @property
    def usage(self) -> Usage:
        """
        The usage so far. Set by C{read}; impossible counts are corrected.
        """
        return self._usage

    @usage.setter
    def usage(self, told: Usage) -> None:
        counts = msgspec.structs.astuple(told)
        self._usage = Usage(*map(plausible, counts))

    def say(self, text: str) -> None:
        """
        The model said some more.
        """
        if self._splitter.passing:
            # All but the first few words of an answer.
            if text:
                self._text += text.encode()
                self._events.append(TextDelta(text))
        else:
            self._keep(self._splitter.feed(text))

    def think(self, text: str) -> None:
        """
        The model thought some more.
        """
        if text:
            self._content += len(text)
            self._events.append(ReasoningDelta(text))

    def keepThought(self, text: str, signature: str) -> None:
        """
        The provider wants this back with the calls that follow.

        @param text: What of it was told by L{think}.
        """
        # Some sign what they have signed before: each time it is another copy.
        self._content += len(text) + len(signature)
        if len(self._thoughts) >= MOST_THOUGHTS:
            raise self.tooLarge(f"with more than {MOST_THOUGHTS} thoughts")
        if self._content > MOST_CONTENT:
            raise self._sayingTooMuch()
        self._thoughts.append(Thought(text, signature))

    def beginCall(self, key: object, name: str | None, id: str | None) -> None:
        """
        The model begins a tool call.

        @param key: What the dialect tells the call's pieces by.

        @param id: The provider's id for it, if it has one.
        """
        if not name:
            raise self.unreadable()
        if self._calls.lacks(key):
            # Whatever comes now under this key is not for the call that had it.
            self.continueCall(key, "{}")
        self._keep(self._splitter.finish())
        self._content += len(name) + len(id or "")
        try:
            self._events.append(self._calls.begin(key, name, id))
        except CallsTooLarge:
            raise self.tooLarge(f"with more than {MOST_CALLS} tool calls") from None

    def signCall(self, key: object, signature: str) -> None:
        """
        The provider wants this back with a call that has begun.
        """
        self._content += len(signature)
        self._calls.sign(key, signature)

    def knowsCall(self, key: object) -> bool:
        """
        Has this call begun?
        """
        return self._calls.knows(key)

    def lacksArguments(self, key: object) -> bool:
        """
        Has this call begun, and nothing of its arguments come?
        """
        return self._calls.lacks(key)

    def continueCall(self, key: object, arguments: str) -> None:
        """
        The model wrote some more of a call's arguments.
        """
        if not self._calls.knows(key):
            raise self.unreadable()
        if arguments:
            self._content += len(arguments)
            try:
                self._events.append(self._calls.more(key, arguments))
            except CallsTooLarge:
                raise self.tooLarge(
                    f"with a tool call of more than {MOST_ARGUMENTS} characters"
                ) from None

    def tooLarge(self, what: str) -> OpenClawError:
        """
        The error for an answer that is larger than any may be.

        @param what: Continues "an answer".
        """
        return UpstreamTooLarge(f"Provider {self.provider!r} sent an answer {what}.")

    def _sayingTooMuch(self) -> OpenClawError:
        return self.tooLarge(f"that says more than {MOST_CONTENT} characters")

    def noteItem(self, seen: set[int | None], index: int | None) -> None:
        """
        Remember an item of the answer by its index.
        """
        if len(seen) >= MOST_ITEMS:
            raise self.tooLarge(f"of more than {MOST_ITEMS} items")
        seen.add(index)

    def unreadable(self) -> OpenClawError:
        """
        The error for what makes no sense.
        """
        return UpstreamMalformed(
            f"Provider {self.provider!r} sent an invalid response."
        )

    def reported(self, status: int, error: Any) -> OpenClawError:
        """
        The error that the provider reports within its answer.

        @param status: The HTTP status that it would have had at the start.

        @param error: Its description, of JSON types.
        """
        body = msgspec.json.encode({"error": error})
        return self._refusal(status, Headers(), body)

    # How it is kept

    def _readAll(self, payloads: Sequence[bytes]) -> None:
        for payload in payloads:
            if self.complete:
                break
            if payload[:6] == b"[DONE]":
                self.complete = True
            elif payload[:1] == b"{" or payload.strip():
                if hasTooManyEscapes(payload):
                    self._fail(self.tooLarge("with an event of too many escapes"))
                    break
                if len(payload) > LARGE_EVENT and hasTooManyValues(payload):
                    self._fail(self.tooLarge("with an event of too many values"))
                    break
                try:
                    self.read(payload)
                except OpenClawError as error:
                    self._fail(error)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    self._fail(self.unreadable())

    def _fail(self, error: OpenClawError) -> None:
        self._error = error
        self.complete = True

    def _keep(self, events: Sequence[ModelEvent]) -> None:
        for event in events:
            if type(event) is TextDelta:
                self._text += event.text.encode()
        self._events += events

    def _drain(self) -> list[ModelEvent]:
        events, self._events = self._events, []
        return events
