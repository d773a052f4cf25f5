"""
The policy that grants tools to agents.

Profiles list tools by name.  A plug-in's tool is only in the profile C{full}, even if
it is marked read-only; otherwise it must be allowed by name.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Literal

from openclaw.config import Config, ReachableTools, ToolPolicy
from openclaw.config.findings import childPath, itemPath

Profile = Literal["none", "readonly", "coding", "full"]

READONLY = frozenset({"grep", "ls", "read", "sessions_history", "sessions_list"})
"""
Tools that change nothing and send nothing elsewhere.  C{web_fetch} is not among them: a
URL can carry data away.
"""

CODING = READONLY | {"edit", "exec", "web_fetch", "write"}
"""
Tools for working on a project.  With C{exec}, the network is open anyway.
"""


def allowedTools(
    tools: Iterable[str],
    profile: Profile,
    allow: Collection[str] = (),
    deny: Collection[str] = (),
) -> tuple[str, ...]:
    """
    Select the tools of an agent, in the order of C{tools}.

    @param tools: The names of all installed tools.
    @param allow: Tools granted in addition to the profile.
    @param deny: Tools never granted.
    """
    return tuple(
        name
        for name in tools
        if name not in deny and (name in allow or _isInProfile(name, profile))
    )


def _isInProfile(name: str, profile: Profile) -> bool:
    if profile == "full":
        return True
    if profile == "coding":
        return name in CODING
    return profile == "readonly" and name in READONLY


def checkToolNames(config: Config, tools: Callable[[], Collection[str]]) -> list[str]:
    """
    Find names in a configuration that are not of an installed tool.  These are errors,
    since a misspelt C{deny} would leave a tool available.

    @param tools: Returns the names of all installed tools.  It is slow, so it is called
        only for names of plug-ins.
    @return: A line for each, which begins with its key.
    """
    foreign = [(path, name) for path, name in _findNames(config) if name not in CODING]
    if not foreign:
        return []
    installed = tools()
    names = ", ".join(sorted(installed))
    return [
        f'{path}: there is no tool "{name}"; there are: {names}'
        for path, name in foreign
        if name not in installed
    ]


def _findNames(config: Config) -> Iterator[tuple[str, str]]:
    """
    Find the names of tools in a configuration, with the paths of their keys.
    """
    policies: dict[str, ToolPolicy | ReachableTools] = {
        "gateway.tools": config.gateway.tools,
        "agents.defaults.tools": config.agents.defaults.tools,
    }
    for index, agent in enumerate(config.agents.list):
        policies[f"{itemPath('agents.list', index)}.tools"] = agent.tools
    for agentID, entry in config.agents.entries.items():
        policies[f"{childPath('agents.entries', agentID)}.tools"] = entry.tools
    for path, policy in policies.items():
        for key, names in (("allow", policy.allow), ("deny", policy.deny)):
            for index, name in enumerate(names or ()):
                yield itemPath(f"{path}.{key}", index), name
