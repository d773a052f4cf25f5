"""
The tools of one agent, and what happens when its model calls them.
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

MAX_RESULT_CHARACTERS = 100_000
"""
The longest result that a model is told; tools have narrower bounds of their own.
"""

MAX_CALLS_AT_ONCE = 8
"""
The calls of one run that are carried out at the same time; the others wait.
"""

MAX_NAME_CHARACTERS = 64
"""
As much is repeated of the name of a tool that there is not.
"""

FAILED = "The tool failed."
"""
The result of a call whose tool does not say why it failed.
"""


@dataclass(frozen=True)
class OfferedTool:
    """
    A tool that an agent has.
    """

    tool: ITool
    reader: ArgumentReader

    def spec(self) -> ToolSpec:
        """
        The tool as a model sees it.
        """
        return ToolSpec(self.tool.name, self.tool.description, self.tool.parameters)


Context = Callable[[ITool], ToolContext]
Check = Callable[[], None]
Counted = Callable[[str, str], None]


InTurn = Callable[[Callable[[], Awaitable[ToolMessage]]], Awaitable[ToolMessage]]


def _atOnce(work: Callable[[], Awaitable[ToolMessage]]) -> Awaitable[ToolMessage]:
    return work()


@dataclass
class Toolbox:
    """
    An agent's tools, in one run.

    @ivar tools: By their names.
    @ivar context: Makes the context of a call.
    @ivar check: Raises if no more calls may begin.
    @ivar counted: Is told of each call: its tool, and its outcome.
    @ivar listener: Is told when a call begins and ends.
    @ivar caller: Who asked for the run, for the audit.
    @ivar inTurn: Carries out a call when it is the caller's turn.
    @ivar runID: The run, for the audit.
    @ivar agentID: The agent, likewise.
    @ivar hadEffects: True once a tool ran that may have changed something.
    """

    tools: Mapping[str, OfferedTool]
    context: Context
    check: Check
    log: Logger
    counted: Counted = lambda tool, outcome: None
    listener: RunListener = lambda events: None
    caller: str = ""
    inTurn: InTurn = _atOnce
    runID: str = ""
    agentID: str = ""
    hadEffects: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        """
        Have a log for the audit.
        """
        self._audit = auditLogger(self.log)

    def run(self, calls: Sequence[ToolCall]) -> "Deferred[list[ToolMessage]]":
        """
        Carry out the calls of one turn: some at once if none of them changes
        anything, else one after the other.

        @return: Their results, in the order of the calls.  Never fails but when it
            is cancelled, which cancels the calls, or by C{check}.
        """
        offered = [self.tools.get(call.name) for call in calls]
        if all(each is not None and each.tool.readOnly for each in offered):
            return Deferred.fromCoroutine(self._atOnce(calls))
        return Deferred.fromCoroutine(self._inTurn(calls))

    async def _atOnce(self, calls: Sequence[ToolCall]) -> list[ToolMessage]:
        results: dict[int, ToolMessage] = {}
        waiting = iter(enumerate(calls))
        running = [
            Deferred.fromCoroutine(self._carryOut(waiting, results))
            for _ in calls[:MAX_CALLS_AT_ONCE]
        ]
        # All come to their ends, also those that take their time when cancelled.
        for _, outcome in await DeferredList(running, consumeErrors=True):
            if isinstance(outcome, Failure):
                outcome.raiseException()
        return [results[index] for index in range(len(calls))]

    async def _carryOut(
        self, waiting: Iterator[tuple[int, ToolCall]], results: dict[int, ToolMessage]
    ) -> None:
        """
        Carry out one call after the other, until none is waiting.
        """
        for index, call in waiting:
            results[index] = await self.inTurn(partial(self._one, call))

    async def _inTurn(self, calls: Sequence[ToolCall]) -> list[ToolMessage]:
        return [await self.inTurn(partial(self._one, call)) for call in calls]

    async def _one(self, call: ToolCall) -> ToolMessage:
        """
        Carry out one call.  Each call of every run begins here.
        """
        # A tool may end as if nothing was when it is cancelled.
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
            result = _bounded(await tool.run(arguments, context))
        except CancelledError:
            outcome = "cancelled"
            raise
        except ToolError as error:
            outcome = "refused"
            result = _bounded(str(error))
            # Some providers refuse a failure without text.
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


def _bounded(result: str) -> str:
    if not isinstance(result, str):
        raise TypeError(f"a tool's result is a str, not {type(result).__name__}")
    if len(result) <= MAX_RESULT_CHARACTERS:
        return result
    return f"{result[:MAX_RESULT_CHARACTERS]}\n[The rest is left out.]"
