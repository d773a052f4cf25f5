"""
The checker of the gateway's own shared secret.  Others come from strcred plug-ins.
"""

from hashlib import sha256
from hmac import compare_digest

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from openclaw.config import Secret
from openclaw.interfaces import IBearerToken

SHARED_SECRET = b"shared-secret"
"""
The avatar ID of whoever knows the gateway's token or password.
"""


@implementer(ICredentialsChecker)
class SharedSecretChecker:
    """
    Checks a bearer token against the one secret of C{gateway.auth}, in a time that
    tells nothing of either.
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
        @return: L{SHARED_SECRET}, or a failure with L{UnauthorizedLogin} for any
            other secret.
        """
        # Digests have one length, so the comparison can't tell the secret's.
        if compare_digest(sha256(credentials.token).digest(), self._digest):
            return succeed(SHARED_SECRET)
        return fail(UnauthorizedLogin())


__all__ = ["SHARED_SECRET", "SharedSecretChecker"]
