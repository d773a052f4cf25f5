"""
Lets callers in, or not: the one place where a request's credential is looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from twisted.cred.checkers import AllowAnonymousAccess, ICredentialsChecker
from twisted.cred.credentials import Anonymous, ICredentials
from twisted.cred.error import UnauthorizedLogin, UnhandledCredentials
from twisted.cred.portal import Portal
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import ITransport
from twisted.logger import Logger
from twisted.web.http_headers import Headers

from openclaw.auth.authorization_header import (
    CREDENTIAL_EXPECTED,
    BearerToken,
    NamedToken,
    credentialsFrom,
    theOnly,
)
from openclaw.auth.checkers import (
    NamedTokenChecker,
    SharedSecretChecker,
    oneForEach,
)
from openclaw.auth.client_address import NO_PROXIES, ClientAddress, TrustedProxies
from openclaw.auth.named_tokens import PREFIX, NamedTokens
from openclaw.auth.proxied_users import ProxiedUsers
from openclaw.auth.quotas import Quotas
from openclaw.auth.realm import GatewayRealm, Operator, UserRealm
from openclaw.auth.refusal_log import RefusalLog
from openclaw.auth.throttle import Throttle
from openclaw.config import AuthMode, Secret
from openclaw.errors import AuthenticationFailed, PermissionDenied, ProxyRequired
from openclaw.interfaces import ICaller

UNGUESSABLE_CHARACTERS = 20
"""
A token that is shorter is as good as a password.
"""

SCOPES_HEADER = "x-openclaw-scopes"
_NAMED = PREFIX.encode()


@dataclass(frozen=True, kw_only=True)
class AccessTerms:
    """
    The credentials that are accepted, and the proxies that are trusted.

    @ivar secret: The gateway's token or password; C{None} if there is neither.
    @ivar proxies: Who is believed that says for whom they ask.
    @ivar proxiedUsers: For the mode C{trusted-proxy}.
    """

    mode: AuthMode
    secret: Secret | None = None
    proxies: TrustedProxies = NO_PROXIES
    proxiedUsers: ProxiedUsers | None = None


@dataclass(frozen=True, kw_only=True)
class AccessState:
    """
    State that outlives a reload.
    """

    tokens: NamedTokens
    throttle: Throttle
    quotas: Quotas
    refusals: RefusalLog


class _Wrong(Exception):
    """
    The credential is not valid.
    """


@dataclass
class Doorkeeper:
    """
    Turns the headers of requests into callers, through cred's L{Portal}s.

    @ivar checkers: strcred's, for HTTP Basic.
    """

    terms: AccessTerms
    checkers: Sequence[ICredentialsChecker]
    state: AccessState
    log: Logger = field(repr=False)

    def __post_init__(self) -> None:
        """
        Two portals, so that a user's name can't be taken for one of our own callers.
        """
        terms, tokens = self.terms, self.state.tokens
        self._users = Portal(UserRealm(), oneForEach(self.checkers))
        self._own = Portal(GatewayRealm(tokens))
        if terms.mode == "none":
            self._own.registerChecker(AllowAnonymousAccess())
        else:
            self._own.registerChecker(NamedTokenChecker(tokens))
        if terms.secret is not None:
            self._own.registerChecker(SharedSecretChecker(terms.secret))

    def isAmbient(self, headers: Headers) -> bool:
        """
        Does a request come with a credential that a browser, or the proxy in front,
        adds whatever page asks, or need none?  A Bearer token is the page's own.

        @param headers: The request's.
        """
        lines = headers.getRawHeaders(b"authorization") or ()
        schemes = {line.strip().partition(b" ")[0].lower() for line in lines}
        if schemes == {b"bearer"}:
            # A proxy may have put it there, which then vouches for somebody.
            return self.terms.mode == "trusted-proxy" and not _isNamed(theOnly(lines))
        return bool(schemes) or self.terms.mode in ("none", "trusted-proxy")

    def origin(self, headers: Headers, transport: ITransport) -> ClientAddress:
        """
        Determine the address that a request comes from.
        """
        return self.terms.proxies.origin(transport, headers)

    async def admit(self, headers: Headers, origin: ClientAddress) -> ICaller:
        """
        Find out who asks, and count the request.

        @param headers: All of the request's.

        @raise AuthenticationFailed: Nobody whom we know.

        @raise openclaw.errors.TooManyAttempts: The origin has shown too many wrong
            credentials.

        @raise openclaw.errors.PermissionDenied: The caller does not come as they
            have to.

        @raise openclaw.errors.QuotaExceeded: The caller has sent too many requests.
        """
        caller = await self._identify(headers, origin)
        if isinstance(caller, Operator):
            caller = caller.at(origin.name)
        self.state.quotas.request(caller)
        return caller

    async def _identify(self, headers: Headers, origin: ClientAddress) -> ICaller:
        terms = self.terms
        if terms.mode == "none":
            return _narrowed(await self._login(self._own, Anonymous()), headers)
        authorization = theOnly(headers.getRawHeaders(b"authorization"))
        if terms.proxiedUsers is None:
            return await self._known(credentialsFrom(authorization), origin)
        # Proxies pass on what they looked at themselves, and that is not for us.
        if _isNamed(authorization):
            return await self._known(credentialsFrom(authorization), origin)
        try:
            caller = terms.proxiedUsers.caller(origin, headers)
        except (PermissionDenied, ProxyRequired):
            self.state.refusals.refused(
                origin, "proxy's user", "gateway.auth.trustedProxy"
            )
            raise
        return _narrowed(caller, headers)

    async def _known(self, credentials: ICredentials, origin: ClientAddress) -> ICaller:
        """
        Log in with credentials, within the throttle.
        """
        if isinstance(credentials, BearerToken) and _looksNamed(credentials.token):
            try:
                return await self._login(self._own, NamedToken(credentials.token))
            except _Wrong:
                # It may be the gateway's own, which can look like anything.
                pass
        kind, throttle = self._kind(credentials), self.state.throttle
        guessable = kind != "token"
        if guessable:
            throttle.check(origin, kind)
        portal = self._own if isinstance(credentials, BearerToken) else self._users
        try:
            caller = await self._login(portal, credentials)
        except _Wrong:
            throttle.check(origin, kind)
            self.state.refusals.refused(origin, kind, self._store(credentials))
            await throttle.failed(origin, kind)
            raise AuthenticationFailed("The credential is not valid.") from None
        if guessable:
            # Others of many guesses at once were wrong, and that was enough.
            throttle.check(origin, kind)
        return caller

    def _store(self, credentials: ICredentials) -> str:
        if not isinstance(credentials, BearerToken):
            return "--auth"
        if _looksNamed(credentials.token):
            return "named tokens, gateway.auth"
        return "gateway.auth"

    def _kind(self, credentials: ICredentials) -> str:
        if not isinstance(credentials, BearerToken):
            return "user's password"
        secret = self.terms.secret
        if self.terms.mode == "password" or (
            secret is not None and len(secret.reveal()) < UNGUESSABLE_CHARACTERS
        ):
            return "password"
        return "token"

    async def _login(self, portal: Portal, credentials: ICredentials) -> ICaller:
        try:
            _, caller, _ = await portal.login(credentials, None, ICaller)
        except UnhandledCredentials:
            if isinstance(credentials, BearerToken):
                raise _Wrong from None
            raise AuthenticationFailed(CREDENTIAL_EXPECTED) from None
        except UnauthorizedLogin:
            raise _Wrong from None
        except CancelledError:
            raise
        except Exception as error:
            # A checker's own failure (a directory that is down) lets nobody in; its
            # traceback could hold the credential, so only the kind is kept.
            self.log.error(
                "A credentials checker failed with {kind}; the caller was refused.",
                kind=type(error).__name__,
            )
            raise AuthenticationFailed("The credential can't be checked.") from None
        return cast(ICaller, caller)


def _looksNamed(token: bytes) -> bool:
    return token.startswith(_NAMED)


def _isNamed(authorization: bytes | None) -> bool:
    """
    Is this a token that could have a name?
    """
    try:
        credentials = credentialsFrom(authorization)
    except AuthenticationFailed:
        return False
    return isinstance(credentials, BearerToken) and _looksNamed(credentials.token)


def _narrowed(caller: ICaller, headers: Headers) -> ICaller:
    """
    A caller who shows no credential to us can ask for less than they may do: in a
    list with commas or blanks.
    """
    lists = headers.getRawHeaders(SCOPES_HEADER.encode())
    if lists is None:
        return caller
    return caller.narrowed(b" ".join(lists).decode("latin-1").replace(",", " ").split())
