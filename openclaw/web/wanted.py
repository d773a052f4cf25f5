"""
From a valid request to what its run is asked: whose agent, which session, which tools.
"""

from collections.abc import Mapping, Sequence

from openclaw.agents.equipment import Equipment
from openclaw.agents.prompt import systemPrompt
from openclaw.agents.requests import RunRequest
from openclaw.agents.target import MODEL_HEADER, Target
from openclaw.agents.toolbox import OfferedTool
from openclaw.config import AgentSettings, ChatCompletions, Config, ModelRef
from openclaw.errors import InvalidRequest
from openclaw.interfaces import ICaller, ToolSpec
from openclaw.messages import Message, hasImages
from openclaw.sessions.keys import SESSION_HEADER, namedKey, statelessKey, userKey
from openclaw.web.asking import Asking
from openclaw.web.client_headers import agentOf, chatOf, filled, taskOf
from openclaw.web.plain import plainAgent, rawModel
from openclaw.web.request import GatewayRequest
from openclaw.web.standing import Standing

CHANNEL_HEADER = "x-openclaw-message-channel"
MAX_CHANNEL_CHARACTERS = 64


def wantedOf(
    request: GatewayRequest,
    standing: Standing,
    asking: Asking,
    caller: ICaller,
    *,
    equipment: Equipment,
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
        agent = plainAgent(agent)
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


def targetOf(
    request: GatewayRequest, standing: Standing, caller: ICaller, model: str | None
) -> Target:
    """
    Whom a request is for, of which but the headers only C{model} needs to be known.

    @raise OpenClawError: There is no such one, or the caller may not have it.
    """
    endpoint = standing.config.gateway.http.endpoints.chatCompletions
    name, raw = rawModel(model, endpoint.modelAliases)
    session = filled(request.header(SESSION_HEADER))
    agent = standing.directory.find(
        caller,
        model=name,
        agentHeader=agentOf(request),
        sessionHeader=session,
    )
    override = standing.directory.modelOverride(
        agent, request.header(MODEL_HEADER), caller
    )
    plain = raw or taskOf(request) is not None
    if session is not None and not plain:
        namedKey(agent.id, session, caller.namespace)
    return Target(agent, override, plain)


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
        named = chatOf(request, endpoint.sessionHeaders)
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


__all__ = ["CHANNEL_HEADER", "targetOf", "wantedOf"]
