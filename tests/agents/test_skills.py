"""
Tests of L{openclaw.agents.workspace}: skills.
"""

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger, formatEvent

from openclaw.agents import workspace
from openclaw.agents.workspace import (
    MAX_FILE_CHARACTERS,
    MAX_FRONT_BYTES,
    MAX_SKILL_CHARACTERS,
    MAX_SKILL_NAME_CHARACTERS,
    MAX_SKILLS,
    Skill,
    Workspace,
)
from tests.agents.test_workspace import WorkspaceTestCase

PDF = "---\nname: pdf\ndescription: Read PDF files.\n---\n\nUse pdftotext.\n"


class SkillTestCase(WorkspaceTestCase):
    """
    A test case with a directory of skills.
    """

    def skill(self, folder: str, text: str, modified: int = 1) -> Path:
        """
        Write a skill.
        """
        return self.write(f"skills/{folder}/SKILL.md", text, modified)

    def described(self, front: str) -> list[Skill]:
        """
        Return the skills if there is one with this front matter.
        """
        self.skill("one", f"---\n{front}\n---\n")
        return Workspace(self.path).refresh().skills

    def touch(self, modified: int) -> None:
        """
        Set the modification time of the skills' folder, so that changes within one tick
        of the clock differ.
        """
        os.utime(self.path / "skills", (modified, modified))


class SkillTests(SkillTestCase):
    """
    Skills have a name, a description and a path.
    """

    def test_one(self) -> None:
        """
        All three are read.
        """
        self.skill("pdf", PDF)
        self.assertEqual(
            self.workspace.refresh().skills,
            [Skill("pdf", "Read PDF files.", "skills/pdf/SKILL.md")],
        )

    def test_windows(self) -> None:
        """
        CRLF line ends are accepted.
        """
        self.skill("pdf", "\ufeff" + PDF.replace("\n", "\r\n"))
        self.assertEqual(
            [each.name for each in self.workspace.refresh().skills], ["pdf"]
        )

    def test_order(self) -> None:
        """
        They are sorted by their folders.
        """
        for name in ("b", "c", "a"):
            self.skill(name, PDF)
        self.assertEqual(
            [each.path for each in self.workspace.refresh().skills],
            [f"skills/{name}/SKILL.md" for name in "abc"],
        )

    def test_nameless(self) -> None:
        """
        A skill without a name has that of its folder.
        """
        for name in ("", "name:\n", "name: []\n"):
            (skill,) = self.described(f"{name}description: D.")
            self.assertEqual(skill.name, "one")

    def test_folded(self) -> None:
        """
        Names and descriptions of several lines become one line.
        """
        (skill,) = self.described("name: |\n  a\n  b\ndescription: >\n  One.\n\n  Two.")
        self.assertEqual((skill.name, skill.description), ("a b", "One. Two."))

    def test_plainWords(self) -> None:
        """
        Numbers, dates and booleans are read as texts.
        """
        (skill,) = self.described("name: 2024\ndescription: 2024-02-30")
        self.assertEqual((skill.name, skill.description), ("2024", "2024-02-30"))

    def test_bounded(self) -> None:
        """
        Names and descriptions are truncated, and so is the list.
        """
        (skill,) = self.described(f"name: {'n' * 1000}\ndescription: {'d' * 1000}")
        self.assertEqual(len(skill.name), MAX_SKILL_NAME_CHARACTERS)
        self.assertEqual(len(skill.description), MAX_SKILL_CHARACTERS)
        for number in range(MAX_SKILLS):
            self.skill(f"{number:03}", PDF)
        self.assertEqual(len(self.workspace.refresh().skills), MAX_SKILLS)

    def test_long(self) -> None:
        """
        A skill may be longer than the part that is read for the list.
        """
        self.skill("pdf", PDF + "x" * 2 * MAX_FILE_CHARACTERS)
        self.assertEqual(len(self.workspace.refresh().skills), 1)


