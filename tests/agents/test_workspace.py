"""
Tests of L{openclaw.agents.workspace}.
"""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.workspace import (
    FILES,
    MAX_FILE_CHARACTERS,
    Workspace,
)

LEFT_OUT = "[The rest of the file is left out.]"


class WorkspaceTestCase(SynchronousTestCase):
    """
    A workspace in an empty directory.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.path.mkdir()
        self.workspace = Workspace(self.path)

    def write(self, name: str, text: str, modified: int = 1) -> Path:
        """
        Write a file in place, like an editor without backups.

        @param modified: Its modification time, in seconds since the epoch.
        """
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (modified, modified))
        return path

    def swap(self, path: Path, text: str) -> None:
        """
        Change a file's text without changing its metadata.
        """
        before = path.stat()
        assert before.st_size == len(text)
        path.write_text(text)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


class TextTests(WorkspaceTestCase):
    """
    Files that describe the agent.
    """

    def test_none(self) -> None:
        """
        An empty or missing directory has none.
        """
        for each in (self.workspace, Workspace(self.path / "gone")):
            self.assertEqual(each.refresh().texts, [])
            self.assertEqual(each.refresh().skills, [])

    def test_links(self) -> None:
        """
        A link within the workspace is followed, one out of it is not.
        """
        outside = Path(self.mktemp())
        outside.write_text("Keep this to yourself.")
        self.write("notes.md", "Be kind.")
        (self.path / "SOUL.md").symlink_to("notes.md")
        (self.path / "AGENTS.md").symlink_to(outside.absolute())
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be kind.")])

    def test_order(self) -> None:
        """
        They have a fixed order; other files are ignored.
        """
        for name in (*sorted(FILES), "README.md"):
            self.write(name, f"This is {name}.\n")
        self.assertEqual(
            self.workspace.refresh().texts,
            [(name, f"This is {name}.") for name in FILES],
        )
        self.assertEqual(
            FILES, ("AGENTS.md", "SOUL.md", "IDENTITY.md", "USER.md", "TOOLS.md")
        )

    def test_some(self) -> None:
        """
        Missing, empty or blank ones are left out.
        """
        self.write("AGENTS.md", "")
        self.write("USER.md", " \n\n")
        self.write("SOUL.md", "Be kind.")
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be kind.")])

    def test_bounded(self) -> None:
        """
        A long file is truncated, with a note for the model.
        """
        self.write("SOUL.md", "x" * (MAX_FILE_CHARACTERS + 1))
        ((_, text),) = self.workspace.refresh().texts
        self.assertEqual(text, "x" * MAX_FILE_CHARACTERS + "\n" + LEFT_OUT)

    def test_justFits(self) -> None:
        """
        A file that just fits is complete, including a final line end.
        """
        self.write("SOUL.md", "x" * MAX_FILE_CHARACTERS + "\n")
        ((_, text),) = self.workspace.refresh().texts
        self.assertEqual(text, "x" * MAX_FILE_CHARACTERS)

    def test_boundedBlanks(self) -> None:
        """
        Leading blanks do not hide that a file was truncated.
        """
        self.write("SOUL.md", "\n" + "x" * 2 * MAX_FILE_CHARACTERS)
        ((_, text),) = self.workspace.refresh().texts
        self.assertTrue(text.endswith(LEFT_OUT))

    def test_otherEncodings(self) -> None:
        """
        Invalid UTF-8 is replaced; a byte order mark is removed.
        """
        (self.path / "SOUL.md").write_bytes(b"\xef\xbb\xbfB\xe9 kind.")
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "B\ufffd kind.")])

    def test_noFiles(self) -> None:
        """
        Directories and pipes are ignored; a pipe would block.
        """
        (self.path / "AGENTS.md").mkdir()
        os.mkfifo(self.path / "SOUL.md")
        self.assertEqual(self.workspace.refresh().texts, [])


class ChangeTests(WorkspaceTestCase):
    """
    Files are read again when they change.
    """

    def setUp(self) -> None:
        """
        Read a file.
        """
        super().setUp()
        self.file = self.write("SOUL.md", "Be kind.")
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be kind.")])

    def test_unchanged(self) -> None:
        """
        An unchanged file is not read again.
        """
        self.swap(self.file, "Be mean.")
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be kind.")])

    def test_modified(self) -> None:
        """
        A later modification time is a change.
        """
        self.write("SOUL.md", "Be mean.", modified=2)
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be mean.")])

    def test_earlier(self) -> None:
        """
        An earlier modification time is a change, as of a restored copy.
        """
        self.write("SOUL.md", "Be mean.", modified=0)
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be mean.")])

    def test_size(self) -> None:
        """
        A different size is a change.
        """
        self.write("SOUL.md", "Be very kind.")
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be very kind.")])

    def test_replaced(self) -> None:
        """
        A replaced file is a change, even with the same metadata.
        """
        self.write("new", "Be mean.").rename(self.file)
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be mean.")])

    def test_gone(self) -> None:
        """
        A removed file is forgotten, and read again when it is back.
        """
        self.file.rename(self.path / "away")
        self.assertEqual(self.workspace.refresh().texts, [])
        (self.path / "away").rename(self.file)
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be kind.")])

    def test_came(self) -> None:
        """
        A new file is found.
        """
        self.write("AGENTS.md", "Listen.")
        self.assertEqual(
            self.workspace.refresh().texts,
            [("AGENTS.md", "Listen."), ("SOUL.md", "Be kind.")],
        )
