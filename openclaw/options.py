"""
The options of C{twistd openclaw}.
"""

import os
import sys
from typing import NoReturn

from twisted.cred.checkers import (
    FilePasswordDB,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from openclaw import __version__


class Options(UsageOptions, AuthOptionMixin):
    """
    What the command line can say.
    """

    supportedInterfaces = (IUsernamePassword,)
    optParameters = [
        ["config", "c", None, "The configuration file, YAML or JSON5."],
    ]
    longdesc = (
        "Runs the OpenClaw agent gateway. Without --config the file is looked for in"
        " OPENCLAW_CONFIG_PATH, the state directory (OPENCLAW_STATE_DIR, by default"
        " ~/.openclaw) and /etc/openclaw. --listen may be given several times; it"
        " holds instead of the configuration's bind and port. With --auth, callers"
        " may also use HTTP Basic."
    )

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []

    def opt_listen(self, description: str) -> None:
        """
        A Twisted endpoint to listen on.
        """
        self["listen"].append(description)

    opt_l = opt_listen

    def opt_version(self) -> NoReturn:
        """
        Display OpenClaw's version and exit.
        """
        print(f"openclaw {__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        """
        Twisted only warns of a password file that is not there, and its C{memory:}
        keeps text, which equals no password that a caller sends.

        @raise UsageError: A password file can't be read.
        """
        super().postOptions()
        for checker in self.get("credCheckers") or ():
            if isinstance(checker, FilePasswordDB):
                path = os.fsdecode(checker.filename)
                if not os.path.isfile(path) or not os.access(path, os.R_OK):
                    raise UsageError(f"--auth: the file {path} can't be read")
            elif isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
                checker.users = {
                    os.fsencode(name): os.fsencode(password)
                    for name, password in checker.users.items()
                }


__all__ = ["Options"]