class BrokenSkillTests(SkillTestCase):
    """
    An invalid skill is left out; the others are listed.
    """

    def test_broken(self) -> None:
        """
        All kinds of invalid front matter.
        """
        self.skill("pdf", PDF)
        for text in (
            "",
            "Just words.",
            "---\nname: a\ndescription: It never ends.",
            "---\nname: a\n---\n",
            "---\nname: a\ndescription:\n---\n",
            "---\nname: a\ndescription: '  '\n---\n",
            "---\nname: a\ndescription: [a, list]\n---\n",
            "---\n- a\n- list\n---\n",
            "---\ndescription: {\n---\n",
            "---\ndescription: a: b: c\n---\n",
            "---\n? [a]\n: b\n---\n",
            f"---\ndescription: {'[' * 5000}\n---\n",
            '---\ndescription: "\\UFFFFFFFF"\n---\n',
        ):
            self.skill("broken", text)
            found = Workspace(self.path).refresh().skills
            self.assertEqual([each.name for each in found], ["pdf"], text[:60])

    @given(st.text(max_size=60))
    def test_anything(self, front: str) -> None:
        """
        No front matter fails a run, now or when the prompt is sent.
        """
        path = self.path / "skills" / "any" / "SKILL.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"---\ndescription: {front}\n---\n", encoding="utf-8")
        for skill in Workspace(self.path).refresh().skills:
            line = f"{skill.name}: {skill.description}"
            self.assertEqual(len(line.splitlines()), 1)
            line.encode()

    def test_surrogates(self) -> None:
        """
        Surrogates, which YAML allows and UTF-8 does not, become question marks.
        """
        (skill,) = self.described('name: a\ndescription: "b \\ud800"')
        self.assertEqual(skill.description, "b ?")

    def test_folders(self) -> None:
        """
        Folders without the file, files beside the folders, and names of several lines
        are ignored.
        """
        self.skill("pdf", PDF)
        self.skill("two\nlines", PDF)
        self.write("skills/README.md", "Our skills.")
        (self.path / "skills" / "empty").mkdir()
        (self.path / "skills" / os.fsdecode(b"\xff")).mkdir()
        self.assertEqual(
            [each.path for each in self.workspace.refresh().skills],
            ["skills/pdf/SKILL.md"],
        )

    def test_noFolder(self) -> None:
        """
        If the folder is a file, there are no skills.
        """
        self.write("skills", "Soon.")
        self.assertEqual(self.workspace.refresh().skills, [])


