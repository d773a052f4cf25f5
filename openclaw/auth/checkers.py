"""
The checkers of the gateway's own credentials: the shared secret, and the tokens that
have names.  Others come from strcred plug-ins.
"""

from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest
from typing import Any, cast

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    fail,
    maybeDeferred,
    succeed,
)
from zope.interface import implementer

from openclaw.auth.named_tokens import NamedTokens
from openclaw.config import Secret
from openclaw.interfaces import IBearerToken, INamedToken

SHARED_SECRET = b"shared-secret"
"""
The avatar ID of whoever knows the gateway's token or password.
"""

TOKEN_AVATAR = b"token:"
"""
The prefix of the avatar ID of a named token. Its label follows.
"""


@implementer(ICredentialsChecker)
class SharedSecretChecker:
    """
    Checks a bearer token against the one secret of C{gateway.auth}, in a time that
    tells nothing of either.
    """

    credentialInterfaces = (IBearerToken,)

    def __init__(self, secret: Secret) -> None:
        self._digest = sha256(
            secret.reveal().encode("utf-8", "surrogateescape")
        ).digest()

    def requestAvatarId(
        self, credentials: IBearerToken
    ) -> "Deferred[bytes | tuple[()]]":
        """
        @return: L{SHARED_SECRET}, or a failure with L{UnauthorizedLogin} for any
            other secret.
        """
        # Digests have one length, so the comparison can't tell the secret's.
        if compare_digest(sha256(credentials.token).digest(), self._digest):
            return succeed(SHARED_SECRET)
        return fail(UnauthorizedLogin())


@implementer(ICredentialsChecker)
class NamedTokenChecker:
    """
    Knows the tokens that have names.
    """

    credentialInterfaces = (INamedToken,)

    def __init__(self, tokens: NamedTokens) -> None:
        self._tokens = tokens

    def requestAvatarId(
        self, credentials: INamedToken
    ) -> "Deferred[bytes | tuple[()]]":
        """
        @return: L{TOKEN_AVATAR} and the token's label, or a failure with
            L{UnauthorizedLogin}.
        """
        found = self._tokens.find(credentials.token)
        if found is None:
            return fail(UnauthorizedLogin())
        return succeed(TOKEN_AVATAR + found.label.encode())


@implementer(ICredentialsChecker)
class CheckersInOrder:
    """
    Several checkers for one kind of credential, of which cred's portal would take the
    last alone: the first that knows the credential decides.
    """

    def __init__(
        self, interface: type, checkers: Sequence[ICredentialsChecker]
    ) -> None:
        self.credentialInterfaces = (interface,)
        self._checkers = checkers

    def requestAvatarId(self, credentials: object) -> "Deferred[bytes | tuple[()]]":
        """
        @return: The avatar ID, or a failure: with L{UnauthorizedLogin} if no checker
            knows the credential, else with what the first that failed otherwise says.
        """
        return Deferred.fromCoroutine(self._ask(credentials))

    async def _ask(self, credentials: object) -> bytes | tuple[()]:
        broken: Exception | None = None
        for checker in self._checkers:
            try:
                found = await maybeDeferred(checker.requestAvatarId, credentials)
                return cast(bytes, found)
            except UnauthorizedLogin:
                continue
            except CancelledError:
                raise
            except Exception as error:
                # Another one may know the user while this one's directory is down.
                broken = broken or error
        raise broken or UnauthorizedLogin()


def oneForEach(checkers: Sequence[ICredentialsChecker]) -> list[ICredentialsChecker]:
    """
    Return one checker for each kind of credential that some of these check.
    """
    kinds: dict[Any, list[ICredentialsChecker]] = {}
    for checker in checkers:
        for interface in checker.credentialInterfaces:
            kinds.setdefault(interface, []).append(checker)
    return [CheckersInOrder(kind, some) for kind, some in kinds.items()]
