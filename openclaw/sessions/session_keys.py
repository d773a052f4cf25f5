"""
The keys of sessions, and the callers who may use them.

A session key is C{agent:<agent id>:<name>}.  The name comes from the request's session
header or from its C{user}; a request without either gets a key that is used once.

A caller with a namespace, such as C{token:ci} or C{user:ann}, may use only keys of the
form C{agent:<agent id>:<namespace>:<name>}.  A namespace is a kind and a name,
separated by the only colon, so none is a prefix of another.
"""

import re
from uuid import uuid4

from openclaw.errors import InvalidRequest, PermissionDenied

MAX_NAME_CHARACTERS = 512
RESERVED = ("subagent:", "cron:", "acp:", "harness:")
"""
Prefixes of names that are reserved for the gateway.
"""

OPERATOR = ""
"""
The namespace of callers who may use all sessions.
"""

SESSION_HEADER = "x-openclaw-session-key"

_WITHOUT_NAME = re.compile(r"agent\s*:[^:]*", re.I)
"""
A whole key that ends with the agent's id, or before it.
"""


def _keyPrefix(agentID: str, namespace: str) -> str:
    return f"agent:{agentID}:{namespace}:" if namespace else f"agent:{agentID}:"


def visiblePrefix(namespace: str, agentID: str) -> str:
    """
    Return the prefix of the keys of an agent's sessions that callers with a namespace
    may use.
    """
    return _keyPrefix(agentID, namespace) if namespace else ""


def mayAccess(namespace: str, agentID: str, key: str) -> bool:
    """
    Return whether callers with a namespace may use a session of an agent.
    """
    return key.startswith(visiblePrefix(namespace, agentID))


def statelessKey(agentID: str, namespace: str) -> str:
    """
    Return a new key for a run that is not stored.
    """
    return f"{_keyPrefix(agentID, namespace)}openai:{uuid4()}"


def userKey(agentID: str, user: str, namespace: str) -> str | None:
    """
    Return the key of a caller's session for a request's C{user}.

    @param user: Its case matters; surrounding blanks do not.

    @return: C{None} if the user is blank.

    @raise InvalidRequest: The user is too long or has control characters.
    """
    name = user.strip()
    if not name:
        return None
    _check(name, "user", "user")
    return f"{_keyPrefix(agentID, namespace)}openai-user:{name}"


def agentOfKey(key: str) -> str | None:
    """
    Return the agent id in a key, or C{None} for a bare name.
    """
    kind, _, rest = key.strip().partition(":")
    agentID, colon, _ = rest.partition(":")
    if kind.lower() != "agent" or not colon:
        return None
    return agentID.strip().lower()


def namedKey(agentID: str, key: str, namespace: str) -> str:
    """
    Return the key for a session that the caller named.

    @param key: A bare name, or a whole key of this agent.

    @raise InvalidRequest: The name is reserved, empty, too long, or has control
        characters; or a whole key lacks its name.

    @raise PermissionDenied: It is a whole key outside of the caller's namespace,
        whether or not such a session exists.
    """
    key = key.strip()
    if agentOfKey(key) is not None:
        key = key.split(":", 2)[2].strip()
        if namespace:
            key = _stripNamespace(key, namespace)
    elif _WITHOUT_NAME.fullmatch(key):
        raise InvalidRequest(
            "The session key lacks a name: a whole key is `agent:<agentId>:<name>`.",
            param=SESSION_HEADER,
        )
    if not key.strip(": \t"):
        raise InvalidRequest("The session key is empty.", param=SESSION_HEADER)
    _check(key, "session key", SESSION_HEADER)
    if key.lower().startswith(RESERVED):
        raise InvalidRequest(
            "This session key is reserved. Keys that begin with"
            f" {', '.join(f'`{prefix}`' for prefix in RESERVED)} are the gateway's.",
            param=SESSION_HEADER,
            code="reserved_session_key",
        )
    return f"{_keyPrefix(agentID, namespace)}{key}"


def _stripNamespace(name: str, namespace: str) -> str:
    prefix = f"{namespace}:"
    if not name.startswith(prefix):
        raise PermissionDenied(
            "You may use only your own sessions: give a bare name, or a key from the"
            f" `{SESSION_HEADER}` header of a response.",
            param=SESSION_HEADER,
            code="session_not_yours",
        )
    return name.removeprefix(prefix).strip()


def _check(name: str, what: str, param: str) -> None:
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidRequest(
            f"The {what} is longer than {MAX_NAME_CHARACTERS} characters.", param=param
        )
    if not name.isprintable():
        raise InvalidRequest(f"The {what} has control characters.", param=param)
