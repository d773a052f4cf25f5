"""
The C{Authorization} header, as Twisted cred credentials.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass, field

from twisted.cred.credentials import ICredentials, UsernamePassword
from zope.interface import implementer

from openclaw.errors import AuthenticationFailed
from openclaw.interfaces import IBearerToken, INamedToken

CREDENTIAL_EXPECTED = (
    "Send the gateway's credential in the header `Authorization: Bearer <token>`."
)


@implementer(IBearerToken)
@dataclass(frozen=True, slots=True)
class BearerToken:
    """
    The secret of an C{Authorization: Bearer} header.
    """

    token: bytes = field(repr=False)


@implementer(INamedToken)
@dataclass(frozen=True, slots=True)
class NamedToken:
    """
    The same, if it looks like a token that has a name.
    """

    token: bytes = field(repr=False)


def theOnly(values: Sequence[bytes] | None) -> bytes | None:
    """
    The value of the C{Authorization} header, or C{None} where there is none.

    @raise AuthenticationFailed: There are several.  Somebody before us may have
        looked at another one.
    """
    if values is not None and len(values) > 1:
        raise AuthenticationFailed("Send one `Authorization` header, and no more.")
    return values[0] if values else None


def credentialsFrom(authorization: bytes | None) -> ICredentials:
    """
    Read the value of an C{Authorization} header.

    @param authorization: The value, or C{None} where there is no such header.

    @raise AuthenticationFailed: There is nothing in it that could be checked.
    """
    scheme, _, rest = (authorization or b"").strip().partition(b" ")
    secret = rest.strip()
    match scheme.lower():
        case b"bearer" if secret:
            return BearerToken(secret)
        case b"basic" if secret:
            return _basic(secret)
    raise AuthenticationFailed(CREDENTIAL_EXPECTED)


def _basic(encoded: bytes) -> ICredentials:
    try:
        name, colon, password = b64decode(encoded, validate=True).partition(b":")
    except Base64Error:
        colon = b""
    if not colon:
        raise AuthenticationFailed("The `Authorization: Basic` header is malformed.")
    credentials: ICredentials = UsernamePassword(name, password)
    return credentials
