"""
Users that a trusted proxy has authenticated: C{mode: trusted-proxy}.
"""

from twisted.web.http_headers import Headers

from openclaw.auth.client_address import ClientAddress
from openclaw.auth.realm import NamespacedCaller, user
from openclaw.config import TrustedProxy
from openclaw.errors import AuthenticationFailed, PermissionDenied, ProxyRequired

MAX_USER_BYTES = 256


class ProxiedUsers:
    """
    Reads the user from the headers of a trusted proxy.
    """

    def __init__(self, settings: TrustedProxy) -> None:
        """
        @param settings: The names of the headers, and the allowed users.
        """
        header = settings.userHeader
        if header is None:
            raise ValueError("userHeader is not set")
        self._header = header.encode("ascii")
        self._required = [name.encode("ascii") for name in settings.requiredHeaders]
        self._allowed = frozenset(name.encode() for name in settings.allowUsers)

    def caller(self, origin: ClientAddress, headers: Headers) -> NamespacedCaller:
        """
        Return the caller that a trusted proxy names.

        @raise ProxyRequired: The request did not come through a trusted proxy, or its
            headers are ambiguous.

        @raise AuthenticationFailed: The proxy names no user.

        @raise PermissionDenied: The user is not allowed.
        """
        if not origin.trusted:
            raise ProxyRequired(
                "Send the request through a proxy that this gateway trusts."
            )
        for required in self._required:
            if not any(headers.getRawHeaders(required, [])):
                raise ProxyRequired(
                    "The request lacks a header that the gateway requires of its proxy."
                )
        values = headers.getRawHeaders(self._header, [])
        if len(values) > 1:
            # One of them may come from the client.
            raise ProxyRequired("The request names more than one user.")
        name = values[0].strip() if values else b""
        if not name:
            raise AuthenticationFailed("The proxy names no user.")
        if len(name) > MAX_USER_BYTES or not _isPrintable(name):
            raise ProxyRequired(
                "The user name is too long or has unprintable characters."
            )
        if self._allowed and name not in self._allowed:
            raise PermissionDenied("You may not use this gateway.")
        return user(name)


def _isPrintable(name: bytes) -> bool:
    try:
        return name.decode("utf-8").isprintable()
    except UnicodeDecodeError:
        return False
