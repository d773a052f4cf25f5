"""
The tools of one run, and the execution of the model's tool calls.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from openclaw.audit import auditLogger
from openclaw.events import RunListener, ToolProgress
from openclaw.interfaces import ITool, ToolContext, ToolError, ToolSpec
from openclaw.messages import ToolCall, ToolMessage
from openclaw.tools.arguments import ArgumentReader
from openclaw.tools.printable import escapeControls

MAX_RESULT_CHARACTERS = 100_000
"""
Limit of a result for the model; tools have lower limits of their own.
"""

MAX_CALLS_AT_ONCE = 8
"""
Limit of concurrent tool calls of one run.
"""

MAX_NAME_CHARACTERS = 64
"""
Limit of the repeated name of an unknown tool.
"""

FAILED = "The tool failed."
"""
The result of a failed call without a reason.
"""


@dataclass(frozen=True)
class OfferedTool:
    tool: ITool
    reader: ArgumentReader

    def spec(self) -> ToolSpec:
        return ToolSpec(self.tool.name, self.tool.description, self.tool.parameters)


Context = Callable[[ITool], ToolContext]
Check = Callable[[], None]
Counted = Callable[[str, str], None]


Schedule = Callable[[Callable[[], Awaitable[ToolMessage]]], Awaitable[ToolMessage]]


def _runConcurrently(
    work: Callable[[], Awaitable[ToolMessage]],
) -> Awaitable[ToolMessage]:
    return work()


@dataclass
class Toolbox:
    """
    The tools of an agent, for one run.

    @ivar tools: The tools by name.
    @ivar context: Makes the context of a call.
    @ivar check: Raises if no more calls may start.
    @ivar counted: Called after each call with the tool and the outcome.
    @ivar listener: Receives an event when a call starts and when it ends.
    @ivar caller: The caller's label, for the audit.
    @ivar schedule: Runs a call when it is the caller's turn.
    @ivar runID: The run, for the audit.
    @ivar agentID: The agent, for the audit.
    @ivar hadEffects: Whether a tool ran that may have changed something.
    """

    tools: Mapping[str, OfferedTool]
    context: Context
    check: Check
    log: Logger
    counted: Counted = lambda tool, outcome: None
    listener: RunListener = lambda events: None
    caller: str = ""
    schedule: Schedule = _runConcurrently
    runID: str = ""
    agentID: str = ""
    hadEffects: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._audit = auditLogger(self.log)

    def run(self, calls: Sequence[ToolCall]) -> "Deferred[list[ToolMessage]]":
        """
        Run the calls of one turn: concurrently if all tools are read-only, else one
        after the other.

        @return: The results, in the order of the calls.  Fails only if it is cancelled,
            which cancels the calls, or by C{check}.
        """
        offered = [self.tools.get(call.name) for call in calls]
        if all(each is not None and each.tool.readOnly for each in offered):
            return Deferred.fromCoroutine(self._runConcurrently(calls))
        return Deferred.fromCoroutine(self._runSequentially(calls))

    async def _runConcurrently(self, calls: Sequence[ToolCall]) -> list[ToolMessage]:
        results: dict[int, ToolMessage] = {}
        waiting = iter(enumerate(calls))
        running = [
            Deferred.fromCoroutine(self._runWaiting(waiting, results))
            for _ in calls[:MAX_CALLS_AT_ONCE]
        ]
        # Wait for all of them, since a cancelled call may take a while to end.
        for _, outcome in await DeferredList(running, consumeErrors=True):
            if isinstance(outcome, Failure):
                outcome.raiseException()
        return [results[index] for index in range(len(calls))]

    async def _runWaiting(
        self, waiting: Iterator[tuple[int, ToolCall]], results: dict[int, ToolMessage]
    ) -> None:
        """
        Run calls one after the other until none is waiting.
        """
        for index, call in waiting:
            results[index] = await self.schedule(partial(self._runCall, call))

    async def _runSequentially(self, calls: Sequence[ToolCall]) -> list[ToolMessage]:
        return [await self.schedule(partial(self._runCall, call)) for call in calls]

    async def _runCall(self, call: ToolCall) -> ToolMessage:
        # A tool may return normally when it is cancelled.
        self.check()
        offered = self.tools.get(call.name)
        if offered is None:
            name = call.name[:MAX_NAME_CHARACTERS]
            given = call.arguments.encode("utf-8", "surrogatepass")
            self._audit.warn(
                "tool {tool!r} refused: not offered run={run} agent={agent}"
                " caller={caller} argument_bytes={argument_bytes}"
                " arguments_sha256={arguments_sha256}",
                tool=name,
                run=self.runID,
                agent=self.agentID,
                caller=self.caller,
                argument_bytes=len(given),
                arguments_sha256=sha256(given).hexdigest(),
            )
            return ToolMessage(call.id, f"There is no tool {name!r}.", isError=True)
        tool, context = offered.tool, self.context(offered.tool)
        began = context.reactor.seconds()
        outcome, result = "ok", ""
        self.listener((ToolProgress(call.id, tool.name, None),))
        try:
            arguments = offered.reader.read(call.arguments)
            if not tool.readOnly:
                self.hadEffects = True
            result = _truncate(await tool.run(arguments, context))
        except CancelledError:
            outcome = "cancelled"
            raise
        except ToolError as error:
            outcome = "refused"
            result = _truncate(str(error))
            # Some providers refuse an error without text.
            if not result.strip():
                result = FAILED
        except Exception:
            outcome = "failed"
            self.log.failure("Tool {tool} failed unexpectedly", tool=tool.name)
            result = FAILED
        finally:
            self.counted(tool.name, outcome)
            given = call.arguments.encode("utf-8", "surrogatepass")
            self._audit.info(
                "tool {tool} run={run} agent={agent} outcome={outcome}"
                " seconds={seconds:.3f} caller={caller} argument_bytes={argument_bytes}"
                " result_bytes={result_bytes} arguments_sha256={arguments_sha256}",
                tool=tool.name,
                run=context.runID,
                agent=context.agentID,
                outcome=outcome,
                seconds=context.reactor.seconds() - began,
                caller=self.caller,
                argument_bytes=len(given),
                result_bytes=len(result.encode("utf-8", "surrogatepass")),
                arguments_sha256=sha256(given).hexdigest(),
            )
        self.listener((ToolProgress(call.id, tool.name, outcome),))
        return ToolMessage(call.id, result, isError=outcome != "ok")


def _truncate(result: str) -> str:
    """
    Bound a result, and show its control characters in a readable form.
    """
    if not isinstance(result, str):
        raise TypeError(f"a tool's result is a str, not {type(result).__name__}")
    text = escapeControls(result[:MAX_RESULT_CHARACTERS])
    if len(result) <= MAX_RESULT_CHARACTERS >= len(text):
        return text
    return f"{text[:MAX_RESULT_CHARACTERS]}\n[The rest is left out.]"
