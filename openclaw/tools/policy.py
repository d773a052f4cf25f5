"""
Which tools an agent has.

Profiles name tools one by one.  A plug-in's tool, whatever it says of itself, is in
C{full} alone; elsewhere it must be allowed by name.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Literal

Profile = Literal["none", "readonly", "coding", "full"]

READONLY = frozenset({"grep", "ls", "read", "sessions_history", "sessions_list"})
"""
What changes nothing and stays in the house.  C{web_fetch} is not among them: a URL
can carry away what was read.
"""

CODING = READONLY | {"edit", "exec", "web_fetch", "write"}
"""
What it takes to work on a project.  With C{exec} the network is open anyway.
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


def unknown(tools: Collection[str], names: Sequence[str]) -> tuple[str, ...]:
    """
    Those of the names in a configuration's list that no tool has: faults, since a
    misspelt C{deny} would leave open what it means to close.
    """
    return tuple(name for name in names if name not in tools)


__all__ = ["CODING", "READONLY", "Profile", "allowed", "unknown"]
