"""
The content of a reply, which a dialect's decoder adds piece by piece.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from openclaw.errors import (
    OpenClawError,
    UpstreamMalformed,
    UpstreamTooLarge,
    UpstreamTruncated,
)
from openclaw.events import (
    LogprobsDelta,
    ModelEvent,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
)
from openclaw.interfaces import ModelReply
from openclaw.messages import MOST_CALLS, NO_USAGE, FinishReason, Thought, Usage
from openclaw.models.answer_limits import (
    MOST_CONTENT,
    MOST_ITEMS,
    MOST_THOUGHTS,
    plausible,
)
from openclaw.models.lenient_json import wellFormed, wellFormedJSON
from openclaw.models.logprobs import readLogprobs
from openclaw.models.surrogates import SurrogateJoiner
from openclaw.models.think_tags import ThinkingSplitter, splitUnopened
from openclaw.models.tool_calls import (
    MOST_ARGUMENTS,
    CallsTooLarge,
    ToolCallAssembler,
)

_TEXT = "text"
_THOUGHT = "thought"
_REFUSAL = "refusal"


class AnswerContent:
    """
    Collects text, reasoning, tool calls and usage: pieces in, events and a complete
    reply out.

    @ivar finishReason: The provider's finish reason.  Only this proves that a reply is
        complete.
    """

    def __init__(self, provider: str) -> None:
        """
        @param provider: The provider's name, for messages.
        """
        self.finishReason: FinishReason | None = None
        self.provider = provider
        self._usage = NO_USAGE
        self._splitter = ThinkingSplitter()
        self._halves = SurrogateJoiner()
        self._isPlain = False
        self._isExpecting = False
        self._calls = ToolCallAssembler()
        self._thoughts: list[Thought] = []
        self._content = 0
        # In UTF-8, since separate strings would take ten times as much.
        self._text = bytearray()
        self._declined = bytearray()
        self._events: list[ModelEvent] = []

    @property
    def hasContent(self) -> bool:
        """
        Return whether there has been any text, reasoning or call.
        """
        return bool(self._text or self._content)

    @property
    def usage(self) -> Usage:
        """
        Return the usage so far.
        """
        return self._usage

    def countAtLeast(
        self,
        prompt: int | None,
        completion: int | None,
        cached: int | None = None,
        reasoning: int | None = None,
    ) -> None:
        """
        Update the usage by later counts, and correct impossible ones.  Some providers
        send the total so far in each event, and some send zeros before or after the
        right counts.
        """
        if prompt is completion is cached is reasoning is None:
            return
        before = self._usage
        self._usage = Usage(
            max(before.prompt_tokens, plausible(prompt or 0)),
            max(before.completion_tokens, plausible(completion or 0)),
            max(before.cached_tokens, plausible(cached or 0)),
            max(before.reasoning_tokens, plausible(reasoning or 0)),
        )

    def say(self, text: str) -> None:
        """
        Add a piece of text.
        """
        if self._isPlain:
            # The usual case after the first few words.
            if text:
                try:
                    self._text += text.encode()
                except UnicodeEncodeError:
                    self._sayInPieces(text)
                else:
                    self._events.append(TextDelta(text))
        else:
            self._sayInPieces(text)

    def _sayInPieces(self, text: str) -> None:
        self._keep(self._splitter.feed(self._halves.join(_TEXT, text)))
        self._isPlain = self._splitter.passing and _TEXT not in self._halves

    def countContent(self, text: str) -> None:
        """
        Count content that is kept and sent later.

        @raise UpstreamTooLarge: The reply is too large.
        """
        self._content += len(text)
        if self._content > MOST_CONTENT:
            raise self._sayingTooMuch()

    def sayWhole(self, text: str) -> None:
        """
        Add a complete text.
        """
        thought, answer = splitUnopened(text)
        self.think(thought)
        self.say(answer)

    def expectThought(self) -> None:
        """
        Treat the beginning of the text as reasoning, up to a closing tag.
        """
        self._isExpecting = True
        self._splitter.expectThought()

    def decline(self, text: str) -> None:
        """
        Add a piece of a refusal.
        """
        text = self._halves.join(_REFUSAL, text)
        if text:
            self._content += len(text)
            self._declined += text.encode()
            self._events.append(RefusalDelta(text))

    def score(self, logprobs: Any) -> None:
        """
        Keep the log probabilities of the latest text or refusal.

        @param logprobs: As the provider sent them.
        """
        tokens = readLogprobs(logprobs)
        if tokens:
            self._content += sum(len(each["token"]) for each in tokens)
            isRefusal = bool(self._events) and type(self._events[-1]) is RefusalDelta
            self._events.append(LogprobsDelta(tokens, isRefusal))

    def think(self, text: str) -> str:
        """
        Add a piece of reasoning.

        @return: The part that was sent; a lone surrogate waits for the other half.
        """
        if text:
            if self._isExpecting or self._halves or not text.isascii():
                text = self._wholeThought(text)
                if not text:
                    return ""
            self._content += len(text)
            self._events.append(ReasoningDelta(text))
        return text

    def _wholeThought(self, text: str) -> str:
        if self._isExpecting:
            # The server separates the reasoning from the text.
            self._isExpecting = False
            self._splitter.expectThought(False)
        if not self._halves:
            try:
                text.encode()
            except UnicodeEncodeError:
                pass
            else:
                return text
        return self._halves.join(_THOUGHT, text)

    def keepThought(self, text: str, signature: str, lasting: bool = False) -> None:
        """
        Keep reasoning that the provider requires back with the following calls.

        @param text: The part of it that L{think} has sent.
        @param lasting: See L{Thought}.
        """
        signature = wellFormed(signature)
        # Some servers sign the same reasoning again: each time it is another copy.
        self._content += len(text) + len(signature)
        if len(self._thoughts) >= MOST_THOUGHTS:
            raise self.tooLarge(f"with more than {MOST_THOUGHTS} thoughts")
        if self._content > MOST_CONTENT:
            raise self._sayingTooMuch()
        self._thoughts.append(Thought(text, signature, lasting))

    def beginCall(self, key: object, name: str | None, id: str | None) -> None:
        """
        Begin a tool call.

        @param key: The key by which the dialect identifies the call's pieces.
        @param id: The provider's id for it, if it has one.
        """
        if not name:
            raise self.unreadable()
        if self._calls.lacks(key):
            # Later pieces with this key are not for the earlier call.
            self.continueCall(key, "{}")
        self._keep(self._splitter.finish())
        name, id = wellFormed(name), id and wellFormed(id)
        self._content += len(name) + len(id or "")
        try:
            self._events.append(self._calls.begin(key, name, id))
        except CallsTooLarge:
            raise self.tooLarge(f"with more than {MOST_CALLS} tool calls") from None

    def signCall(self, key: object, signature: str) -> None:
        """
        Set the signature that the provider requires back with a call.
        """
        self._content += len(signature)
        self._calls.sign(key, wellFormed(signature))

    def hasWholeArguments(self, key: object) -> bool:
        """
        Return whether the arguments of a call are a complete JSON text so far.
        """
        return self._calls.isWhole(key)

    def lacksArguments(self, key: object) -> bool:
        """
        Return whether a call has begun and has no arguments yet.
        """
        return self._calls.lacks(key)

    def continueCall(self, key: object, arguments: str) -> None:
        """
        Append a piece of a call's arguments.
        """
        if not self._calls.knows(key):
            raise self.unreadable()
        if arguments and (self._halves or not arguments.isascii()):
            arguments = self._halves.join(key, arguments)
        if arguments:
            self._content += len(arguments)
            try:
                self._events.append(self._calls.more(key, arguments))
            except CallsTooLarge:
                raise self.tooLarge(
                    f"with a tool call of more than {MOST_ARGUMENTS} characters"
                ) from None

    def argumentsText(self, value: Any) -> str:
        """
        Return a piece of a call's arguments, which some servers send as an object, as
        text.

        @raise UpstreamMalformed: It is neither text nor an object; the call would
            change without it.
        """
        if isinstance(value, str):
            return value
        if isinstance(value, dict):
            try:
                return msgspec.json.encode(wellFormedJSON(value)).decode()
            except RecursionError:
                raise self.unreadable() from None
        if value is None:
            return ""
        raise self.unreadable()

    def tooLarge(self, what: str) -> OpenClawError:
        """
        Return the error for a reply over a limit.

        @param what: Continues "an answer".
        """
        return UpstreamTooLarge(f"Provider {self.provider!r} sent an answer {what}.")

    def _sayingTooMuch(self) -> OpenClawError:
        return self.tooLarge(f"that says more than {MOST_CONTENT} characters")

    def noteItem(self, seen: set[int | None], index: int | None) -> None:
        """
        Remember an item of the reply by its index.
        """
        if len(seen) >= MOST_ITEMS:
            raise self.tooLarge(f"of more than {MOST_ITEMS} items")
        seen.add(index)

    def unreadable(self) -> OpenClawError:
        """
        Return the error for malformed data.
        """
        return UpstreamMalformed(
            f"Provider {self.provider!r} sent an invalid response."
        )

    def brokenOff(self) -> OpenClawError:
        """
        Return the error for an incomplete reply.
        """
        return UpstreamTruncated(f"The answer of provider {self.provider!r} broke off.")

    def endContent(self) -> None:
        """
        Send the content that was held back.
        """
        for key in list(self._halves):
            # The other half did not arrive.
            self._tellHalf(key)
        self._keep(self._splitter.finish())

    def _tellHalf(self, key: object) -> None:
        half = self._halves.pop(key)
        if key == _TEXT:
            self.say(wellFormed(half))
        elif key == _THOUGHT:
            self.think(wellFormed(half))
        elif key == _REFUSAL:
            self.decline(wellFormed(half))
        else:
            self.continueCall(key, wellFormed(half))

    def assemble(self, reason: FinishReason) -> ModelReply:
        calls = self._calls.calls()
        if reason in ("stop", "tool_calls"):
            # Some servers send one reason and mean the other.
            reason = "tool_calls" if calls else "stop"
        text = self._text.decode()
        if self._splitter.passing:
            # By now it is known that this was not text, too late for a stream.
            _, text = splitUnopened(text)
        return ModelReply(
            text=text,
            finishReason=reason,
            usage=self.usage,
            toolCalls=calls,
            # After a reply that ends with text, most of it is not required back.
            thoughts=tuple(
                thought for thought in self._thoughts if calls or thought.lasting
            ),
            refusal=self._declined.decode(),
        )

    def _keep(self, events: Sequence[TextDelta | ReasoningDelta]) -> None:
        for event in events:
            if type(event) is TextDelta:
                self._text += event.text.encode()
            else:
                self._content += len(event.text)
        self._events += events

    def _drain(self) -> list[ModelEvent]:
        events, self._events = self._events, []
        return events
