"""
The turn loop: the model speaks and calls tools, is told their results, and speaks
again, until it has answered or a bound is reached.
"""

from collections.abc import Awaitable, Callable, Container, Sequence
from dataclasses import dataclass, field

from openclaw.errors import (
    EmptyReply,
    ToolChoiceUnmet,
    ToolLoop,
    UpstreamTooLarge,
)
from openclaw.events import (
    ModelEvent,
    ReasoningDelta,
    RunEvent,
    RunListener,
    TextDelta,
    ToolCallDelta,
)
from openclaw.interfaces import ModelReply, NamedTool, ToolChoice, ToolSpec
from openclaw.messages import (
    MOST_CALLS,
    NO_USAGE,
    AssistantMessage,
    FinishReason,
    Message,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)

NUDGE = UserMessage("Your last reply was empty. Please answer now.")
"""
The nudge after an empty reply, sent once and never stored.
"""

SAME_FAILURES = 3
"""
Limit of identical tool calls with identical results in a row.
"""

MAX_RUN_CHARACTERS = 32 * 1024 * 1024
"""
The most that a model may say and be told in one run, beside what was said before.
"""

SEPARATOR = "\n\n"
"""
The separator between the texts of two turns.
"""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """
    The result of a run.

    @ivar text: The whole answer.
    @ivar toolCalls: What the client is to do.
    @ivar usage: The sum over all calls of the model.
    """

    text: str
    finishReason: FinishReason
    usage: Usage
    toolCalls: Sequence[ToolCall] = ()


class TurnListener:
    """
    Listens to one turn.  What the agent's own tools are called with stays here, and
    the text of this turn is set apart from that of the turns before.

    @ivar heard: Has the caller got anything of this turn's answer?
    """

    def __init__(
        self, listener: RunListener, clientNames: Container[str], separate: bool
    ) -> None:
        self._listener = listener
        self._clientNames = clientNames
        self._separate = separate
        self._positions: dict[int, int] = {}
        self.heard = False

    def __call__(self, events: Sequence[ModelEvent]) -> None:
        """
        Pass on what is for the caller.
        """
        heard: Sequence[RunEvent] = events
        if self._separate or ToolCallDelta in map(type, events):
            heard = self._sifted(events)
        if heard:
            # What a model thought before it failed does no harm.
            if not self.heard:
                self.heard = any(type(event) is not ReasoningDelta for event in heard)
            self._listener(heard)

    def _sifted(self, events: Sequence[ModelEvent]) -> Sequence[RunEvent]:
        heard: list[RunEvent] = []
        for event in events:
            if isinstance(event, ToolCallDelta):
                self._hearCall(event, heard)
            elif self._separate and isinstance(event, TextDelta) and event.text:
                self._separate = False
                heard += (TextDelta(SEPARATOR), event)
            else:
                heard.append(event)
        return heard

    def _hearCall(self, event: ToolCallDelta, heard: list[RunEvent]) -> None:
        if event.name in self._clientNames:
            self._positions[event.index] = len(self._positions)
        position = self._positions.get(event.index)
        if position is not None:
            heard.append(ToolCallDelta(position, event.id, event.name, event.arguments))


Ask = Callable[[Sequence[Message], TurnListener], Awaitable[ModelReply]]
"""
Asks the model to go on with a conversation; what it says goes to the listener as it
comes.
"""

CarryOut = Callable[[Sequence[ToolCall]], Awaitable[Sequence[ToolMessage]]]
"""
Carries out calls of the agent's own tools.
"""


