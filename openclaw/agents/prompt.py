"""
The system prompt of an agent.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from openclaw.agents.workspace import Workspace
from openclaw.config import AgentSettings
from openclaw.interfaces import ToolSpec


def buildSystemPrompt(
    agent: AgentSettings,
    *,
    instructions: str = "",
    channel: str = "",
    tools: Sequence[ToolSpec] = (),
    workspace: Workspace | None = None,
    now: float | None = None,
) -> str:
    """
    Build the system prompt: the agent's own text, its tools, the contents of its
    workspace, and the request's instructions.  Without tools and a workspace it is a
    line or two, which works best with small models.

    @param instructions: The request's system and developer texts, or C{""}.
    @param channel: The channel of the conversation, or C{""}.
    @param tools: The agent's own tools.
    @param workspace: The workspace as it was last refreshed.
    @param now: Seconds since the epoch, shown to agents with tools.
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
        parts += _workspaceParts(
            workspace, canRead=any(t.name == "read" for t in tools)
        )
    if instructions:
        parts.append(instructions)
    return "\n\n".join(part for part in parts if part)


def _firstLine(text: str) -> str:
    return text.strip().partition("\n")[0].rstrip()


def _workspaceParts(workspace: Workspace, canRead: bool) -> list[str]:
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
