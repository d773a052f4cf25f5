"""
C{POST /v1/chat/completions}: from a request to a run, and back.
"""

import re
from collections.abc import Mapping, Sequence
from math import floor
from secrets import token_hex

from twisted.internet.interfaces import IReactorTime

from openclaw.agents.equipment import Equipment
from openclaw.agents.prompt import systemPrompt
from openclaw.agents.run import AgentRun, RunRequest
from openclaw.agents.runtime import Runtime
from openclaw.agents.target import AGENT_HEADER, MODEL_HEADER
from openclaw.agents.toolbox import OfferedTool
from openclaw.config import Config, ModelRef
from openclaw.errors import InvalidRequest, OpenClawError
from openclaw.events import RunListener
from openclaw.interfaces import ICaller, ToolSpec
from openclaw.messages import Message, UserMessage
from openclaw.sessions.keys import SESSION_HEADER, namedKey, statelessKey, userKey
from openclaw.web.asking import Asking, readAsking
from openclaw.web.chunks import Reply
from openclaw.web.failures import JSON
from openclaw.web.site import GatewayRequest
from openclaw.web.standing import Standing
from openclaw.web.stream import CompletionStream

EVENTS_HEADER = "x-openclaw-events"
CHANNEL_HEADER = "x-openclaw-message-channel"
MAX_CHANNEL_CHARACTERS = 64

STREAM_HEADERS = {
    b"content-type": b"text/event-stream; charset=utf-8",
    b"cache-control": b"no-cache, no-transform",
    b"x-accel-buffering": b"no",
}


class Completions:
    """
    The resource: each request is one run.
    """

    def __init__(
        self, runtime: Runtime, equipment: Equipment, reactor: IReactorTime
    ) -> None:
        self._runtime = runtime
        self._equipment = equipment
        self._reactor = reactor

    async def serve(self, request: GatewayRequest, standing: Standing) -> None:
        """
        Answer a request.

        @raise OpenClawError: For an error that is known before the first byte.
        """
        caller = await request.caller()
        asking = readAsking(request.body())
        wanted = self._wanted(request, standing, asking, caller)
        if asking.ignored:
            request.setHeader("x-openclaw-ignored-params", _headerList(asking.ignored))
        reply = Reply(
            completionID=f"chatcmpl_{token_hex(12)}",
            created=floor(self._reactor.seconds()),
            model="openclaw" if asking.model is None else asking.model,
            includeUsage=asking.includeUsage,
            reasoning="reasoning" in _names(request.header(EVENTS_HEADER)),
        )
        try:
            if asking.stream:
                await self._stream(request, standing, wanted, reply)
            else:
                await self._whole(request, wanted, reply)
        except OpenClawError:
            # Klein cancels what it waits for when the caller goes away.
            if not request.gone:
                raise

    def _wanted(
        self,
        request: GatewayRequest,
        standing: Standing,
        asking: Asking,
        caller: ICaller,
    ) -> RunRequest:
        sessionHeader = request.header(SESSION_HEADER)
        agent = standing.directory.find(
            caller,
            model=asking.model,
            agentHeader=request.header(AGENT_HEADER)
            or request.header("x-openclaw-agent"),
            sessionHeader=sessionHeader,
        )
        if sessionHeader is not None:
            key: str | None = namedKey(agent.id, sessionHeader)
        else:
            key = userKey(agent.id, asking.user) if asking.user else None
        model = standing.directory.modelOverride(agent, request.header(MODEL_HEADER))
        reachable = standing.config.gateway.tools
        tools = self._equipment.toolsOf(agent, reachable.permits)
        _checkClash(asking.tools, tools)
        _checkImages(asking.opening, model or agent.model.primary, standing.config)
        system = systemPrompt(
            agent,
            instructions=asking.instructions,
            channel=_channel(request),
            tools=[each.spec() for each in tools.values()],
            workspace=self._equipment.workspaceOf(agent),
            now=self._reactor.seconds(),
        )
        return RunRequest(
            agent=agent,
            system=system,
            sessionKey=key or statelessKey(agent.id),
            kept=key is not None,
            opening=asking.opening,
            following=asking.following,
            sampling=asking.sampling,
            clientTools=asking.tools,
            toolChoice=asking.toolChoice,
            tools=tools,
            model=model,
        )

    async def _whole(
        self, request: GatewayRequest, wanted: RunRequest, reply: Reply
    ) -> None:
        run = self._begin(request, wanted, reply.listen)
        body = reply.whole(await run.done)
        request.setHeader(b"content-type", JSON)
        request.setHeader(b"content-length", b"%d" % len(body))
        request.write(body)

    async def _stream(
        self,
        request: GatewayRequest,
        standing: Standing,
        wanted: RunRequest,
        reply: Reply,
    ) -> None:
        def openHeaders() -> None:
            for name, value in STREAM_HEADERS.items():
                request.setHeader(name, value)

        endpoint = standing.config.gateway.http.endpoints.chatCompletions
        stream = CompletionStream(
            sink=request,
            reply=reply,
            openHeaders=openHeaders,
            keepAliveSeconds=endpoint.keepAliveSeconds,
            reactor=self._reactor,
        )
        run = self._begin(request, wanted, stream)
        request.registerProducer(run, True)
        stream.begin()
        try:
            stream.finish(await run.done)
        except OpenClawError as error:
            if not stream.opened:
                raise
            stream.fail(error)
        finally:
            stream.stop()
            if not request.gone:
                request.unregisterProducer()

    def _begin(
        self, request: GatewayRequest, wanted: RunRequest, listener: RunListener
    ) -> AgentRun:
        run = self._runtime.begin(wanted, listener)
        request.setHeader("x-openclaw-run-id", run.runID)
        request.setHeader("x-openclaw-session-key", _headerText(wanted.sessionKey))
        return run


def _checkClash(clients: Sequence[ToolSpec], own: Mapping[str, OfferedTool]) -> None:
    for index, tool in enumerate(clients):
        if tool.name in own:
            raise InvalidRequest(
                f"Invalid tools/tool_choice: the agent has a tool {tool.name!r} of its"
                " own",
                param=f"tools[{index}].function.name",
            )


def _checkImages(
    conversation: Sequence[Message], asked: ModelRef, config: Config
) -> None:
    """
    A model that is known to read text only would not see them.
    """
    model = config.modelOf(asked)
    if model is None or "image" in model.input:
        return
    if any(isinstance(said, UserMessage) and said.images for said in conversation):
        raise InvalidRequest(
            f"The model {asked} can't read images.",
            param="messages",
            code="unsupported_content",
        )


def _channel(request: GatewayRequest) -> str:
    channel = (request.header(CHANNEL_HEADER) or "").strip()
    if len(channel) > MAX_CHANNEL_CHARACTERS or not channel.isprintable():
        raise InvalidRequest(
            f"`{CHANNEL_HEADER}` must be at most {MAX_CHANNEL_CHARACTERS} printable"
            " characters.",
            param=CHANNEL_HEADER,
        )
    return channel


def _names(header: str | None) -> list[str]:
    """
    The names in a request header that is a list.
    """
    return [name.strip().lower() for name in (header or "").split(",")]


def _headerText(text: str) -> bytes:
    """
    A value for a response header, as UTF-8.
    """
    return text.encode("utf-8", "replace")


MAX_NAMES = 32
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def _headerList(names: Sequence[str]) -> bytes:
    """
    Names for a response header.  Whatever is no plain name is left out: the caller
    chose them.
    """
    plain = [name for name in names if _PLAIN.fullmatch(name)]
    return ", ".join(plain[:MAX_NAMES]).encode("ascii")


__all__ = ["Completions"]
