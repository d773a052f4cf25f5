"""
The test case of the doorkeeper.
"""

import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.cred.checkers import (
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from openclaw.auth.client_address import TrustedProxies
from openclaw.auth.doorkeeper import AuthPolicy, Doorkeeper
from openclaw.auth.proxied_users import ProxiedUsers
from openclaw.config import Secret, TrustedProxy
from openclaw.errors import (
    AuthenticationFailed,
    TooManyAttempts,
)
from openclaw.interfaces import ICaller
from tests.auth.doorkeeper_doubles import accessStateOf, headersOf, lineFrom

TOKEN = "t0ken"
PASSWORD = b"pa55word"
LONG_TOKEN = "t0ken-that-nobody-can-guess"
HERE = "203.0.113.5"
THERE = "203.0.113.6"


@implementer(ICredentialsChecker)
class SlowChecker:
    """
    A checker whose results tests determine later.

    @ivar asked: The pending checks.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self) -> None:
        self.asked: list[Deferred[Any]] = []
        self.cancelled = 0

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        self.asked.append(Deferred(self._cancel))
        return self.asked[-1]

    def _cancel(self, asked: Deferred[Any]) -> None:
        self.cancelled += 1


@implementer(ICredentialsChecker)
class BrokenChecker:
    """
    A checker that raises an exception with the credentials in its message.
    """

    credentialInterfaces = (IUsernamePassword,)

    def requestAvatarId(self, credentials: Any) -> Deferred[Any]:
        raise LookupError(f"no directory for {credentials.password!r}")


class DoorkeeperTestCase(SynchronousTestCase):
    """
    A test case with a doorkeeper.
    """

    def setUp(self) -> None:
        """
        Create a directory for tokens.
        """
        self.state = Path(self.mktemp()).absolute()
        self.state.mkdir()
        self.clock = Clock()

    def make(
        self,
        *checkers: Any,
        secret: str | None = TOKEN,
        mode: str | None = None,
        proxies: Sequence[str] = (),
        header: str | None = None,
    ) -> Doorkeeper:
        """
        Return a doorkeeper.
        """
        log = Logger(namespace="test")
        policy = AuthPolicy(
            mode=mode or ("token" if secret is not None else "none"),
            secret=Secret(secret) if secret is not None else None,
            proxies=TrustedProxies(proxies),
            proxiedUsers=header and ProxiedUsers(TrustedProxy(userHeader=header)),
        )
        return Doorkeeper(
            policy, checkers, accessStateOf(self.clock, log, self.state), log
        )

    def users(self) -> InMemoryUsernamePasswordDatabaseDontUse:
        """
        Return a checker with the user Ada.
        """
        return InMemoryUsernamePasswordDatabaseDontUse(ada=PASSWORD)

    def asking(
        self,
        doorkeeper: Doorkeeper,
        authorization: bytes | None = None,
        scopes: bytes | None = None,
        host: str = HERE,
        **more: str,
    ) -> Deferred[ICaller]:
        """
        Start an authentication.
        """
        given = {"authorization": authorization, "x-openclaw-scopes": scopes, **more}
        headers = headersOf(
            {
                name.replace("_", "-"): value
                for name, value in given.items()
                if value is not None
            }
        )
        origin = doorkeeper.origin(headers, lineFrom(host))
        return Deferred.fromCoroutine(doorkeeper.admit(headers, origin))

    def authenticate(
        self, doorkeeper: Doorkeeper, *headers: bytes | None, **more: str
    ) -> ICaller:
        """
        Authenticate successfully, and return the caller.
        """
        return self.successResultOf(self.asking(doorkeeper, *headers, **more))

    def assertLockedOut(self, asking: Deferred[ICaller]) -> None:
        """
        Assert that authentication fails because of too many failures.
        """
        error = self.failureResultOf(asking, TooManyAttempts).value
        self.assertEqual(error.status, 429)
        self.assertGreater(error.retryAfter, 0)

    def refused(self, asking: Deferred[ICaller]) -> AuthenticationFailed:
        """
        Assert that authentication fails, without a secret in the error.
        """
        error = self.failureResultOf(asking, AuthenticationFailed).value
        self.assertEqual(error.status, 401)
        self.assertEqual(error.code, "invalid_api_key")
        shown = "".join(traceback.format_exception(error)) + repr(vars(error))
        for secret in (TOKEN, PASSWORD.decode()):
            self.assertNotIn(secret, shown)
        return error


__all__ = [
    "HERE",
    "LONG_TOKEN",
    "PASSWORD",
    "THERE",
    "TOKEN",
    "BrokenChecker",
    "DoorkeeperTestCase",
    "SlowChecker",
]
