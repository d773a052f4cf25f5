"""
Tests for L{openclaw_example.passwords}.
"""

from pathlib import Path

from openclaw_example.passwords import ScryptChecker, entries, entry
from twisted.cred.credentials import UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.strcred import makeChecker
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase


class CheckerTests(SynchronousTestCase):
    """
    A name and its password are let in.
    """

    def check(self, name: str, password: str) -> Deferred[bytes | tuple[()]]:
        """
        Show them to the checker of a file that has one name.
        """
        # maybeDeferred calls the function here and now, without a thread.
        checker = ScryptChecker(entries(entry("zoë", "pass:wörd")), maybeDeferred)
        credentials = UsernamePassword(name.encode(), password.encode())
        return checker.requestAvatarId(credentials)

    def test_right(self) -> None:
        """
        The right password opens.
        """
        checked = self.check("zoë", "pass:wörd")
        self.assertEqual(self.successResultOf(checked), "zoë".encode())

    def test_wrong(self) -> None:
        """
        No other does, and no other name.
        """
        for name, password in [("zoë", "password"), ("zoë", ""), ("amy", "")]:
            self.failureResultOf(self.check(name, password), UnauthorizedLogin)


class FileTests(SynchronousTestCase):
    """
    The names are in a file.
    """

    def test_found(self) -> None:
        """
        Twistd finds the checker by its name, and the checker the file.
        """
        path = Path(self.mktemp())
        path.write_text(entry("amy", "one") + "\n" + entry("bob", "two") + "\n")
        checker = makeChecker(f"scrypt:{path}")
        self.assertIsInstance(checker, ScryptChecker)

    def test_noPassword(self) -> None:
        """
        No password can be read in the file, and equal ones don't look equal.
        """
        lines = [entry("amy", "one"), entry("amy", "one")]
        self.assertNotEqual(*lines)
        self.assertNotIn("one", "".join(lines))

    def test_faulty(self) -> None:
        """
        A file with a fault in it is refused, with the line's number and not what is
        in it, which could be a password.
        """
        good = entry("amy", "one")
        for bad in ["bob:two", "bob:two:three", "", good + ":x"]:
            error = self.assertRaises(ValueError, entries, f"{good}\n{bad}\n")
            self.assertEqual(str(error), "line 2 is not name:salt:hash")

    def test_names(self) -> None:
        """
        A name that would break the file is refused.
        """
        for name in ("", "a:b", "a\nb"):
            self.assertRaises(ValueError, entry, name, "one")
