"""
From a valid request to what its run is asked: whose agent, which session, which tools.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from openclaw.agents.equipment import Equipment
from openclaw.agents.prompt import systemPrompt
from openclaw.agents.requests import RunRequest
from openclaw.agents.target import AGENT_HEADER, MODEL_HEADER
from openclaw.agents.toolbox import OfferedTool
from openclaw.agents.workspace import Workspace
from openclaw.config import AgentSettings, ChatCompletions, Config, ModelRef
from openclaw.errors import InvalidRequest
from openclaw.interfaces import ICaller, ToolSpec
from openclaw.messages import Message, UserMessage
from openclaw.sessions.keys import SESSION_HEADER, namedKey, statelessKey, userKey
from openclaw.web.asking import Asking
from openclaw.web.client_headers import chatOf, filled, taskOf
from openclaw.web.plain import plainAgent, rawModel
from openclaw.web.site import GatewayRequest
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
    now: float,
) -> RunRequest:
    """
    Put together what a run is asked.

    @param now: Seconds since the epoch.

    @raise OpenClawError: The caller asks for what there is not, or may not have it.
    """
    endpoint = standing.config.gateway.http.endpoints.chatCompletions
    agent, override, raw = targetOf(request, standing, caller, asking.model)
    wanted = RunRequest(
        agent=agent,
        system=asking.instructions,
        sessionKey=statelessKey(agent.id, caller.namespace),
        kept=False,
        opening=asking.opening,
        following=asking.following,
        sampling=asking.sampling,
        clientTools=asking.tools,
        toolChoice=asking.toolChoice,
        model=override,
        caller=caller.label,
        requestID=request.requestID,
        arrivedAt=request.arrivedAt,
        namespace=caller.namespace,
    )
    if raw or taskOf(request) is not None:
        wanted = replace(wanted, agent=plainAgent(agent))
    else:
        key = _keptKey(request, caller, agent, endpoint, asking.user)
        if key is not None:
            wanted = replace(wanted, sessionKey=key, kept=True)
        wanted = _equipped(
            wanted,
            equipment.toolsOf(agent, standing.config.gateway.tools.permits),
            channel=_channel(request),
            workspace=equipment.workspaceOf(agent),
            now=now,
        )
    if not wanted.kept and asking.stray is not None:
        # In a session the call may have been made in an earlier request.
        raise asking.stray.error()
    _checkImages(asking.opening, wanted.models()[0], standing.config)
    return wanted


def targetOf(
    request: GatewayRequest, standing: Standing, caller: ICaller, model: str | None
) -> tuple[AgentSettings, ModelRef | None, bool]:
    """
    Whom a request is for, of which but the headers only C{model} needs to be known.

    @return: The agent, the model to ask in place of its own, and whether a plain call
        is meant.

    @raise OpenClawError: There is no such one, or the caller may not have it.
    """
    endpoint = standing.config.gateway.http.endpoints.chatCompletions
    name, raw = rawModel(model, endpoint.modelAliases)
    session = filled(request.header(SESSION_HEADER))
    agent = standing.directory.find(
        caller,
        model=name,
        agentHeader=request.header(AGENT_HEADER) or request.header("x-openclaw-agent"),
        sessionHeader=session,
    )
    override = standing.directory.modelOverride(agent, request.header(MODEL_HEADER))
    if session is not None and not raw and taskOf(request) is None:
        namedKey(agent.id, session, caller.namespace)
    return agent, override, raw


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


def _equipped(
    wanted: RunRequest,
    tools: Mapping[str, OfferedTool],
    *,
    channel: str,
    workspace: Workspace | None,
    now: float,
) -> RunRequest:
    """
    What is wanted, of the whole agent.
    """
    _checkClash(wanted.clientTools, tools)
    system = systemPrompt(
        wanted.agent,
        instructions=wanted.system,
        channel=channel,
        tools=[each.spec() for each in tools.values()],
        workspace=workspace,
        now=now,
    )
    return replace(wanted, system=system, tools=tools)


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


__all__ = ["CHANNEL_HEADER", "targetOf", "wantedOf"]
