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
        """
        Make it.
        """
        self.path = Path(self.mktemp())
        self.path.mkdir()
        self.workspace = Workspace(self.path)

    def write(self, name: str, text: str, modified: int = 1) -> Path:
        """
        Write a file in place, as an editor does that makes no copy.

        @param modified: When that was: seconds since the epoch.
        """
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (modified, modified))
        return path

    def swap(self, path: Path, text: str) -> None:
        """
        Change a file's text in a way that nobody can see without reading it.
        """
        before = path.stat()
        assert before.st_size == len(text)
        path.write_text(text)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


class TextTests(WorkspaceTestCase):
    """
    Some files say who the agent is.
    """

    def test_none(self) -> None:
        """
        An empty directory says nothing, nor does one that is not there.
        """
        for each in (self.workspace, Workspace(self.path / "gone")):
            self.assertEqual(each.refresh().texts, [])
            self.assertEqual(each.refresh().skills, [])

    def test_links(self) -> None:
        """
        A link within the workspace is followed, one that leads out of it is not.
        """
        outside = Path(self.mktemp())
        outside.write_text("Keep this to yourself.")
        self.write("notes.md", "Be kind.")
        (self.path / "SOUL.md").symlink_to("notes.md")
        (self.path / "AGENTS.md").symlink_to(outside.absolute())
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be kind.")])

    def test_order(self) -> None:
        """
        They come in their own order, not in that of the directory; others do not.
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
        Those that are missing, empty or blank are left out.
        """
        self.write("AGENTS.md", "")
        self.write("USER.md", " \n\n")
        self.write("SOUL.md", "Be kind.")
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be kind.")])

    def test_bounded(self) -> None:
        """
        A long file is cut, and the model is told so.
        """
        self.write("SOUL.md", "x" * (MAX_FILE_CHARACTERS + 1))
        ((_, text),) = self.workspace.refresh().texts
        self.assertEqual(text, "x" * MAX_FILE_CHARACTERS + "\n" + LEFT_OUT)

    def test_justFits(self) -> None:
        """
        One that just fits is whole, also with the line's end that follows.
        """
        self.write("SOUL.md", "x" * MAX_FILE_CHARACTERS + "\n")
        ((_, text),) = self.workspace.refresh().texts
        self.assertEqual(text, "x" * MAX_FILE_CHARACTERS)

    def test_boundedBlanks(self) -> None:
        """
        Blanks at its beginning do not hide that a file was cut.
        """
        self.write("SOUL.md", "\n" + "x" * 2 * MAX_FILE_CHARACTERS)
        ((_, text),) = self.workspace.refresh().texts
        self.assertTrue(text.endswith(LEFT_OUT))

    def test_otherEncodings(self) -> None:
        """
        A text that is not UTF-8 is shown as far as it can be; a byte order mark is not.
        """
        (self.path / "SOUL.md").write_bytes(b"\xef\xbb\xbfB\xe9 kind.")
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "B\ufffd kind.")])

    def test_noFiles(self) -> None:
        """
        Directories and pipes are no texts; a pipe would keep everybody waiting.
        """
        (self.path / "AGENTS.md").mkdir()
        os.mkfifo(self.path / "SOUL.md")
        self.assertEqual(self.workspace.refresh().texts, [])


class ChangeTests(WorkspaceTestCase):
    """
    Files are read when they have changed.
    """

    def setUp(self) -> None:
        """
        Have read a file.
        """
        super().setUp()
        self.file = self.write("SOUL.md", "Be kind.")
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be kind.")])

    def test_unchanged(self) -> None:
        """
        A file that looks the same is not read again.
        """
        self.swap(self.file, "Be mean.")
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be kind.")])

    def test_modified(self) -> None:
        """
        A later time is a change.
        """
        self.write("SOUL.md", "Be mean.", modified=2)
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be mean.")])

    def test_earlier(self) -> None:
        """
        So is an earlier one: somebody went back to an old copy.
        """
        self.write("SOUL.md", "Be mean.", modified=0)
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be mean.")])

    def test_size(self) -> None:
        """
        So is another size.
        """
        self.write("SOUL.md", "Be very kind.")
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be very kind.")])

    def test_replaced(self) -> None:
        """
        So is another file in its place, however alike.
        """
        self.write("new", "Be mean.").rename(self.file)
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be mean.")])

    def test_gone(self) -> None:
        """
        A file that is gone is not remembered, also when it comes back.
        """
        self.file.rename(self.path / "away")
        self.assertEqual(self.workspace.refresh().texts, [])
        (self.path / "away").rename(self.file)
        self.assertEqual(self.workspace.refresh().texts, [("SOUL.md", "Be kind.")])

    def test_came(self) -> None:
        """
        A file that was not there at first is found.
        """
        self.write("AGENTS.md", "Listen.")
        self.assertEqual(
            self.workspace.refresh().texts,
            [("AGENTS.md", "Listen."), ("SOUL.md", "Be kind.")],
        )
