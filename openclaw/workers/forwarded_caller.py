"""
The header that identifies the caller of a request forwarded between workers.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hmac import compare_digest

import msgspec

from openclaw.auth.realm import NamespacedCaller, Operator
from openclaw.interfaces import ICaller

CALLER_HEADER = "x-openclaw-forwarded"
"""
The name of the header.  It is only accepted on the workers' own sockets.
"""


class ForwardedCaller(msgspec.Struct, frozen=True, kw_only=True):
    """
    A caller that another worker has authenticated.

    @ivar counted: The request was counted for the caller's quota.
    @ivar hops: The number of times that the request was forwarded.
    """

    operator: Operator | None = None
    namespaced: NamespacedCaller | None = None
    counted: bool
    hops: int

    @property
    def caller(self) -> ICaller:
        caller = self.operator or self.namespaced
        assert caller is not None
        return caller

    @classmethod
    def of(cls, caller: ICaller, *, counted: bool, hops: int) -> "ForwardedCaller":
        """
        Create an instance for a caller of either class.
        """
        if isinstance(caller, Operator):
            return cls(operator=caller, counted=counted, hops=hops)
        assert isinstance(caller, NamespacedCaller)
        return cls(namespaced=caller, counted=counted, hops=hops)


def formatHeader(forwarded: ForwardedCaller, secret: str) -> bytes:
    document = urlsafe_b64encode(msgspec.json.encode(forwarded))
    return b"%b.%b" % (secret.encode(), document)


def parseHeader(value: bytes | None, secret: str) -> ForwardedCaller | None:
    """
    Decode the value of the header.

    @return: C{None} if the value or its secret is invalid.
    """
    presented, _, document = (value or b"").partition(b".")
    # The tools of agents run as the same user, and can reach the socket.
    if not compare_digest(presented, secret.encode()):
        return None
    try:
        return msgspec.json.decode(urlsafe_b64decode(document), type=ForwardedCaller)
    except (Error, msgspec.MsgspecError):
        return None
