"""
What an agent is told before the conversation begins.
"""

from openclaw.config import AgentSettings


def systemPrompt(agent: AgentSettings, instructions: str, channel: str) -> str:
    """
    Put the system prompt together: the agent's own words, then what the request
    adds.

    @param instructions: The request's system and developer texts, or C{""}.

    @param channel: Where the conversation comes from, or C{""}.
    """
    own = agent.systemPrompt
    if own is None:
        own = f"You are {agent.name or agent.id}, a helpful assistant."
    parts = [own.strip()]
    if channel:
        parts.append(f"You are talking through the channel {channel}.")
    if instructions:
        parts.append(instructions)
    return "\n\n".join(part for part in parts if part)


__all__ = ["systemPrompt"]
