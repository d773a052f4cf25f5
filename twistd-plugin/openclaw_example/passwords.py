"""
A credentials checker: a file of hashed passwords for HTTP Basic.

C{twistd openclaw --auth scrypt:FILE} uses it.  A line of the file is
C{name:salt:hash}, in hexadecimal digits; this prints one, for the password that it is
given::

    python -m openclaw_example.passwords NAME
"""

import os
import sys
from collections.abc import Callable
from getpass import getpass
from hashlib import scrypt
from hmac import compare_digest
from pathlib import Path
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.strcred import ICheckerFactory
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.plugin import IPlugin
from zope.interface import implementer

SALT_BYTES = 16
NOBODY = bytes(SALT_BYTES), b""
"""
Stands for a name that is not in the file: it costs as much time as one that is.
"""


def hashed(password: bytes, salt: bytes) -> bytes:
    """
    Return the hash of a password to keep.  It takes 16 MiB and about 50 ms.
    """
    return scrypt(password, salt=salt, n=1 << 14, r=8, p=1)


def entry(name: str, password: str) -> str:
    """
    A line for the file.

    @raise ValueError: There can be no such name.
    """
    if ":" in name or not name.isprintable() or not name:
        raise ValueError("a name is printable and has no colon")
    salt = os.urandom(SALT_BYTES)
    return f"{name}:{salt.hex()}:{hashed(password.encode(), salt).hex()}"


def entries(text: str) -> dict[bytes, tuple[bytes, bytes]]:
    """
    Salts and hashes by names.

    @raise ValueError: A line is not like those of L{entry}.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            name, salt, digest = line.split(":")
            found[name.encode()] = bytes.fromhex(salt), bytes.fromhex(digest)
        except ValueError:
            raise ValueError(f"line {number} is not name:salt:hash") from None
    return found


@implementer(ICredentialsChecker)
class ScryptChecker:
    """
    Checks names and passwords.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(
        self,
        known: dict[bytes, tuple[bytes, bytes]],
        runInThread: Callable[..., Deferred[bytes]] = deferToThread,
    ) -> None:
        """
        @param known: See L{entries}.
        @param runInThread: Calls a function in a thread.
        """
        self._known = known
        self._runInThread = runInThread

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        """
        See L{ICredentialsChecker.requestAvatarId}.

        @return: The name, by which the log knows the caller from now on; or fails
            with L{UnauthorizedLogin}.
        """
        return Deferred.fromCoroutine(
            self._check(credentials.username, credentials.password)
        )

    async def _check(self, name: bytes, password: bytes) -> bytes | tuple[()]:
        salt, digest = self._known.get(name, NOBODY)
        # It is slow on purpose: in the reactor it would stop everybody else.
        found = await self._runInThread(hashed, password, salt)
        if not compare_digest(found, digest):
            raise UnauthorizedLogin()
        return name


@implementer(ICheckerFactory, IPlugin)
class ScryptCheckerFactory:
    """
    Makes a checker of what stands behind C{--auth scrypt:}.
    """

    authType = "scrypt"
    authHelp = (
        "A file of hashed passwords. Lines for it come from"
        " `python -m openclaw_example.passwords NAME`."
    )
    argStringFormat = "The file."
    # By these twistd sees that the daemon can use what is made here.
    credentialInterfaces = (IUsernamePassword,)

    def generateChecker(self, argstring: str) -> ScryptChecker:
        """
        See L{ICheckerFactory.generateChecker}.  The file is read once.

        @raise OSError: It can't be.  Twistd shows the error, and does not start.
        @raise ValueError: Likewise, when it makes no sense.
        """
        return ScryptChecker(entries(Path(argstring).read_text("utf-8")))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m openclaw_example.passwords NAME")
    print(entry(sys.argv[1], getpass() if sys.stdin.isatty() else input()))

__all__ = ["ScryptChecker", "ScryptCheckerFactory", "entries", "entry", "hashed"]
