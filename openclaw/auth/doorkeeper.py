"""
Authenticate requests: the one module that checks credentials.
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
    CREDENTIAL_REQUIRED,
    BearerToken,
    NamedToken,
    getSingle,
    parseCredentials,
)
from openclaw.auth.checkers import (
    NamedTokenChecker,
    SharedSecretChecker,
    mergeCheckers,
)
from openclaw.auth.client_address import NO_PROXIES, ClientAddress, TrustedProxies
from openclaw.auth.named_tokens import TOKEN_PREFIX, NamedTokens
from openclaw.auth.proxied_users import ProxiedUsers
from openclaw.auth.quotas import Quotas
from openclaw.auth.realm import GatewayRealm, Operator, UserRealm
from openclaw.auth.rejection_log import RejectionLog
from openclaw.auth.throttle import Throttle
from openclaw.config import AuthMode, Secret
from openclaw.errors import AuthenticationFailed, PermissionDenied, ProxyRequired
from openclaw.interfaces import ICaller

UNGUESSABLE_LENGTH = 20
"""
Characters from which on a token counts as unguessable. Attempts with a shorter one are
throttled, as with a password.
"""

SCOPES_HEADER = "x-openclaw-scopes"
_PREFIX = TOKEN_PREFIX.encode()


@dataclass(frozen=True, kw_only=True)
class AuthPolicy:
    """
    The credentials that are accepted, and the proxies that are trusted.

    @ivar secret: The gateway's token or password; C{None} if neither is set.
    @ivar proxies: Proxies whose client addresses and identity headers are trusted.
    @ivar proxiedUsers: Reads the user in mode C{trusted-proxy}.
    """

    mode: AuthMode
    secret: Secret | None = None
    proxies: TrustedProxies = NO_PROXIES
    proxiedUsers: ProxiedUsers | None = None


@dataclass(frozen=True, kw_only=True)
class AuthState:
    """
    The state of authentication that survives a reload.
    """

    tokens: NamedTokens
    throttle: Throttle
    quotas: Quotas
    rejections: RejectionLog


class _InvalidCredential(Exception): ...


@dataclass
class Doorkeeper:
    """
    Authenticates requests from their headers, through cred's L{Portal}s.

    @ivar checkers: The strcred checkers, for HTTP Basic.
    """

    policy: AuthPolicy
    checkers: Sequence[ICredentialsChecker]
    state: AuthState
    log: Logger = field(repr=False)

    def __post_init__(self) -> None:
        """
        Create two portals, so that a user's name can't be the avatar ID of one of the
        gateway's own callers.
        """
        policy, tokens = self.policy, self.state.tokens
        self._userPortal = Portal(UserRealm(), mergeCheckers(self.checkers))
        self._gatewayPortal = Portal(GatewayRealm(tokens))
        if policy.mode == "none":
            self._gatewayPortal.registerChecker(AllowAnonymousAccess())
        else:
            self._gatewayPortal.registerChecker(NamedTokenChecker(tokens))
        if policy.secret is not None:
            self._gatewayPortal.registerChecker(SharedSecretChecker(policy.secret))

    def hasAmbientCredential(self, headers: Headers) -> bool:
        """
        Return whether a browser or proxy adds the request's credential for any web
        page, or none is needed. A bearer token is the page's own.

        @param headers: The request's headers.
        """
        lines = headers.getRawHeaders(b"authorization") or ()
        schemes = {line.strip().partition(b" ")[0].lower() for line in lines}
        if schemes == {b"bearer"}:
            # The proxy may have added the token, and names the user in a header.
            return self.policy.mode == "trusted-proxy" and not _isNamedTokenHeader(
                getSingle(lines)
            )
        return bool(schemes) or self.policy.mode in ("none", "trusted-proxy")

    def origin(self, headers: Headers, transport: ITransport) -> ClientAddress:
        return self.policy.proxies.origin(transport, headers)

    async def admit(self, headers: Headers, origin: ClientAddress) -> ICaller:
        """
        Authenticate the caller and count the request.

        @param headers: The request's headers.

        @raise AuthenticationFailed: The credential is missing or not valid.

        @raise openclaw.errors.TooManyAttempts: The address has sent too many invalid
            credentials.

        @raise openclaw.errors.PermissionDenied: The caller may not use the gateway.

        @raise openclaw.errors.ProxyRequired: The request did not come through a trusted
            proxy.

        @raise openclaw.errors.QuotaExceeded: The caller has sent too many requests.
        """
        caller = await self._identify(headers, origin)
        if isinstance(caller, Operator):
            caller = caller.withAddress(origin.name)
        self.state.quotas.countRequest(caller)
        return caller

    async def _identify(self, headers: Headers, origin: ClientAddress) -> ICaller:
        policy = self.policy
        if policy.mode == "none":
            return _narrowScopes(
                await self._login(self._gatewayPortal, Anonymous()), headers
            )
        authorization = getSingle(headers.getRawHeaders(b"authorization"))
        if policy.proxiedUsers is None:
            return await self._checkCredentials(parseCredentials(authorization), origin)
        # Other credentials are for the proxy, which has checked them.
        if _isNamedTokenHeader(authorization):
            return await self._checkCredentials(parseCredentials(authorization), origin)
        try:
            caller = policy.proxiedUsers.caller(origin, headers)
        except (PermissionDenied, ProxyRequired):
            self.state.rejections.record(
                origin, "proxy's user", "gateway.auth.trustedProxy"
            )
            raise
        return _narrowScopes(caller, headers)

    async def _checkCredentials(
        self, credentials: ICredentials, origin: ClientAddress
    ) -> ICaller:
        """
        Log in with credentials, unless the throttle has locked the address out.
        """
        if isinstance(credentials, BearerToken) and _hasTokenPrefix(credentials.token):
            try:
                return await self._login(
                    self._gatewayPortal, NamedToken(credentials.token)
                )
            except _InvalidCredential:
                # The gateway's own token may have the prefix, too.
                pass
        kind, throttle = self._credentialKind(credentials), self.state.throttle
        guessable = kind != "token"
        if guessable:
            throttle.check(origin, kind)
        portal = (
            self._gatewayPortal
            if isinstance(credentials, BearerToken)
            else self._userPortal
        )
        try:
            caller = await self._login(portal, credentials)
        except _InvalidCredential:
            throttle.check(origin, kind)
            self.state.rejections.record(
                origin, kind, self._credentialSource(credentials)
            )
            await throttle.recordFailure(origin, kind)
            raise AuthenticationFailed("The credential is not valid.") from None
        if guessable:
            # Guesses that were checked at the same time may have locked the address.
            throttle.check(origin, kind)
        return caller

    def _credentialSource(self, credentials: ICredentials) -> str:
        if not isinstance(credentials, BearerToken):
            return "--auth"
        if _hasTokenPrefix(credentials.token):
            return "named tokens, gateway.auth"
        return "gateway.auth"

    def _credentialKind(self, credentials: ICredentials) -> str:
        if not isinstance(credentials, BearerToken):
            return "user's password"
        secret = self.policy.secret
        if self.policy.mode == "password" or (
            secret is not None and len(secret.reveal()) < UNGUESSABLE_LENGTH
        ):
            return "password"
        return "token"

    async def _login(self, portal: Portal, credentials: ICredentials) -> ICaller:
        try:
            _, caller, _ = await portal.login(credentials, None, ICaller)
        except UnhandledCredentials:
            if isinstance(credentials, BearerToken):
                raise _InvalidCredential from None
            raise AuthenticationFailed(CREDENTIAL_REQUIRED) from None
        except UnauthorizedLogin:
            raise _InvalidCredential from None
        except CancelledError:
            raise
        except Exception as error:
            # A checker that fails (its directory is down) must not admit anyone. Its
            # traceback may hold the credential, so only the type is logged.
            self.log.error(
                "A credentials checker failed with {kind}; the caller was rejected.",
                kind=type(error).__name__,
            )
            raise AuthenticationFailed("The credential could not be checked.") from None
        return cast(ICaller, caller)


def _hasTokenPrefix(token: bytes) -> bool:
    return token.startswith(_PREFIX)


def _isNamedTokenHeader(authorization: bytes | None) -> bool:
    try:
        credentials = parseCredentials(authorization)
    except AuthenticationFailed:
        return False
    return isinstance(credentials, BearerToken) and _hasTokenPrefix(credentials.token)


def _narrowScopes(caller: ICaller, headers: Headers) -> ICaller:
    """
    Narrow the scopes of a caller without a credential of their own to those of
    L{SCOPES_HEADER}, a list with commas or blanks.
    """
    lists = headers.getRawHeaders(SCOPES_HEADER.encode())
    if lists is None:
        return caller
    scopes = b" ".join(lists).decode("latin-1").replace(",", " ")
    return caller.withScopes(scopes.split())
