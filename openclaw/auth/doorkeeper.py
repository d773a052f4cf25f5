"""
Lets callers in, or not: the one place where a request's credential is looked at.
"""

from collections.abc import Sequence
from typing import cast

from twisted.cred.checkers import AllowAnonymousAccess, ICredentialsChecker
from twisted.cred.credentials import Anonymous, ICredentials
from twisted.cred.error import UnauthorizedLogin, UnhandledCredentials
from twisted.cred.portal import Portal
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from openclaw.auth.checkers import SharedSecretChecker
from openclaw.auth.credentials import CREDENTIAL_EXPECTED, credentialsFrom
from openclaw.auth.realm import OperatorRealm
from openclaw.config import Secret
from openclaw.errors import AuthenticationFailed
from openclaw.interfaces import ICaller


class Doorkeeper:
    """
    Turns C{Authorization} headers into callers through a cred L{Portal}.
    """

    def __init__(
        self,
        secret: Secret | None,
        checkers: Sequence[ICredentialsChecker],
        log: Logger,
    ) -> None:
        """
        @param secret: The gateway's token or password; C{None} for
            C{gateway.auth.mode: none}, which lets everybody in.

        @param checkers: strcred's checkers, for HTTP Basic.
        """
        self._open = secret is None
        self._log = log
        self._portal = Portal(OperatorRealm(), checkers)
        if secret is None:
            self._portal.registerChecker(AllowAnonymousAccess())
        else:
            self._portal.registerChecker(SharedSecretChecker(secret))

    async def admit(
        self, authorization: bytes | None, scopes: bytes | None = None
    ) -> ICaller:
        """
        Find out who asks.

        @param authorization: The C{Authorization} header's value.

        @param scopes: The C{x-openclaw-scopes} header's value, a list with commas
            or blanks; it narrows what an anonymous caller may do.

        @raise AuthenticationFailed: Nobody whom we know.
        """
        if not self._open:
            return await self._login(credentialsFrom(authorization))
        caller = await self._login(Anonymous())
        if scopes is None:
            return caller
        return caller.narrowed(scopes.decode("latin-1").replace(",", " ").split())

    async def _login(self, credentials: ICredentials) -> ICaller:
        try:
            _, caller, _ = await self._portal.login(credentials, None, ICaller)
        except UnhandledCredentials:
            raise AuthenticationFailed(CREDENTIAL_EXPECTED) from None
        except UnauthorizedLogin:
            raise AuthenticationFailed("The credential is not valid.") from None
        except CancelledError:
            raise
        except Exception as error:
            # A checker's own failure (a directory that is down) lets nobody in; its
            # traceback could hold the credential, so only the kind is kept.
            self._log.error(
                "A credentials checker failed with {kind}; the caller was refused.",
                kind=type(error).__name__,
            )
            raise AuthenticationFailed("The credential can't be checked.") from None
        return cast(ICaller, caller)


__all__ = ["Doorkeeper"]
