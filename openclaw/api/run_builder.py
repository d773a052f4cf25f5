"""
From a valid request to what its run is asked: whose agent, which session, which tools.
"""

from collections.abc import Mapping, Sequence

from openclaw.agents.agent_directory import AgentTarget
from openclaw.agents.agent_tools import AgentTools
from openclaw.agents.prompt import systemPrompt
from openclaw.agents.run_request import RunRequest
from openclaw.agents.toolbox import OfferedTool
from openclaw.api.chat_request import ChatRequest
from openclaw.api.client_headers import RunHeaders
from openclaw.api.raw_model import rawAgent, rawModel
from openclaw.config import AgentSettings, Config, ModelRef
from openclaw.errors import InvalidRequest
from openclaw.interfaces import ICaller, ToolSpec
from openclaw.messages import Message, hasImages
from openclaw.server.api_request import ApiRequest
from openclaw.server.live_config import LiveConfig
from openclaw.sessions.session_keys import namedKey, statelessKey, userKey


def buildRunRequest(
    request: ApiRequest,
    headers: RunHeaders,
    chat: ChatRequest,
    target: AgentTarget,
    *,
    tools: AgentTools,
    runID: str,
    now: float,
) -> RunRequest:
    """
    Put together what a run is asked.

    @param now: Seconds since the epoch.

    @raise OpenClawError: The caller asks for what there is not, or may not have it.
    """
    config, caller = request.live.config, request.caller
    agent, key, system = target.agent, None, chat.instructions
    offered: Mapping[str, OfferedTool] = {}
    if target.plain:
        agent = rawAgent(agent)
    else:
        key = _keptKey(headers, caller, agent, chat.user)
        offered = tools.toolsOf(agent, config.gateway.tools.permits)
        channel = headers.channelName()
        _checkClash(chat.tools, offered)
        system = systemPrompt(
            agent,
            instructions=system,
            channel=channel,
            tools=[each.spec() for each in offered.values()],
            workspace=tools.workspaceOf(agent),
            now=now,
        )
    if key is None and chat.stray is not None:
        # In a session the call may have been made in an earlier request.
        raise chat.stray.error()
    run = RunRequest(
        agent=agent,
        system=system,
        sessionKey=key or statelessKey(agent.id, caller.namespace),
        kept=key is not None,
        opening=chat.opening,
        following=chat.following,
        sampling=chat.sampling,
        clientTools=chat.tools,
        toolChoice=chat.toolChoice,
        tools=offered,
        model=target.model,
        caller=caller.label,
        shareKey=caller.shareKey,
        requestID=request.requestID,
        arrivedAt=request.arrivedAt,
        namespace=caller.namespace,
        runID=runID,
    )
    _checkImages(chat.opening, run.models()[0], config)
    return run


def resolveTarget(
    live: LiveConfig, headers: RunHeaders, caller: ICaller, model: str | None
) -> AgentTarget:
    """
    Resolve agent and model from the headers and the C{model} field.

    @raise OpenClawError: There is no such one, or the caller may not have it.
    """
    endpoint = live.config.gateway.http.endpoints.chatCompletions
    name, raw = rawModel(model, endpoint.modelAliases)
    session = headers.session
    agent = live.directory.find(
        caller, model=name, agentHeader=headers.agent, sessionHeader=session
    )
    override = live.directory.modelOverride(agent, headers.model, caller)
    plain = raw or headers.isTask
    if session is not None and not plain:
        namedKey(agent.id, session, caller.namespace)
    return AgentTarget(agent, override, plain)


def _keptKey(
    headers: RunHeaders, caller: ICaller, agent: AgentSettings, user: str | None
) -> str | None:
    """
    The key of the conversation that a request goes on with, if it does.
    """
    named = headers.session
    if named is None:
        named = headers.chatSessionName()
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
    model = config.findModel(asked)
    if model is None or "image" in model.input:
        return
    if hasImages(conversation):
        raise InvalidRequest(
            f"The model {asked} can't read images.",
            param="messages",
            code="unsupported_content",
        )
