"""
Plain calls of an agent's model: the request's own messages and tools, and nothing of
the agent's but its model.

Chat programs want those for chores, such as finding a title for a chat.
"""

from collections.abc import Container

import msgspec

from openclaw.agents.agent_directory import AGENT_PREFIXES
from openclaw.config import AgentSettings

RAW_SUFFIX = ":raw"
"""
The suffix of an agent's name for a plain call of its model.
"""

PLAIN_SECONDS = 60
"""
Longest time of a plain call, in seconds, if the agent's runs may take that long.
"""

PLAIN_CALLS = 2
"""
Model calls of a plain call: a second one after an empty reply.
"""


def rawModel(model: str | None, aliases: Container[str]) -> tuple[str | None, bool]:
    """
    Take the suffix off a model name that asks for a plain call.

    @param aliases: The model names that are configured; such a name may well end like
        the suffix.

    @return: The name of the agent, and whether a plain call is meant.
    """
    name = (model or "").strip()
    if name in aliases or not name.lower().endswith(RAW_SUFFIX):
        return model, False
    agent = name[: -len(RAW_SUFFIX)].rstrip()
    # "openclaw:raw" and "agent:raw" are the agent "raw".
    if agent in aliases or agent.lower().startswith(AGENT_PREFIXES):
        return agent, True
    return model, False


def rawAgent(agent: AgentSettings) -> AgentSettings:
    """
    The agent, within the limits of a plain call.
    """
    return msgspec.structs.replace(
        agent,
        timeoutSeconds=min(agent.timeoutSeconds, PLAIN_SECONDS),
        maxModelCalls=min(agent.maxModelCalls, PLAIN_CALLS),
    )
