"""
Who callers are once they are let in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from twisted.cred.checkers import ANONYMOUS
from twisted.cred.portal import IRealm
from zope.interface import implementer

from openclaw.auth.checkers import SHARED_SECRET
from openclaw.interfaces import ICaller

OPERATOR_SCOPES = frozenset({"operator.admin", "operator.write", "operator.read"})
_IMPLIED = {
    "operator.admin": {"operator.write", "operator.read"},
    "operator.write": {"operator.read"},
}


@implementer(ICaller)
@dataclass(frozen=True, slots=True)
class Operator:
    """
    A caller who may run every agent, within their scopes.
    """

    label: str
    scopes: frozenset[str] = OPERATOR_SCOPES

    def hasScope(self, scope: str) -> bool:
        """
        C{operator.admin} includes C{operator.write}, which includes
        C{operator.read}.
        """
        return scope in self.scopes or any(
            scope in _IMPLIED.get(held, ()) for held in self.scopes
        )

    def mayUse(self, agentID: str) -> bool:
        """
        Every agent.
        """
        return True

    def narrowed(self, scopes: Sequence[str]) -> "Operator":
        """
        The same caller with those of the scopes that were theirs.
        """
        kept = frozenset(scope for scope in scopes if self.hasScope(scope))
        return replace(self, scopes=kept)


def _forget() -> None:
    """
    A caller's stay ends with the request; there is nothing to log out of.
    """


@implementer(IRealm)
class OperatorRealm:
    """
    Makes an L{Operator} of everybody whom a checker knows.
    """

    def requestAvatar(
        self, avatarId: bytes | tuple[()], mind: object, *interfaces: type
    ) -> tuple[type, ICaller, Callable[[], None]]:
        """
        @param avatarId: L{SHARED_SECRET}, the empty tuple of an anonymous caller,
            or the user's name from a strcred checker.
        """
        if ICaller not in interfaces:
            raise NotImplementedError("This realm knows only ICaller.")
        if avatarId is ANONYMOUS or isinstance(avatarId, tuple):
            label = "anonymous"
        elif avatarId == SHARED_SECRET:
            label = "operator"
        else:
            label = f"user:{avatarId.decode('utf-8', 'replace')}"
        return ICaller, Operator(label), _forget


__all__ = ["OPERATOR_SCOPES", "Operator", "OperatorRealm"]