@dataclass(slots=True)
class Turns:
    """
    The loop of one run.

    @ivar clientTools: Tools that the client carries out.
    @ivar said: What the model said and was told so far, in whole turns: each call
        of the agent's own tools has its result here.
    """

    ask: Ask
    carryOut: CarryOut
    listener: RunListener
    maxModelCalls: int
    clientTools: Sequence[ToolSpec] = ()
    toolChoice: ToolChoice = "auto"
    said: list[Message] = field(default_factory=list, init=False)
    _text: str = field(default="", init=False)
    _usage: Usage = field(default=NO_USAGE, init=False)
    _size: int = field(default=0, init=False)
    _failed: tuple[object, int] = field(default=(None, 0), init=False)
    _clientNames: Container[str] = field(init=False)

    def __post_init__(self) -> None:
        self._clientNames = frozenset(tool.name for tool in self.clientTools)

    async def answer(self, conversation: Sequence[Message]) -> RunResult:
        """
        Go on until there is an answer.

        @raise ToolLoop: A bound was reached.

        @raise UpstreamTooLarge: An answer has too many tool calls.  None of them was
            carried out.

        @raise EmptyReply: The model has nothing to say.

        @raise ToolChoiceUnmet: It did not call the tool that it had to.
        """
        nudged, blanks = False, ""
        nudge: tuple[Message, ...] = ()
        for _ in range(self.maxModelCalls):
            more = (*self.said, *nudge)
            separated = bool(self._text.strip())
            listener = TurnListener(self.listener, self._clientNames, separated)
            reply = await self.ask(
                [*conversation, *more] if more else conversation, listener
            )
            self._note(reply, separated)
            nudge = ()
            own, clients = self._sorted(reply.toolCalls)
            if own and reply.finishReason == "tool_calls":
                await self._carryOut(reply, own)
                if clients:
                    return self._finished("tool_calls", clients)
                continue
            if clients or reply.finishReason != "stop" or self._text.strip():
                self.said.append(
                    AssistantMessage(
                        blanks + reply.text, clients, tuple(reply.thoughts)
                    )
                )
                return self._finished(reply.finishReason, clients)
            if nudged:
                raise EmptyReply("The model had nothing to say.")
            nudge, nudged, blanks = (NUDGE,), True, reply.text
        raise ToolLoop(
            f"The model was asked {self.maxModelCalls} times and has not come to an"
            " end.",
            code="max_model_calls",
        )

    def _note(self, reply: ModelReply, separated: bool) -> None:
        if separated and reply.text:
            self._text += SEPARATOR
        self._text += reply.text
        self._usage += reply.usage
        if len(reply.toolCalls) > MOST_CALLS:
            raise UpstreamTooLarge(
                f"The model made more than {MOST_CALLS} tool calls in one answer."
            )
        self._grow(
            len(reply.text)
            + sum(len(call.name) + len(call.arguments) for call in reply.toolCalls)
            + sum(len(each.text) + len(each.signature) for each in reply.thoughts)
        )

    def _grow(self, size: int) -> None:
        """
        Count some more of what is said in this run.
        """
        self._size += size
        if self._size > MAX_RUN_CHARACTERS:
            raise ToolLoop(
                f"The run has come to more than {MAX_RUN_CHARACTERS} characters.",
                code="max_run_size",
            )

    def _sorted(
        self, calls: Sequence[ToolCall]
    ) -> tuple[tuple[ToolCall, ...], tuple[ToolCall, ...]]:
        """
        @return: The calls of the agent's own tools (and of what is no tool at all),
            and those for the client.
        """
        clients = tuple(call for call in calls if call.name in self._clientNames)
        own = tuple(call for call in calls if call.name not in self._clientNames)
        return own, clients

    async def _carryOut(self, reply: ModelReply, own: Sequence[ToolCall]) -> None:
        results = await self.carryOut(own)
        self.said.append(
            AssistantMessage(reply.text, tuple(reply.toolCalls), tuple(reply.thoughts))
        )
        self.said += results
        self._grow(sum(len(result.content) for result in results))
        signature = [
            (call.name, call.arguments, result.content)
            for call, result in zip(own, results, strict=True)
        ]
        failed = all(result.isError for result in results)
        before, times = self._failed
        times = times + 1 if failed and signature == before else int(failed)
        self._failed = (signature, times)
        if times >= SAME_FAILURES:
            raise ToolLoop(
                f"The model made the same failing tool call {times} times.",
                code="repeated_tool_call",
            )

    def _finished(self, reason: FinishReason, clients: Sequence[ToolCall]) -> RunResult:
        # An answer that was broken off might have come to it.
        if reason in ("stop", "tool_calls"):
            self._checkChoice(clients)
        return RunResult(
            text=self._text,
            finishReason=reason,
            usage=self._usage,
            toolCalls=tuple(clients),
        )

    def _checkChoice(self, clients: Sequence[ToolCall]) -> None:
        wanted = self.toolChoice
        if isinstance(wanted, NamedTool):
            met = any(call.name == wanted.name for call in clients)
            name = f"`{wanted.name}`"
        else:
            met = wanted != "required" or bool(clients)
            name = "any tool"
        if not met:
            raise ToolChoiceUnmet(f"The model did not call {name}, as it had to.")
