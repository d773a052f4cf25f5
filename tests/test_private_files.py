"""
Tests of L{openclaw.private_files}.
"""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from openclaw.private_files import (
    UnsafeFile,
    accessWarning,
    readPrivateFile,
    readRegularFile,
)


class ReadTests(SynchronousTestCase):
    """
    A file in a private directory.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "secret"
        self.path.write_bytes(b"words")
        self.path.chmod(0o600)

    def assertUnsafe(self, reason: str) -> None:
        """
        Assert that the file is rejected.
        """
        with self.assertRaises(UnsafeFile) as caught:
            readPrivateFile(self.path, 100)
        self.assertIn(reason, str(caught.exception))

    def test_private(self) -> None:
        """
        A file that only its owner, and possibly its group, can read is accepted.
        """
        for mode in (0o400, 0o600, 0o640):
            self.path.chmod(mode)
            self.assertEqual(readPrivateFile(self.path, 100)[0], b"words")

    def test_modes(self) -> None:
        """
        A file that others can write or read is rejected.
        """
        for mode in (0o620, 0o602, 0o604, 0o666):
            self.path.chmod(mode)
            self.assertUnsafe("can be")

    def test_kinds(self) -> None:
        """
        Links, pipes and directories are rejected without blocking.
        """
        other = self.folder / "other"
        self.path.rename(other)
        self.path.symlink_to(other)
        self.assertUnsafe("symbolic link")
        self.path.unlink()
        os.mkfifo(self.path, 0o600)
        self.assertUnsafe("not a regular file")
        self.path.unlink()
        self.path.mkdir()
        self.assertUnsafe("not a regular file")

    def test_size(self) -> None:
        """
        A file over the limit is rejected.
        """
        self.path.write_bytes(b"x" * 101)
        self.assertUnsafe("more than 100 bytes")

    def test_owner(self) -> None:
        """
        A file of another user is rejected.
        """
        if os.geteuid() != 0:
            self.skipTest("only root can give files away")
        os.chown(self.path, 12345, -1)
        self.assertUnsafe("another user")

    def test_missing(self) -> None:
        """
        A missing file is an C{OSError}.
        """
        self.path.unlink()
        with self.assertRaises(FileNotFoundError):
            readPrivateFile(self.path, 100)

    def test_named(self) -> None:
        """
        A file that an administrator named may be a link, and have any mode, but not be
        a pipe, a directory or over the limit.
        """
        link = self.folder / "link"
        link.symlink_to(self.path.absolute())
        self.path.chmod(0o666)
        self.assertEqual(readRegularFile(link, 5), b"words")
        self.assertRaises(UnsafeFile, readRegularFile, link, 4)
        self.assertRaises(IsADirectoryError, readRegularFile, self.folder, 5)
        os.mkfifo(self.folder / "pipe")
        self.assertRaises(UnsafeFile, readRegularFile, self.folder / "pipe", 5)

    def test_warning(self) -> None:
        """
        There is a warning if others can change such a file, or read a secret.
        """
        for mode, secret, words in (
            (0o640, True, None),
            (0o440, True, None),
            (0o644, False, None),
            (0o644, True, "read by every user"),
            (0o660, False, "changed by its group"),
            (0o602, False, "changed by every user"),
        ):
            self.path.chmod(mode)
            told = accessWarning(self.path, secret=secret)
            if words is None:
                self.assertIsNone(told)
            else:
                self.assertIn(words, told or "")
        self.assertIsNone(accessWarning(self.folder / "none", secret=True))
        for mode, isTold in ((0o770, False), (0o1777, False), (0o777, True)):
            self.folder.chmod(mode)
            told = accessWarning(self.folder, secret=False)
            self.assertEqual(told is not None, isTold)
