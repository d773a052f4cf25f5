"""
Raw calls of an agent's model: the request's own messages and tools, with nothing of the
agent but its model.

Chat programs use them for background tasks, such as generating a title.
"""

from collections.abc import Container

import msgspec

from openclaw.agents.agent_directory import AGENT_PREFIXES
from openclaw.config import AgentSettings

RAW_SUFFIX = ":raw"
"""
The suffix of an agent's name for a raw call.
"""

RAW_SECONDS = 60
"""
Time limit of a raw call in seconds, if the agent's own is not shorter.
"""

RAW_MODEL_CALLS = 2
"""
Limit of model calls in a raw call: a second one follows an empty reply.
"""


def parseRawModel(
    model: str | None, aliases: Container[str]
) -> tuple[str | None, bool]:
    """
    Strip the suffix of a raw call from a model name.

    @param aliases: The configured model names, which may end like the suffix.

    @return: The agent's name, and whether a raw call is requested.
    """
    name = (model or "").strip()
    if name in aliases or not name.lower().endswith(RAW_SUFFIX):
        return model, False
    agent = name[: -len(RAW_SUFFIX)].rstrip()
    # "openclaw:raw" and "agent:raw" are the agent "raw".
    if agent in aliases or agent.lower().startswith(AGENT_PREFIXES):
        return agent, True
    return model, False


def limitRawAgent(agent: AgentSettings) -> AgentSettings:
    return msgspec.structs.replace(
        agent,
        timeoutSeconds=min(agent.timeoutSeconds, RAW_SECONDS),
        maxModelCalls=min(agent.maxModelCalls, RAW_MODEL_CALLS),
    )
