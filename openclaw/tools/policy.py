"""
The policy that grants tools to agents.

Profiles list tools by name.  A plug-in's tool is only in the profile C{full}, even if
it is marked read-only; otherwise it must be allowed by name.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Literal

from openclaw.config import Config, ReachableTools, ToolPolicy
from openclaw.config.agent_settings import MAIN_AGENT, entriesByID, locateEntries
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


NEED_WORKSPACE = frozenset({"edit", "exec", "grep", "ls", "read", "write"})
"""
Tools that work in the agent's workspace.
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


def grantsTool(config: Config, name: str) -> bool:
    return any(
        allowedTools([name], each.tools.profile, each.tools.allow, each.tools.deny)
        for each in config.agentSettings()
    )


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


def checkImplicitDefault(
    config: Config, tools: Callable[[], Collection[str]]
) -> list[str]:
    """
    Find a default agent that nobody chose and that may do more than read.  Requests
    that name no agent would get its tools, although its entry says nothing of that.

    @param tools: As in L{checkToolNames}.
    @return: One line, which begins with the key of the agent; or nothing.
    """
    agents = config.agents
    agentID = config.defaultAgentID()
    if agentID == MAIN_AGENT or entriesByID(agents)[agentID].default:
        return []
    selection = next(a.tools for a in config.agentSettings() if a.id == agentID)
    known = tools() if selection.profile == "full" else CODING.union(selection.allow)
    names = allowedTools(
        sorted(known), selection.profile, selection.allow, selection.deny
    )
    risky = [name for name in names if name not in READONLY]
    if not risky:
        return []
    path = next(path for path, each, _ in locateEntries(agents) if each == agentID)
    return [
        f'{path}: no agent has "default: true", and there is no agent "{MAIN_AGENT}",'
        f' so requests that name no agent would get "{agentID}" and its tools'
        f' {", ".join(risky)}; add an agent "{MAIN_AGENT}", or set "default: true" here'
    ]


def _findNames(config: Config) -> Iterator[tuple[str, str]]:
    """
    Find the names of tools in a configuration, with the paths of their keys.
    """
    policies: dict[str, ToolPolicy | ReachableTools] = {
        "gateway.tools": config.gateway.tools,
        "agents.defaults.tools": config.agents.defaults.tools,
    }
    for entryPath, _, entry in locateEntries(config.agents):
        policies[childPath(entryPath, "tools")] = entry.tools
    for path, policy in policies.items():
        for key, names in (("allow", policy.allow), ("deny", policy.deny)):
            for index, name in enumerate(names or ()):
                yield itemPath(f"{path}.{key}", index), name
