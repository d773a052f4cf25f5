"""
The C{Authorization} header, as credentials for Twisted's cred.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass, field

from twisted.cred.credentials import ICredentials, UsernamePassword
from zope.interface import implementer

from openclaw.errors import AuthenticationFailed
from openclaw.interfaces import IBearerToken, INamedToken

CREDENTIAL_REQUIRED = (
    "Send the gateway's credential in the header `Authorization: Bearer <token>`."
)


@implementer(IBearerToken)
@dataclass(frozen=True, slots=True)
class BearerToken:
    """
    The token of an C{Authorization: Bearer} header.
    """

    token: bytes = field(repr=False)


@implementer(INamedToken)
@dataclass(frozen=True, slots=True)
class NamedToken:
    """
    A bearer token with the prefix of named tokens.
    """

    token: bytes = field(repr=False)


def getSingle(values: Sequence[bytes] | None) -> bytes | None:
    """
    Return the only value of the C{Authorization} header, or C{None} if it is absent.

    @raise AuthenticationFailed: The header is repeated: a proxy in front could have
        checked another value.
    """
    if values is not None and len(values) > 1:
        raise AuthenticationFailed("Send only one `Authorization` header.")
    return values[0] if values else None


def parseCredentials(authorization: bytes | None) -> ICredentials:
    """
    Parse the value of an C{Authorization} header.

    @param authorization: The value, or C{None} if the header is absent.

    @raise AuthenticationFailed: The value has no credentials that can be checked.
    """
    scheme, _, rest = (authorization or b"").strip().partition(b" ")
    secret = rest.strip()
    match scheme.lower():
        case b"bearer" if secret:
            return BearerToken(secret)
        case b"basic" if secret:
            return _parseBasic(secret)
    raise AuthenticationFailed(CREDENTIAL_REQUIRED)


def _parseBasic(encoded: bytes) -> ICredentials:
    try:
        name, colon, password = b64decode(encoded, validate=True).partition(b":")
    except Base64Error:
        colon = b""
    if not colon:
        raise AuthenticationFailed("The `Authorization: Basic` header is malformed.")
    credentials: ICredentials = UsernamePassword(name, password)
    return credentials
