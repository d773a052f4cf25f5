"""
Build a run from a valid request: its agent, session, tools and prompt.
"""

from collections.abc import Mapping, Sequence

from openclaw.agents.agent_directory import AgentTarget
from openclaw.agents.agent_tools import AgentTools
from openclaw.agents.prompt import buildSystemPrompt
from openclaw.agents.run_request import RunRequest
from openclaw.agents.toolbox import OfferedTool
from openclaw.api.chat_request import ChatRequest
from openclaw.api.client_headers import RunHeaders
from openclaw.api.raw_model import limitRawAgent, parseRawModel
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
    Build the request for a run.

    @param now: The time, in seconds since the epoch.

    @raise OpenClawError: The request names something that does not exist, or that the
        caller may not use.
    """
    config, caller = request.live.config, request.caller
    agent, key, system = target.agent, None, chat.instructions
    offered: Mapping[str, OfferedTool] = {}
    if target.raw:
        agent = limitRawAgent(agent)
    else:
        key = _sessionKey(headers, caller, agent, chat.user)
        offered = tools.selectTools(agent, config.gateway.tools.permits)
        channel = headers.channelName()
        _checkToolNames(chat.tools, offered)
        system = buildSystemPrompt(
            agent,
            instructions=system,
            channel=channel,
            tools=[each.spec() for each in offered.values()],
            workspace=tools.getWorkspace(agent),
            now=now,
        )
    if key is None and chat.unmatched is not None:
        # With a session, the tool call may be in an earlier request.
        raise chat.unmatched.error()
    run = RunRequest(
        agent=agent,
        system=system,
        sessionKey=key or statelessKey(agent.id, caller.namespace),
        stateful=key is not None,
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

    @raise OpenClawError: The agent or model does not exist, or the caller may not use
        it.
    """
    endpoint = live.config.gateway.http.endpoints.chatCompletions
    name, raw = parseRawModel(model, endpoint.modelAliases)
    session = headers.session
    agent = live.directory.find(
        caller, model=name, agentHeader=headers.agent, sessionHeader=session
    )
    override = live.directory.resolveModelOverride(agent, headers.model, caller)
    raw = raw or headers.isTask
    if session is not None and not raw:
        namedKey(agent.id, session, caller.namespace)
    return AgentTarget(agent, override, raw)


def _sessionKey(
    headers: RunHeaders, caller: ICaller, agent: AgentSettings, user: str | None
) -> str | None:
    """
    Return the key of the session that a request continues, or C{None}.
    """
    named = headers.session
    if named is None:
        named = headers.chatSessionName()
    if named is not None:
        return namedKey(agent.id, named, caller.namespace)
    return userKey(agent.id, user, caller.namespace) if user else None


def _checkToolNames(
    clientTools: Sequence[ToolSpec], agentTools: Mapping[str, OfferedTool]
) -> None:
    for index, tool in enumerate(clientTools):
        if tool.name in agentTools:
            raise InvalidRequest(
                f"Invalid tools/tool_choice: the agent has a tool {tool.name!r} of its"
                " own",
                param=f"tools[{index}].function.name",
            )


def _checkImages(
    conversation: Sequence[Message], ref: ModelRef, config: Config
) -> None:
    """
    Reject images for a model that is configured as text-only.
    """
    model = config.findModel(ref)
    if model is None or "image" in model.input:
        return
    if hasImages(conversation):
        raise InvalidRequest(
            f"The model {ref} can't read images.",
            param="messages",
            code="unsupported_content",
        )
