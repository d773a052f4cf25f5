"""
Callers, as the avatars of Twisted cred's realms.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from urllib.parse import quote

from twisted.cred.checkers import ANONYMOUS
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from zope.interface import implementer

from openclaw.auth.checkers import SHARED_SECRET, TOKEN_AVATAR
from openclaw.auth.named_tokens import KeptToken, NamedTokens
from openclaw.interfaces import ICaller, Quota

OPERATOR_SCOPES = frozenset(
    {"operator.admin", "operator.write", "operator.read", "operator.metrics"}
)
USER_SCOPES = frozenset({"operator.write"})
"""
Scopes of a caller who is one of several.
"""

UNLIMITED = Quota()
_IMPLIED = {
    "operator.admin": {"operator.write", "operator.read", "operator.metrics"},
    "operator.write": {"operator.read"},
}


def _includes(held: Iterable[str], scope: str) -> bool:
    """
    C{operator.admin} includes C{operator.write}, which includes C{operator.read}.  It
    includes C{operator.metrics} too, and that nothing: numbers are of all callers.
    """
    return any(scope == each or scope in _IMPLIED.get(each, ()) for each in held)


@implementer(ICaller)
@dataclass(frozen=True, slots=True)
class Operator:
    """
    A caller who may run every agent and see every session, within their scopes.

    @ivar address: The address that they come from, as in
        L{openclaw.auth.client_address.ClientAddress}.
    """

    label: str
    scopes: frozenset[str] = OPERATOR_SCOPES
    namespace: str = ""
    quota: Quota = UNLIMITED
    address: str = ""

    @property
    def shareKey(self) -> str:
        """
        The label and the address, since many may share a secret.
        """
        return f"{self.label}@{self.address}"

    def at(self, address: str) -> "Operator":
        """
        The same caller, coming from an address.
        """
        # dataclasses.replace takes four times as long, and each request does this.
        return Operator(self.label, self.scopes, self.namespace, self.quota, address)

    def hasScope(self, scope: str) -> bool:
        """
        See L{_includes}.
        """
        return _includes(self.scopes, scope)

    def mayUse(self, agentID: str) -> bool:
        """
        Every agent.
        """
        return True

    def mayNameModel(self, model: str, *, isOwn: bool) -> bool:
        """
        Every model.
        """
        return True

    def narrowed(self, scopes: Sequence[str]) -> "Operator":
        """
        The same caller with those of the scopes that were theirs.
        """
        kept = frozenset(scope for scope in scopes if self.hasScope(scope))
        return replace(self, scopes=kept)


@implementer(ICaller)
@dataclass(frozen=True, kw_only=True, slots=True)
class Guest:
    """
    A caller among others, who has sessions of their own.

    @ivar label: A kind and a name, such as C{token:ci}.  No two callers share it, and
        there is one colon in it.
    @ivar agents: The agents that they may use; C{None} for all.
    @ivar models: See L{KeptToken}.
    @ivar ownNamespace: The namespace, if it is not the label.
    """

    label: str
    scopes: frozenset[str] = USER_SCOPES
    agents: frozenset[str] | None = None
    quota: Quota = UNLIMITED
    models: tuple[str, ...] | None = ("*",)
    ownNamespace: str | None = None

    @property
    def namespace(self) -> str:
        """
        The label, unless they have another one: a token whose label was another's.
        """
        return self.label if self.ownNamespace is None else self.ownNamespace

    def mayNameModel(self, model: str, *, isOwn: bool) -> bool:
        """
        Those that fit a pattern, or else those of their agents.
        """
        if self.models is None:
            return isOwn
        return any(fnmatchcase(model, pattern) for pattern in self.models)

    @property
    def shareKey(self) -> str:
        """
        The namespace.
        """
        return self.namespace

    def hasScope(self, scope: str) -> bool:
        """
        See L{_includes}.
        """
        return _includes(self.scopes, scope)

    def mayUse(self, agentID: str) -> bool:
        """
        Those agents.
        """
        return self.agents is None or agentID in self.agents

    def narrowed(self, scopes: Sequence[str]) -> "Guest":
        """
        The same caller with those of the scopes that were theirs.
        """
        kept = frozenset(scope for scope in scopes if self.hasScope(scope))
        return replace(self, scopes=kept)


def user(name: bytes) -> Guest:
    """
    A caller whom somebody else knows by a name.

    @param name: In any characters.  In the label all but letters, digits and C{-_.~@}
        are as in a URL, so that it begins and ends where it seems to.
    """
    return Guest(label=f"user:{quote(name, safe='@')}")


def tokenCaller(token: KeptToken) -> Guest:
    """
    The caller who has a token.
    """
    return Guest(
        label=token.caller,
        scopes=frozenset(token.scopes) & OPERATOR_SCOPES,
        agents=None if token.agents is None else frozenset(token.agents),
        quota=Quota(
            concurrentRuns=token.maxConcurrent,
            requestsPerMinute=token.requestsPerMinute,
        ),
        models=token.models,
        ownNamespace=token.namespace,
    )


def _forget() -> None:
    """
    A caller's stay ends with the request; there is nothing to log out of.
    """


_Avatar = tuple[type, ICaller, Callable[[], None]]


def _checkWanted(interfaces: tuple[type, ...]) -> None:
    if ICaller not in interfaces:
        raise NotImplementedError("This realm knows only ICaller.")


@implementer(IRealm)
class GatewayRealm:
    """
    Makes callers of those whom the gateway itself knows.  Nobody else's checkers may
    name them.
    """

    def __init__(self, tokens: NamedTokens | None = None) -> None:
        self._tokens = tokens

    def requestAvatar(
        self, avatarId: bytes | tuple[()], mind: object, *interfaces: type
    ) -> _Avatar:
        """
        @param avatarId: L{SHARED_SECRET}, the empty tuple of an anonymous caller,
            or the avatar ID of a token.
        """
        _checkWanted(interfaces)
        if avatarId is ANONYMOUS or isinstance(avatarId, tuple):
            return ICaller, Operator("anonymous"), _forget
        if avatarId == SHARED_SECRET:
            return ICaller, Operator("operator"), _forget
        label = avatarId.removeprefix(TOKEN_AVATAR).decode("ascii")
        token = None if self._tokens is None else self._tokens.labelled(label)
        if token is None:
            raise UnauthorizedLogin()
        return ICaller, tokenCaller(token), _forget


@implementer(IRealm)
class UserRealm:
    """
    Makes callers of the users whom strcred's checkers know, whatever their names are.
    """

    def requestAvatar(
        self, avatarId: object, mind: object, *interfaces: type
    ) -> _Avatar:
        """
        @param avatarId: The user's name.
        """
        _checkWanted(interfaces)
        if isinstance(avatarId, str):
            avatarId = avatarId.encode("utf-8", "surrogateescape")
        if not isinstance(avatarId, bytes) or not avatarId:
            raise TypeError("A checker must give a user's name.")
        return ICaller, user(avatarId), _forget
