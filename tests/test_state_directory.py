"""
Tests of L{openclaw.state_directory}.
"""

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from openclaw.config import Secret
from openclaw.errors import StartError
from openclaw.state_directory import (
    TOKEN_NAME,
    loadOrCreateToken,
    prepareState,
    tokenFile,
)


class StateTestCase(SynchronousTestCase):
    """
    A test case with a state directory.

    @ivar state: A state directory that does not exist yet.
    @ivar adopted: The paths that were given to the daemon's user.
    """

    def setUp(self) -> None:
        base = Path(self.mktemp()).absolute()
        base.mkdir()
        self.state = base / "some" / "state"
        self.adopted: list[Path] = []

    def prepare(self, directory: Path | None = None) -> None:
        """
        Prepare a directory.
        """
        prepareState(directory or self.state, self.adopted.append)

    def token(self) -> str:
        """
        Return the token in the directory.
        """
        secret = loadOrCreateToken(self.state, self.adopted.append)
        self.assertIsInstance(secret, Secret)
        return secret.reveal()

    def assertMode(self, path: Path, mode: int) -> None:
        """
        Assert the mode of a file.
        """
        self.assertEqual(oct(stat.S_IMODE(path.stat().st_mode)), oct(mode))

    def setMask(self, mask: int) -> None:
        """
        Set the umask until the end of the test.
        """
        self.addCleanup(os.umask, os.umask(mask))


class DirectoryTests(StateTestCase):
    """
    The state directory.
    """

    def test_made(self) -> None:
        """
        It is created with its parents, with mode 0700 regardless of the umask, and
        given to the daemon's user.
        """
        self.setMask(0)
        self.prepare()
        self.assertMode(self.state, 0o700)
        self.assertEqual(self.adopted, [self.state])

    def test_there(self) -> None:
        """
        An existing one is not changed.
        """
        self.prepare()
        self.adopted.clear()
        self.state.chmod(0o750)
        (self.state / "file").write_text("mine")
        self.prepare()
        self.assertMode(self.state, 0o750)
        self.assertEqual((self.state / "file").read_text(), "mine")
        self.assertEqual(self.adopted, [])

    def test_link(self) -> None:
        """
        It may be a link to a directory.
        """
        self.prepare()
        link = self.state.with_name("link")
        link.symlink_to(self.state)
        self.prepare(link)
        self.assertEqual(self.adopted, [self.state])

    def test_belowFile(self) -> None:
        """
        The error has the path and the reason.
        """
        file = self.state.parent.parent / "file"
        file.write_text("")
        for directory in (file / "state", file):
            error = self.assertRaises(StartError, self.prepare, directory)
            self.assertIn(str(directory), error.message)
            self.assertIn("can't be created", error.message)
            self.assertEqual(len(error.message.splitlines()), 1)
        self.assertEqual(self.adopted, [])

    def test_readOnly(self) -> None:
        """
        A directory that can't be written is an error with its path.
        """
        if os.geteuid() == 0:
            raise SkipTest("permissions don't hold for root")
        self.prepare()
        self.state.chmod(0o500)
        self.addCleanup(self.state.chmod, 0o700)
        error = self.assertRaises(StartError, self.prepare)
        self.assertIn(str(self.state), error.message)
        self.assertIn("can't be written", error.message)

    def test_madeByAnother(self) -> None:
        """
        Two processes may create it at the same moment.
        """

        class Slow(type(self.state)):
            """
            A path that another process creates first.
            """

            def is_dir(self) -> bool:
                found = super().is_dir()
                os.makedirs(self, exist_ok=True)
                return found

        self.prepare(Slow(self.state))
        self.assertTrue(self.state.is_dir())


class TokenTests(StateTestCase):
    """
    The token that is generated if none is configured.
    """

    def setUp(self) -> None:
        """
        Create a directory.
        """
        super().setUp()
        self.prepare()
        self.adopted.clear()
        self.path = tokenFile(self.state)

    def test_made(self) -> None:
        """
        The first time a token is generated: random, long, and valid in a header; in a
        file with mode 0600 regardless of the umask, given to the daemon's user.
        """
        self.setMask(0)
        token = self.token()
        self.assertRegex(token, r"\A[A-Za-z0-9_-]{43}\Z")
        self.assertEqual(self.path.read_text(), f"{token}\n")
        self.assertMode(self.path, 0o600)
        self.assertEqual(self.path, self.state / TOKEN_NAME)
        self.assertEqual(self.adopted, [self.path])

    def test_random(self) -> None:
        """
        All tokens differ.
        """
        first = self.token()
        self.path.unlink()
        self.assertNotEqual(self.token(), first)

    def test_kept(self) -> None:
        """
        Later the same token is used, and its file is not changed.
        """
        token = self.token()
        before = self.path.stat()
        self.adopted.clear()
        self.assertEqual(self.token(), token)
        self.assertEqual(self.path.stat().st_mtime_ns, before.st_mtime_ns)
        self.assertEqual(self.adopted, [])

    def test_own(self) -> None:
        """
        The file may have another token; surrounding blanks are ignored.
        """
        self.path.write_text("  my-own\n\n")
        self.path.chmod(0o600)
        self.assertEqual(self.token(), "my-own")

    def assertUnusable(self) -> None:
        """
        Assert that there is an error with the path and without content of the file.
        """
        error = self.assertRaises(StartError, self.token)
        self.assertIn(str(self.path), error.message)
        self.assertNotIn("hunter2", error.message)
        self.assertEqual(len(error.message.splitlines()), 1)
        self.assertEqual(self.adopted, [])

    def test_empty(self) -> None:
        """
        An empty file is an error.
        """
        for content in ("", "\n", "  \t\n"):
            self.path.write_text(content)
            self.assertUnusable()
            self.assertEqual(self.path.read_text(), content)

    def test_notASCII(self) -> None:
        """
        A file with an invalid token is an error.
        """
        self.path.write_bytes(b"hunter2\xff")
        self.assertUnusable()

    def test_unreadable(self) -> None:
        """
        A file that can't be read is an error.
        """
        self.path.mkdir()
        self.assertUnusable()

    def test_unwritable(self) -> None:
        """
        A directory in which the file can't be created is an error.
        """
        self.state.rmdir()
        self.state.write_text("")
        self.assertUnusable()
