"""
From a valid request to what its run is asked: whose agent, which session, which tools.
"""

from collections.abc import Mapping, Sequence

from openclaw.agents.agent_directory import MODEL_HEADER, AgentTarget
from openclaw.agents.agent_tools import AgentTools
from openclaw.agents.prompt import systemPrompt
from openclaw.agents.run_request import RunRequest
from openclaw.agents.toolbox import OfferedTool
from openclaw.api.chat_request import ChatRequest
from openclaw.api.client_headers import (
    agentHeader,
    chatSessionName,
    filled,
    openWebUITask,
)
from openclaw.api.raw_model import rawAgent, rawModel
from openclaw.config import AgentSettings, ChatCompletions, Config, ModelRef
from openclaw.errors import InvalidRequest
from openclaw.interfaces import ICaller, ToolSpec
from openclaw.messages import Message, hasImages
from openclaw.server.gateway_request import GatewayRequest
from openclaw.server.live_config import LiveConfig
from openclaw.sessions.session_keys import (
    SESSION_HEADER,
    namedKey,
    statelessKey,
    userKey,
)

CHANNEL_HEADER = "x-openclaw-message-channel"
MAX_CHANNEL_CHARACTERS = 64


def buildRunRequest(
    request: GatewayRequest,
    standing: LiveConfig,
    asking: ChatRequest,
    caller: ICaller,
    *,
    equipment: AgentTools,
    runID: str,
    now: float,
) -> RunRequest:
    """
    Put together what a run is asked.

    @param asking: What is asked of a target.

    @param now: Seconds since the epoch.

    @raise OpenClawError: The caller asks for what there is not, or may not have it.
    """
    config, target = standing.config, asking.target
    assert target is not None
    agent, key, system = target.agent, None, asking.instructions
    tools: Mapping[str, OfferedTool] = {}
    if target.plain:
        agent = rawAgent(agent)
    else:
        endpoint = config.gateway.http.endpoints.chatCompletions
        key = _keptKey(request, caller, agent, endpoint, asking.user)
        tools = equipment.toolsOf(agent, config.gateway.tools.permits)
        channel = _channel(request)
        _checkClash(asking.tools, tools)
        system = systemPrompt(
            agent,
            instructions=system,
            channel=channel,
            tools=[each.spec() for each in tools.values()],
            workspace=equipment.workspaceOf(agent),
            now=now,
        )
    if key is None and asking.stray is not None:
        # In a session the call may have been made in an earlier request.
        raise asking.stray.error()
    wanted = RunRequest(
        agent=agent,
        system=system,
        sessionKey=key or statelessKey(agent.id, caller.namespace),
        kept=key is not None,
        opening=asking.opening,
        following=asking.following,
        sampling=asking.sampling,
        clientTools=asking.tools,
        toolChoice=asking.toolChoice,
        tools=tools,
        model=target.model,
        caller=caller.label,
        shareKey=caller.shareKey,
        requestID=request.requestID,
        arrivedAt=request.arrivedAt,
        namespace=caller.namespace,
        runID=runID,
    )
    _checkImages(asking.opening, wanted.models()[0], config)
    return wanted


def resolveTarget(
    request: GatewayRequest, standing: LiveConfig, caller: ICaller, model: str | None
) -> AgentTarget:
    """
    Resolve agent and model from the headers and the C{model} field.

    @raise OpenClawError: There is no such one, or the caller may not have it.
    """
    endpoint = standing.config.gateway.http.endpoints.chatCompletions
    name, raw = rawModel(model, endpoint.modelAliases)
    session = filled(request.header(SESSION_HEADER))
    agent = standing.directory.find(
        caller,
        model=name,
        agentHeader=agentHeader(request),
        sessionHeader=session,
    )
    override = standing.directory.modelOverride(
        agent, request.header(MODEL_HEADER), caller
    )
    plain = raw or openWebUITask(request) is not None
    if session is not None and not plain:
        namedKey(agent.id, session, caller.namespace)
    return AgentTarget(agent, override, plain)


def _keptKey(
    request: GatewayRequest,
    caller: ICaller,
    agent: AgentSettings,
    endpoint: ChatCompletions,
    user: str | None,
) -> str | None:
    """
    The key of the conversation that a request goes on with, if it does.
    """
    named = filled(request.header(SESSION_HEADER))
    if named is None:
        named = chatSessionName(request, endpoint.sessionHeaders)
    if named is not None:
        return namedKey(agent.id, named, caller.namespace)
    return userKey(agent.id, user, caller.namespace) if user else None


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
    if hasImages(conversation):
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
