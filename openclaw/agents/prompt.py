"""
The system prompt of an agent.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from openclaw.agents.workspace import Workspace
from openclaw.config import AgentSettings
from openclaw.interfaces import ToolSpec


def systemPrompt(
    agent: AgentSettings,
    *,
    instructions: str = "",
    channel: str = "",
    tools: Sequence[ToolSpec] = (),
    workspace: Workspace | None = None,
    now: float | None = None,
) -> str:
    """
    Put the system prompt together: the agent's own words, its tools, what is in its
    workspace, then what the request adds.  Without tools and a workspace it is a
    line or two, which is what small models answer best.

    @param instructions: The request's system and developer texts, or C{""}.

    @param channel: Where the conversation comes from, or C{""}.

    @param tools: The agent's own tools.

    @param workspace: As it was when it was last refreshed.

    @param now: Seconds since the epoch, for an agent that works with something.
    """
    own = agent.systemPrompt
    if own is None:
        own = f"You are {agent.name or agent.id}, a helpful assistant."
    parts = [own.strip()]
    if channel:
        parts.append(f"You are talking through the channel {channel}.")
    if tools and now is not None:
        today = datetime.fromtimestamp(now, UTC)
        parts.append(f"Today is {today:%A, %Y-%m-%d}.")
    if tools:
        lines = [f"- {tool.name}: {_firstLine(tool.description)}" for tool in tools]
        parts.append("\n".join(["Your tools:", *lines]))
    if workspace is not None:
        parts += _fromWorkspace(workspace, canRead=any(t.name == "read" for t in tools))
    if instructions:
        parts.append(instructions)
    return "\n\n".join(part for part in parts if part)


def _firstLine(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip()


def _fromWorkspace(workspace: Workspace, canRead: bool) -> list[str]:
    parts = [f"Your workspace is the directory {workspace.path}."] if canRead else []
    contents = workspace.contents
    parts += [f"# {name}\n\n{text}" for name, text in contents.texts]
    skills = contents.skills if canRead else ()
    if skills:
        lines = [
            f"- {skill.name}: {skill.description} ({skill.path})" for skill in skills
        ]
        parts.append("\n".join(["Skills, to be read before use:", *lines]))
    return parts
