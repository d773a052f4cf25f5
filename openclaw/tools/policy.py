"""
The policy that grants tools to agents.

Profiles name tools one by one.  A plug-in's tool, whatever it says of itself, is in
C{full} alone; elsewhere it must be allowed by name.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Literal

from openclaw.config import Config, ReachableTools, ToolPolicy
from openclaw.config.findings import child, item

Profile = Literal["none", "readonly", "coding", "full"]

READONLY = frozenset({"grep", "ls", "read", "sessions_history", "sessions_list"})
"""
Tools that change nothing and send nothing elsewhere. C{web_fetch} is not among them: a
URL can carry away what was read.
"""

CODING = READONLY | {"edit", "exec", "web_fetch", "write"}
"""
Tools for working on a project. With C{exec} the network is open anyway.
"""


def allowed(
    tools: Iterable[str],
    profile: Profile,
    allow: Collection[str] = (),
    deny: Collection[str] = (),
) -> tuple[str, ...]:
    """
    The tools that an agent has, in the order of C{tools}.

    @param tools: The names of all that there are.

    @param allow: More than the profile gives.

    @param deny: What is taken away, whoever gave it.
    """
    return tuple(
        name
        for name in tools
        if name not in deny and (name in allow or _inProfile(name, profile))
    )


def _inProfile(name: str, profile: Profile) -> bool:
    if profile == "full":
        return True
    if profile == "coding":
        return name in CODING
    return profile == "readonly" and name in READONLY


def toolFaults(config: Config, tools: Callable[[], Collection[str]]) -> list[str]:
    """
    The names in a configuration that no tool has, a line for each, which begins with
    its key.  They are faults, since a misspelt C{deny} would leave open what it means
    to close.

    @param tools: Finds the names of all tools that there are.  That takes its time,
        so it is done only for names that are not of our own tools.
    """
    strange = [(path, name) for path, name in _named(config) if name not in CODING]
    if not strange:
        return []
    there = tools()
    names = ", ".join(sorted(there))
    return [
        f'{path}: there is no tool "{name}"; there are: {names}'
        for path, name in strange
        if name not in there
    ]


def _named(config: Config) -> Iterator[tuple[str, str]]:
    """
    The names of tools in a configuration, with the paths of their keys.
    """
    policies: dict[str, ToolPolicy | ReachableTools] = {
        "gateway.tools": config.gateway.tools,
        "agents.defaults.tools": config.agents.defaults.tools,
    }
    for index, agent in enumerate(config.agents.list):
        policies[f"{item('agents.list', index)}.tools"] = agent.tools
    for agentID, entry in config.agents.entries.items():
        policies[f"{child('agents.entries', agentID)}.tools"] = entry.tools
    for place, policy in policies.items():
        for key, names in (("allow", policy.allow), ("deny", policy.deny)):
            for index, name in enumerate(names or ()):
                yield item(f"{place}.{key}", index), name
