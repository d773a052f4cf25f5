"""
The keys of sessions, and the callers who may use them.

A session key is C{agent:<agent id>:<name>}.  Callers may name a session, a C{user}
names one, and a call with neither gets a key that is used once.

Callers who have a namespace, such as C{token:ci} or C{user:ann}, are at home in
C{agent:<agent id>:<namespace>:<name>}, and nowhere else.  A namespace is a kind and a
name with one colon in between, so none is the beginning of another one.
"""

from uuid import uuid4

from openclaw.errors import InvalidRequest, PermissionDenied

MAX_NAME_CHARACTERS = 512
RESERVED = ("subagent:", "cron:", "acp:", "harness:")
"""
Prefixes of the names that only the gateway itself may use.
"""

OPERATOR = ""
"""
The namespace of who may see all sessions.
"""

SESSION_HEADER = "x-openclaw-session-key"


def _home(agentID: str, namespace: str) -> str:
    """
    Return the prefix of the keys of a namespace.
    """
    return f"agent:{agentID}:{namespace}:" if namespace else f"agent:{agentID}:"


def visiblePrefix(namespace: str, agentID: str) -> str:
    """
    Return the prefix of the keys of an agent's sessions that the holders of a
    namespace may see.
    """
    return _home(agentID, namespace) if namespace else ""


def mayVisit(namespace: str, agentID: str, key: str) -> bool:
    """
    Is this session of an agent one that the holders of a namespace may see?
    """
    return key.startswith(visiblePrefix(namespace, agentID))


def statelessKey(agentID: str, namespace: str) -> str:
    """
    A key for a run that leaves nothing behind.
    """
    return f"{_home(agentID, namespace)}openai:{uuid4()}"


def userKey(agentID: str, user: str, namespace: str) -> str | None:
    """
    The key of a caller's conversation with one user.

    @param user: The request's C{user}, of which case matters but outer blanks don't.

    @param namespace: The caller's.

    @return: C{None} when nothing is left of it.

    @raise InvalidRequest: It is too long or has control characters.
    """
    name = user.strip()
    if not name:
        return None
    _check(name, "user", "user")
    return f"{_home(agentID, namespace)}openai-user:{name}"


def agentOfKey(key: str) -> str | None:
    """
    The agent that a key names, or C{None} for a bare name.
    """
    kind, _, rest = key.strip().partition(":")
    agentID, colon, _ = rest.partition(":")
    if kind.lower() != "agent" or not colon:
        return None
    return agentID.strip().lower()


def namedKey(agentID: str, key: str, namespace: str) -> str:
    """
    The key for a session that the caller named.

    @param key: A bare name, or a whole key of this agent.

    @param namespace: The caller's.

    @raise InvalidRequest: The name is reserved, empty, too long, or has control
        characters.

    @raise PermissionDenied: It is a whole key, and in no home of the caller's.  What
        there is behind the key has no part in that.
    """
    key = key.strip()
    if agentOfKey(key) is not None:
        key = key.split(":", 2)[2].strip()
        if namespace:
            key = _atHome(key, namespace)
    if not key:
        raise InvalidRequest("The session key is empty.", param=SESSION_HEADER)
    _check(key, "session key", SESSION_HEADER)
    if key.lower().startswith(RESERVED):
        raise InvalidRequest(
            "This session key is reserved: the gateway's own begin with"
            f" {', '.join(f'`{prefix}`' for prefix in RESERVED)}.",
            param=SESSION_HEADER,
            code="reserved_session_key",
        )
    return f"{_home(agentID, namespace)}{key}"


def _atHome(name: str, namespace: str) -> str:
    """
    Return the part of a whole key behind the namespace.
    """
    home = f"{namespace}:"
    if not name.startswith(home):
        raise PermissionDenied(
            "You may name your own sessions only: by a bare name, or by the key that"
            f" `{SESSION_HEADER}` of an answer has.",
            param=SESSION_HEADER,
            code="session_not_yours",
        )
    return name.removeprefix(home).strip()


def _check(name: str, what: str, param: str) -> None:
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidRequest(
            f"The {what} is longer than {MAX_NAME_CHARACTERS} characters.", param=param
        )
    if not name.isprintable():
        raise InvalidRequest(f"The {what} has control characters.", param=param)
