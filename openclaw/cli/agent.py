"""
C{openclaw agent}: run one turn of an agent in the terminal.

The run is like one of the gateway's, but in its own process.  Conversations are in the
gateway's session store.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import time
from typing import Any, TextIO

import msgspec
from twisted.internet.defer import Deferred
from twisted.logger import (
    FilteringLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    textFileLogObserver,
)

from openclaw.agents.agent_directory import AgentDirectory
from openclaw.agents.agent_tools import AgentTools
from openclaw.agents.prompt import buildSystemPrompt
from openclaw.agents.run import AgentRun
from openclaw.agents.run_request import RunRequest
from openclaw.agents.turns import RunResult
from openclaw.auth.realm import Operator
from openclaw.composition import Composition
from openclaw.config import findConfig, loadConfig, stateDirectory
from openclaw.errors import OpenClawError, RunCancelled
from openclaw.events import RefusalDelta, RunEvent, TextDelta
from openclaw.messages import UserMessage, joinRefusal
from openclaw.net.monotonic_time import useMonotonicTime
from openclaw.plugin_check import checkInstalled
from openclaw.sessions.session_keys import OPERATOR, namedKey
from openclaw.state_directory import prepareState

MAIN_SESSION = "main"
"""
The session if C{--session-key} is not given.
"""

INTERRUPTED = 130
"""
The exit status after Ctrl-C.
"""


@dataclass(frozen=True, kw_only=True)
class TurnOptions:
    """
    The options of the command.

    @ivar json: Print one JSON document at the end, instead of the text as it arrives.
    """

    message: str
    agent: str | None = None
    sessionKey: str | None = None
    json: bool = False


class TurnCommand:
    def __init__(
        self,
        turn: TurnOptions,
        *,
        environ: Mapping[str, str],
        reactor: Any,
        stdout: TextIO,
        stderr: TextIO,
    ) -> None:
        self._turn = turn
        self._environ = environ
        self._reactor = reactor
        self._stdout = stdout
        self._stderr = stderr
        self._log = Logger(namespace="openclaw", observer=_warningObserver(stderr))
        self._run: AgentRun | None = None
        self._interrupted = False

    async def run(self) -> int:
        """
        Run the agent.

        @return: The exit status: 0, or 1 if the run failed.
        """
        try:
            config = loadConfig(
                findConfig(None, self._environ),
                self._environ,
                inspect=lambda config: checkInstalled(config, self._log),
            ).config
            state = stateDirectory(self._environ)
            prepareState(state, lambda path: None)
            composition = Composition(
                config=config,
                state=state,
                environ=self._environ,
                reactor=self._reactor,
                log=self._log,
            )
            request = await self._request(
                AgentDirectory(config), composition.agentTools
            )
            try:
                await composition.start()
                await self._runAgent(composition, request)
            finally:
                await composition.stop()
        except OpenClawError as error:
            print(f"openclaw: {error.message}", file=self._stderr)
            return 1
        except Exception:
            self._log.failure("The command failed unexpectedly")
            return 1
        return 0

    def interrupt(self) -> None:
        """
        Cancel the run, or prevent it from starting.
        """
        self._interrupted = True
        if self._run is not None:
            self._run.cancel()

    async def _request(
        self, directory: AgentDirectory, agentTools: AgentTools
    ) -> RunRequest:
        turn = self._turn
        agent = directory.find(
            Operator("terminal"), agentHeader=turn.agent, sessionHeader=turn.sessionKey
        )
        await agentTools.refresh(agent, self._reactor)
        tools = agentTools.selectTools(agent)
        messages = (UserMessage(turn.message),)
        system = buildSystemPrompt(
            agent,
            tools=[each.spec() for each in tools.values()],
            workspace=agentTools.getWorkspace(agent),
            now=time(),
        )
        return RunRequest(
            agent=agent,
            system=system,
            sessionKey=namedKey(agent.id, turn.sessionKey or MAIN_SESSION, OPERATOR),
            stateful=True,
            opening=messages,
            following=messages,
            tools=tools,
        )

    async def _runAgent(self, composition: Composition, request: RunRequest) -> None:
        if self._interrupted:
            raise RunCancelled("The run was cancelled.")
        began = self._reactor.seconds()
        self._run = run = composition.runtime.startRun(request, self._print)
        result = await run.done
        if self._turn.json:
            seconds = self._reactor.seconds() - began
            self._stdout.write(_encodeResult(run, result, seconds) + "\n")
        else:
            self._stdout.write("\n")
        self._stdout.flush()

    def _print(self, events: Sequence[RunEvent]) -> None:
        if self._turn.json:
            return
        for event in events:
            if isinstance(event, TextDelta | RefusalDelta):
                self._stdout.write(event.text)
        self._stdout.flush()


def _encodeResult(run: AgentRun, result: RunResult, seconds: float) -> str:
    """
    Encode the result in the shape of OpenClaw's own C{openclaw agent --json}.
    """
    return msgspec.json.encode(
        {
            "runId": run.runID,
            "sessionKey": run.request.sessionKey,
            "agentId": run.request.agent.id,
            "status": "ok",
            "summary": "completed",
            "result": {
                "payloads": [
                    {
                        "text": joinRefusal(result.text, result.refusal),
                        "mediaUrl": None,
                    }
                ],
                "meta": {
                    "durationMs": round(seconds * 1000),
                    "finishReason": result.finishReason,
                    "usage": result.usage,
                },
            },
        }
    ).decode()


def _warningObserver(stderr: TextIO) -> FilteringLogObserver:
    warnings = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    return FilteringLogObserver(textFileLogObserver(stderr), [warnings])


def runTurn(turn: TurnOptions, environ: Mapping[str, str]) -> int:
    """
    Run one turn in a reactor of its own.

    @return: The exit status; L{INTERRUPTED} after Ctrl-C.
    """
    from twisted.internet import reactor as installed

    reactor: Any = installed
    useMonotonicTime(reactor)
    terminal = TurnCommand(
        turn,
        environ=environ,
        reactor=reactor,
        stdout=sys.stdout,
        stderr=sys.stderr,
    )
    statuses: list[int] = []
    cleanup: Deferred[None] = Deferred()

    def ended(status: int) -> None:
        if not statuses:
            reactor.stop()
        statuses.append(status)
        cleanup.callback(None)

    def stopping() -> "Deferred[None] | None":
        if statuses:
            return None
        statuses.append(INTERRUPTED)
        terminal.interrupt()
        return cleanup

    def begin() -> None:
        Deferred.fromCoroutine(terminal.run()).addCallback(ended)

    reactor.addSystemEventTrigger("before", "shutdown", stopping)
    reactor.callWhenRunning(begin)
    reactor.run()
    return statuses[0]
