"""
Credentials checkers for the gateway's own secret and for named tokens. Others are
strcred plug-ins.
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
The avatar ID of callers with the gateway's token or password.
"""

TOKEN_AVATAR = b"token:"
"""
The prefix of the avatar IDs of named tokens; the label follows.
"""


@implementer(ICredentialsChecker)
class SharedSecretChecker:
    """
    Checks a bearer token against the secret of C{gateway.auth}, in constant time.
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
        @return: L{SHARED_SECRET}, or a failure with L{UnauthorizedLogin}.
        """
        # Digests are of equal length, so the time does not depend on the secret's.
        if compare_digest(sha256(credentials.token).digest(), self._digest):
            return succeed(SHARED_SECRET)
        return fail(UnauthorizedLogin())


@implementer(ICredentialsChecker)
class NamedTokenChecker:
    credentialInterfaces = (INamedToken,)

    def __init__(self, tokens: NamedTokens) -> None:
        self._tokens = tokens

    def requestAvatarId(
        self, credentials: INamedToken
    ) -> "Deferred[bytes | tuple[()]]":
        """
        @return: L{TOKEN_AVATAR} followed by the token's label, or a failure with
            L{UnauthorizedLogin}.
        """
        found = self._tokens.find(credentials.token)
        if found is None:
            return fail(UnauthorizedLogin())
        return succeed(TOKEN_AVATAR + found.label.encode())


@implementer(ICredentialsChecker)
class ChainedChecker:
    """
    Tries several checkers of one credentials interface in order; a portal would only
    use the last.
    """

    def __init__(
        self, interface: type, checkers: Sequence[ICredentialsChecker]
    ) -> None:
        self.credentialInterfaces = (interface,)
        self._checkers = checkers

    def requestAvatarId(self, credentials: object) -> "Deferred[bytes | tuple[()]]":
        """
        @return: The avatar ID from the first checker that accepts the credentials.
            Otherwise a failure: the first unexpected one, or L{UnauthorizedLogin}.
        """
        return Deferred.fromCoroutine(self._tryCheckers(credentials))

    async def _tryCheckers(self, credentials: object) -> bytes | tuple[()]:
        failure: Exception | None = None
        for checker in self._checkers:
            try:
                found = await maybeDeferred(checker.requestAvatarId, credentials)
                return cast(bytes, found)
            except UnauthorizedLogin:
                continue
            except CancelledError:
                raise
            except Exception as error:
                # Another checker may accept the user while this one's directory is
                # down.
                failure = failure or error
        raise failure or UnauthorizedLogin()


def mergeCheckers(checkers: Sequence[ICredentialsChecker]) -> list[ICredentialsChecker]:
    """
    Return one checker for each credentials interface of some checkers.
    """
    byInterface: dict[Any, list[ICredentialsChecker]] = {}
    for checker in checkers:
        for interface in checker.credentialInterfaces:
            byInterface.setdefault(interface, []).append(checker)
    return [ChainedChecker(each, some) for each, some in byInterface.items()]
