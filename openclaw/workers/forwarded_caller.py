"""
The caller of a request, as one worker tells another to which it forwards it.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hmac import compare_digest

import msgspec

from openclaw.auth.realm import NamespacedCaller, Operator
from openclaw.interfaces import ICaller

CALLER_HEADER = "x-openclaw-forwarded"
"""
It means something only on the workers' own sockets.
"""


class ForwardedCaller(msgspec.Struct, frozen=True, kw_only=True):
    """
    A caller who has been let in by another worker.

    @ivar counted: Has the request been counted among the caller's?
    @ivar hops: How often it was passed on.
    """

    operator: Operator | None = None
    guest: NamespacedCaller | None = None
    counted: bool
    hops: int

    @property
    def caller(self) -> ICaller:
        """
        The caller.
        """
        caller = self.operator or self.guest
        assert caller is not None
        return caller

    @classmethod
    def of(cls, caller: ICaller, *, counted: bool, hops: int) -> "ForwardedCaller":
        """
        Make one.
        """
        if isinstance(caller, Operator):
            return cls(operator=caller, counted=counted, hops=hops)
        assert isinstance(caller, NamespacedCaller)
        return cls(guest=caller, counted=counted, hops=hops)


def formatHeader(forwarded: ForwardedCaller, secret: str) -> bytes:
    """
    Encode a forwarded caller as the value of a header.
    """
    document = urlsafe_b64encode(msgspec.json.encode(forwarded))
    return b"%b.%b" % (secret.encode(), document)


def parseHeader(value: bytes | None, secret: str) -> ForwardedCaller | None:
    """
    Read the value of the header.

    @return: C{None} if it is none of ours.
    """
    shown, _, document = (value or b"").partition(b".")
    # The tools of agents run as the same user, and can reach the socket.
    if not compare_digest(shown, secret.encode()):
        return None
    try:
        return msgspec.json.decode(urlsafe_b64decode(document), type=ForwardedCaller)
    except (Error, msgspec.MsgspecError):
        return None
