"""
Callers, as the avatars of cred's realms.
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
from openclaw.auth.named_tokens import NamedTokens, StoredToken
from openclaw.interfaces import ICaller, Quota

OPERATOR_SCOPES = frozenset(
    {"operator.admin", "operator.write", "operator.read", "operator.metrics"}
)
USER_SCOPES = frozenset({"operator.write"})
"""
Scopes of a caller with a namespace of their own.
"""

UNLIMITED = Quota()
_GRANTED = {
    "operator.admin": {"operator.write", "operator.read", "operator.metrics"},
    "operator.write": {"operator.read"},
}


def _grants(held: Iterable[str], scope: str) -> bool:
    """
    Return whether scopes grant another one. C{operator.admin} grants C{operator.write},
    C{operator.read} and C{operator.metrics}; C{operator.write} grants C{operator.read}.
    Metrics cover all callers, so nothing but admin grants C{operator.metrics}.
    """
    return any(scope == each or scope in _GRANTED.get(each, ()) for each in held)


@implementer(ICaller)
@dataclass(frozen=True, slots=True)
class Operator:
    """
    A caller who may run every agent and see every session, within their scopes.

    @ivar address: The name of the client's
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
        The label and the address, since a secret may have many users.
        """
        return f"{self.label}@{self.address}"

    def withAddress(self, address: str) -> "Operator":
        # dataclasses.replace takes four times as long, on each request.
        return Operator(self.label, self.scopes, self.namespace, self.quota, address)

    def hasScope(self, scope: str) -> bool:
        return _grants(self.scopes, scope)

    def mayUse(self, agentID: str) -> bool:
        return True

    def mayNameModel(self, model: str, *, isOwn: bool) -> bool:
        return True

    def withScopes(self, scopes: Sequence[str]) -> "Operator":
        kept = frozenset(scope for scope in scopes if self.hasScope(scope))
        return replace(self, scopes=kept)


@implementer(ICaller)
@dataclass(frozen=True, kw_only=True, slots=True)
class NamespacedCaller:
    """
    A caller with sessions of their own: a named token, or a user.

    @ivar label: A kind and a name, such as C{token:ci}, unique and with one colon.
    @ivar agents: The agents that they may use; C{None} for all.
    @ivar models: See L{StoredToken}.
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
        The label, or the namespace of a token whose label was in use before.
        """
        return self.label if self.ownNamespace is None else self.ownNamespace

    def mayNameModel(self, model: str, *, isOwn: bool) -> bool:
        if self.models is None:
            return isOwn
        return any(fnmatchcase(model, pattern) for pattern in self.models)

    @property
    def shareKey(self) -> str:
        return self.namespace

    def hasScope(self, scope: str) -> bool:
        return _grants(self.scopes, scope)

    def mayUse(self, agentID: str) -> bool:
        return self.agents is None or agentID in self.agents

    def withScopes(self, scopes: Sequence[str]) -> "NamespacedCaller":
        kept = frozenset(scope for scope in scopes if self.hasScope(scope))
        return replace(self, scopes=kept)


def user(name: bytes) -> NamespacedCaller:
    """
    Return the caller for a user name from a proxy or a strcred checker.

    @param name: Any bytes. In the label they are percent-encoded, except letters,
        digits and C{-_.~@}.
    """
    return NamespacedCaller(label=f"user:{quote(name, safe='@')}")


def callerOfToken(token: StoredToken) -> NamespacedCaller:
    return NamespacedCaller(
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


def _logout() -> None:
    """
    Do nothing: callers are not kept beyond their request.
    """


_Avatar = tuple[type, ICaller, Callable[[], None]]


def _checkInterfaces(interfaces: tuple[type, ...]) -> None:
    if ICaller not in interfaces:
        raise NotImplementedError("This realm only supports ICaller.")


@implementer(IRealm)
class GatewayRealm:
    """
    Creates the gateway's own callers. Only the gateway's own checkers may name them.
    """

    def __init__(self, tokens: NamedTokens | None = None) -> None:
        self._tokens = tokens

    def requestAvatar(
        self, avatarId: bytes | tuple[()], mind: object, *interfaces: type
    ) -> _Avatar:
        """
        @param avatarId: L{SHARED_SECRET}, cred's C{ANONYMOUS}, or the avatar ID of a
            named token.
        """
        _checkInterfaces(interfaces)
        if avatarId is ANONYMOUS or isinstance(avatarId, tuple):
            return ICaller, Operator("anonymous"), _logout
        if avatarId == SHARED_SECRET:
            return ICaller, Operator("operator"), _logout
        label = avatarId.removeprefix(TOKEN_AVATAR).decode("ascii")
        token = None if self._tokens is None else self._tokens.getByLabel(label)
        if token is None:
            raise UnauthorizedLogin()
        return ICaller, callerOfToken(token), _logout


@implementer(IRealm)
class UserRealm:
    """
    Creates callers for the users of strcred's checkers, whatever their names.
    """

    def requestAvatar(
        self, avatarId: object, mind: object, *interfaces: type
    ) -> _Avatar:
        """
        @param avatarId: The user's name.
        """
        _checkInterfaces(interfaces)
        if isinstance(avatarId, str):
            avatarId = avatarId.encode("utf-8", "surrogateescape")
        if not isinstance(avatarId, bytes) or not avatarId:
            raise TypeError("The checker returned no user name.")
        return ICaller, user(avatarId), _logout
