"""
The names of conversations.

A session key is C{agent:<agent id>:<name>}.  Callers may name a session, a C{user}
names one, and a call with neither gets a key that is used once.
"""

from uuid import uuid4

from openclaw.errors import InvalidRequest

MAX_NAME_CHARACTERS = 512
RESERVED = ("subagent:", "cron:", "acp:", "harness:")
"""
How the names begin that only the gateway itself may use.
"""


def statelessKey(agentID: str) -> str:
    """
    A key for a run that leaves nothing behind.
    """
    return f"agent:{agentID}:openai:{uuid4()}"


def userKey(agentID: str, user: str) -> str | None:
    """
    The key of a caller's conversation with one user.

    @param user: The request's C{user}, of which case matters but outer blanks don't.

    @return: C{None} when nothing is left of it.

    @raise InvalidRequest: It is too long or has control characters.
    """
    name = user.strip()
    if not name:
        return None
    _check(name, "user", "user")
    return f"agent:{agentID}:openai-user:{name}"


def agentOfKey(key: str) -> str | None:
    """
    The agent that a key names, or C{None} for a bare name.
    """
    kind, _, rest = key.strip().partition(":")
    agentID, colon, _ = rest.partition(":")
    if kind.lower() != "agent" or not colon:
        return None
    return agentID.strip().lower()


def namedKey(agentID: str, key: str) -> str:
    """
    The key for a session that the caller named.

    @param key: A bare name, or a whole key of this agent.

    @raise InvalidRequest: The name is reserved, empty, too long, or has control
        characters.
    """
    key = key.strip()
    if agentOfKey(key) is not None:
        key = key.split(":", 2)[2].strip()
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
    return f"agent:{agentID}:{key}"


SESSION_HEADER = "x-openclaw-session-key"


def _check(name: str, what: str, param: str) -> None:
    if len(name) > MAX_NAME_CHARACTERS:
        raise InvalidRequest(
            f"The {what} is longer than {MAX_NAME_CHARACTERS} characters.", param=param
        )
    if not name.isprintable():
        raise InvalidRequest(f"The {what} has control characters.", param=param)


__all__ = [
    "MAX_NAME_CHARACTERS",
    "RESERVED",
    "SESSION_HEADER",
    "agentOfKey",
    "namedKey",
    "statelessKey",
    "userKey",
]