class LargeSkillTests(SkillTestCase):
    """
    A small part of each skill is read, and of many skills the first ones.
    """

    def setUp(self) -> None:
        """
        Have a log.
        """
        super().setUp()
        self.logged: list[str] = []
        log = Logger(
            namespace="test", observer=lambda e: self.logged.append(formatEvent(e))
        )
        self.workspace = Workspace(self.path, log)

    def front(self, size: int) -> str:
        """
        Write a skill whose front matter has this size, in bytes.
        """
        head, tail = "---\ndescription: D.\nmore: ", "\n---\n"
        return head + "x" * (size - len(head) - len(tail) + 1) + tail

    def test_frontMatter(self) -> None:
        """
        The size of front matter is limited.  Larger ones are ignored, and logged once.
        """
        self.skill("fits", self.front(MAX_FRONT_BYTES))
        self.skill("large", self.front(20_000))
        for _ in range(2):
            found = [each.name for each in self.workspace.refresh().skills]
            self.assertEqual(found, ["fits"])
        [line] = self.logged
        self.assertIn("1 skills are left out, 'large' among them", line)

    def test_boundedRead(self) -> None:
        """
        No more of the file is read, regardless of its size.
        """
        path = self.skill("pdf", PDF)
        os.truncate(path, 10 * 2**30)
        self.assertEqual(
            [each.name for each in self.workspace.refresh().skills], ["pdf"]
        )

    def test_aliases(self) -> None:
        """
        YAML aliases that multiply are not expanded.
        """
        levels = ["a0: &a0 [x, x]"]
        for level in range(1, 30):
            again = f"*a{level - 1}, " * 9
            levels.append(f"a{level}: &a{level} [{again}]")
        (skill,) = self.described("\n".join(["description: D.", *levels]))
        self.assertEqual(skill.description, "D.")

    def test_deep(self) -> None:
        """
        Deep nesting is harmless.
        """
        for opening in ("[", "{", "- ", "? ", "[{a: "):
            text = opening * ((MAX_FRONT_BYTES - 100) // len(opening))
            self.assertEqual(self.described(f"description: D.\na: {text}"), [])

    def test_all(self) -> None:
        """
        The total of all skills is limited, too.
        """
        text = f"---\ndescription: {'d' * MAX_SKILL_CHARACTERS}\n---\n"
        for number in range(MAX_SKILLS):
            self.skill(f"{number:03}{'x' * 200}", text)
        self.patch(workspace, "MAX_SKILLS_CHARACTERS", 10_000)
        found = self.workspace.refresh().skills
        self.assertTrue(5 < len(found) < 20, len(found))
        self.assertEqual(found[0].name, "000" + "x" * 200)
        [line] = self.logged
        self.assertIn(f"{MAX_SKILLS - len(found)} skills are left out", line)

    def test_manyFolders(self) -> None:
        """
        Of very many folders the first are read.
        """
        for number in range(MAX_SKILLS + 5):
            self.skill(f"{number:03}", PDF)
        found = [each.path for each in self.workspace.refresh().skills]
        self.assertEqual(len(found), MAX_SKILLS)
        self.assertEqual(found[-1], f"skills/{MAX_SKILLS - 1:03}/SKILL.md")
        self.assertEqual(len(self.logged), 1)

    def test_noFiles(self) -> None:
        """
        Pipes are not opened, and links out of the workspace are not followed.
        """
        self.skill("pdf", PDF)
        outside = Path(self.mktemp())
        (outside / "evil").mkdir(parents=True)
        (outside / "evil" / "SKILL.md").write_text(PDF)
        (self.path / "skills" / "pipe").mkdir()
        os.mkfifo(self.path / "skills" / "pipe" / "SKILL.md")
        (self.path / "skills" / "out").symlink_to((outside / "evil").absolute())
        (self.path / "skills" / "zero").mkdir()
        (self.path / "skills" / "zero" / "SKILL.md").symlink_to("/dev/zero")
        self.assertEqual(len(self.workspace.refresh().skills), 1)
        folder = self.path / "skills"
        folder.rename(outside / "skills")
        folder.symlink_to((outside / "skills").absolute())
        self.assertEqual(self.workspace.refresh().skills, [])


class SkillChangeTests(SkillTestCase):
    """
    Skills are read again when they change.
    """

    def setUp(self) -> None:
        """
        Read a valid and an invalid skill.
        """
        super().setUp()
        self.file = self.skill("pdf", PDF)
        self.broken = self.skill("broken", "-" * len(PDF))
        self.touch(1)
        self.assertEqual(self.names(), ["pdf"])

    def names(self) -> list[str]:
        """
        Return the current names of the skills.
        """
        return [each.name for each in self.workspace.refresh().skills]

    def test_unchanged(self) -> None:
        """
        Unchanged ones are not read again, valid or not.
        """
        self.swap(self.file, PDF.replace("pdf\n", "new\n"))
        self.swap(self.broken, PDF)
        self.assertEqual(self.names(), ["pdf"])

    def test_changed(self) -> None:
        """
        A changed skill is read, and so is one that was corrected.
        """
        self.skill("pdf", PDF.replace("pdf\n", "PDF\n"), modified=2)
        self.skill("broken", PDF.replace("pdf\n", "mended\n"), modified=2)
        self.assertEqual(self.names(), ["mended", "PDF"])

    def test_spoilt(self) -> None:
        """
        A skill that becomes invalid is removed.
        """
        self.skill("pdf", "Just words.", modified=2)
        self.assertEqual(self.names(), [])

    def test_added(self) -> None:
        """
        A new folder is found.
        """
        self.skill("new", PDF.replace("pdf\n", "new\n"))
        self.touch(2)
        self.assertEqual(self.names(), ["new", "pdf"])

    def test_removed(self) -> None:
        """
        A removed skill is no longer listed, with or without its folder.
        """
        self.file.unlink()
        self.assertEqual(self.names(), [])
        self.file.parent.rmdir()
        self.touch(2)
        self.assertEqual(self.names(), [])
