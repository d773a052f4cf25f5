"""
The turn loop: calls the model and its tools until there is a reply or a limit is
reached.
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
    Thought,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
    joinRefusal,
)

NUDGE = UserMessage("Your last reply was empty. Please answer now.")
"""
The message after an empty reply, sent once and never stored.
"""

SAME_FAILURES = 3
"""
Limit of identical failing tool calls in a row.
"""

MAX_RUN_CHARACTERS = 32 * 1024 * 1024
"""
Limit of the characters of replies and tool results in one run.
"""

SEPARATOR = "\n\n"
"""
The separator between the texts of two turns.
"""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """
    The result of a run.

    @ivar text: The complete text.
    @ivar toolCalls: Tool calls for the client.
    @ivar usage: The sum over all model calls.
    @ivar refusal: The model's reason for not answering, if it gave one.
    @ivar thoughts: The thoughts that its provider requires back with the calls.
    """

    text: str
    finishReason: FinishReason
    usage: Usage
    toolCalls: Sequence[ToolCall] = ()
    refusal: str = ""
    thoughts: Sequence[Thought] = ()


class TurnListener:
    """
    The listener of one turn.  Drops calls of the agent's own tools, and separates the
    text from that of earlier turns.

    @ivar hasOutput: Whether the client has received a part of this reply.
    """

    def __init__(
        self, listener: RunListener, clientNames: Container[str], separate: bool
    ) -> None:
        self._listener = listener
        self._clientNames = clientNames
        self._separate = separate
        self._positions: dict[int, int] = {}
        self.hasOutput = False

    def __call__(self, events: Sequence[ModelEvent]) -> None:
        """
        Pass on the events that are for the client.
        """
        heard: Sequence[RunEvent] = events
        if self._separate or ToolCallDelta in map(type, events):
            heard = self._filterEvents(events)
        if heard:
            # Reasoning before a failure does no harm.
            if not self.hasOutput:
                self.hasOutput = any(
                    type(event) is not ReasoningDelta for event in heard
                )
            self._listener(heard)

    def _filterEvents(self, events: Sequence[ModelEvent]) -> Sequence[RunEvent]:
        heard: list[RunEvent] = []
        for event in events:
            if isinstance(event, ToolCallDelta):
                self._filterCall(event, heard)
            elif self._separate and isinstance(event, TextDelta) and event.text:
                self._separate = False
                heard += (TextDelta(SEPARATOR), event)
            else:
                heard.append(event)
        return heard

    def _filterCall(self, event: ToolCallDelta, heard: list[RunEvent]) -> None:
        if event.name in self._clientNames:
            self._positions[event.index] = len(self._positions)
        position = self._positions.get(event.index)
        if position is not None:
            heard.append(ToolCallDelta(position, event.id, event.name, event.arguments))


AskModel = Callable[[Sequence[Message], TurnListener], Awaitable[ModelReply]]
"""
Gets the model's next reply to a conversation; its events go to the listener.
"""

CallTools = Callable[[Sequence[ToolCall]], Awaitable[Sequence[ToolMessage]]]
"""
Runs calls of the agent's own tools.
"""


@dataclass(slots=True)
class TurnLoop:
    """
    The turn loop of one run.

    @ivar clientTools: Tools that the client runs.
    @ivar newMessages: The messages of this run so far, in complete turns: each call of
        the agent's own tools has its result here.
    """

    ask: AskModel
    callTools: CallTools
    listener: RunListener
    maxModelCalls: int
    clientTools: Sequence[ToolSpec] = ()
    toolChoice: ToolChoice = "auto"
    newMessages: list[Message] = field(default_factory=list, init=False)
    _text: str = field(default="", init=False)
    _refusal: str = field(default="", init=False)
    _usage: Usage = field(default=NO_USAGE, init=False)
    _size: int = field(default=0, init=False)
    _failed: tuple[object, int] = field(default=(None, 0), init=False)
    _clientNames: Container[str] = field(init=False)

    def __post_init__(self) -> None:
        self._clientNames = frozenset(tool.name for tool in self.clientTools)

    async def run(self, conversation: Sequence[Message]) -> RunResult:
        """
        Run until there is a reply.

        @raise ToolLoop: A limit was reached.
        @raise UpstreamTooLarge: A reply has too many tool calls.  None of them was run.
        @raise EmptyReply: The model's reply is empty.
        @raise ToolChoiceUnmet: The model did not call the required tool.
        """
        nudged, blanks = False, ""
        nudge: tuple[Message, ...] = ()
        for _ in range(self.maxModelCalls):
            more = (*self.newMessages, *nudge)
            separated = bool(self._text.strip())
            listener = TurnListener(self.listener, self._clientNames, separated)
            reply = await self.ask(
                [*conversation, *more] if more else conversation, listener
            )
            self._addReply(reply, separated)
            nudge = ()
            own, clients = self._splitCalls(reply.toolCalls)
            if own and reply.finishReason == "tool_calls":
                await self._callTools(reply, own)
                if clients:
                    return self._makeResult("tool_calls", clients, reply.thoughts)
                continue
            said = self._text.strip() or self._refusal
            if clients or reply.finishReason != "stop" or said:
                content = joinRefusal(blanks + reply.text, reply.refusal)
                self.newMessages.append(
                    AssistantMessage(content, clients, tuple(reply.thoughts))
                )
                return self._makeResult(reply.finishReason, clients, reply.thoughts)
            if nudged:
                raise EmptyReply("The model's reply was empty.")
            nudge, nudged, blanks = (NUDGE,), True, reply.text
        raise ToolLoop(
            f"The model was called {self.maxModelCalls} times without a final reply.",
            code="max_model_calls",
        )

    def _addReply(self, reply: ModelReply, separated: bool) -> None:
        if separated and reply.text:
            self._text += SEPARATOR
        self._text += reply.text
        self._refusal += reply.refusal
        self._usage += reply.usage
        if len(reply.toolCalls) > MOST_CALLS:
            raise UpstreamTooLarge(
                f"The model made more than {MOST_CALLS} tool calls in one reply."
            )
        self._countCharacters(
            len(reply.text)
            + len(reply.refusal)
            + sum(len(call.name) + len(call.arguments) for call in reply.toolCalls)
            + sum(len(each.text) + len(each.signature) for each in reply.thoughts)
        )

    def _countCharacters(self, size: int) -> None:
        self._size += size
        if self._size > MAX_RUN_CHARACTERS:
            raise ToolLoop(
                f"The run has exceeded {MAX_RUN_CHARACTERS} characters.",
                code="max_run_size",
            )

    def _splitCalls(
        self, calls: Sequence[ToolCall]
    ) -> tuple[tuple[ToolCall, ...], tuple[ToolCall, ...]]:
        """
        @return: The calls of the agent's own and of unknown tools, and those for the
            client.
        """
        clients = tuple(call for call in calls if call.name in self._clientNames)
        own = tuple(call for call in calls if call.name not in self._clientNames)
        return own, clients

    async def _callTools(self, reply: ModelReply, own: Sequence[ToolCall]) -> None:
        results = await self.callTools(own)
        self.newMessages.append(
            AssistantMessage(
                joinRefusal(reply.text, reply.refusal),
                tuple(reply.toolCalls),
                tuple(reply.thoughts),
            )
        )
        self.newMessages += results
        self._countCharacters(sum(len(result.content) for result in results))
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

    def _makeResult(
        self,
        reason: FinishReason,
        clients: Sequence[ToolCall],
        thoughts: Sequence[Thought],
    ) -> RunResult:
        # A truncated reply might have called it.
        if reason in ("stop", "tool_calls"):
            self._checkChoice(clients)
        return RunResult(
            text=self._text,
            finishReason=reason,
            usage=self._usage,
            toolCalls=tuple(clients),
            refusal=self._refusal,
            thoughts=tuple(thoughts) if clients else (),
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
            raise ToolChoiceUnmet(
                f"The model did not call {name}, which the request requires."
            )
