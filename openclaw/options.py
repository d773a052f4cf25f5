"""
The options of C{twistd openclaw}.
"""

import os
import sys
from collections.abc import Sequence
from getopt import GetoptError, getopt
from typing import Any, ClassVar, NoReturn

from twisted.cred.checkers import (
    FilePasswordDB,
    ICredentialsChecker,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from openclaw import __version__

MAX_WORKERS = 64


def parseWorkers(text: str) -> int:
    """
    Parse a number of workers.

    @raise ValueError: It is not a number in the range.
    """
    number = int(text)
    if not 1 <= number <= MAX_WORKERS:
        raise ValueError(f"expected 1 to {MAX_WORKERS}")
    return number


class Options(UsageOptions, AuthOptionMixin):
    supportedInterfaces = (IUsernamePassword,)
    optParameters: ClassVar[list[list[Any]]] = [
        ["config", "c", None, "The configuration file, YAML or JSON5."],
        [
            "workers",
            "w",
            None,
            "The number of worker processes, instead of gateway.workers.",
            parseWorkers,
        ],
    ]
    longdesc = (
        "Runs the OpenClaw agent gateway. Without --config, the configuration is read"
        " from OPENCLAW_CONFIG_PATH, the state directory (OPENCLAW_STATE_DIR, by"
        " default ~/.openclaw) or /etc/openclaw. --listen may be given several times,"
        " and replaces the configuration's bind and port. With --auth, callers may also"
        " use HTTP Basic."
    )

    def __init__(self) -> None:
        super().__init__()
        self["listen"] = []
        self["auth"] = []

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        Parse a command line.

        @raise UsageError: An option with a single value is given twice.  Twisted would
            silently ignore the first.
        """
        self._checkTwice(sys.argv[1:] if options is None else options)
        super().parseOptions(options)

    def _checkTwice(self, arguments: Sequence[str]) -> None:
        try:
            found, _ = getopt(list(arguments), self.shortOpt, self.longOpt)
        except GetoptError:
            return  # Twisted reports it.
        # Names with dashes inside are missing here, except those of strcred's help.
        given = [self.synonyms.get(name.lstrip("-")) for name, _ in found]
        for parameter in self.optParameters:
            name = parameter[0]
            if given.count(name) > 1:
                raise UsageError(f"--{name} may be given only once")

    def opt_listen(self, description: str) -> None:
        """
        A Twisted endpoint to listen on.
        """
        self["listen"].append(description)

    opt_l = opt_listen

    def opt_auth(self, description: str) -> None:
        """
        Specify an authentication method for the server.
        """
        super().opt_auth(description)
        self["auth"].append(description)

    def opt_version(self) -> NoReturn:
        """
        Display OpenClaw's version and exit.
        """
        print(f"openclaw {__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        """
        Check the password files, for which Twisted only warns, and convert the
        passwords of C{memory:} to bytes, like those that callers send.

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


def makeCheckers(descriptions: Sequence[str]) -> list[ICredentialsChecker]:
    """
    Return the checkers for values of C{--auth}, in a process without a command line.

    @raise UsageError: A value is invalid.
    """
    options = Options()
    for description in descriptions:
        options.opt_auth(description)
    options.postOptions()
    return list(options.get("credCheckers") or ())
