"""
An agent's directory, as far as its prompt knows it: the files that say who it is,
and the skills that it has.
"""

import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import yaml

FILES = ("AGENTS.md", "SOUL.md", "IDENTITY.md", "USER.md", "TOOLS.md")
"""
What becomes part of the prompt, in this order.
"""

MAX_FILE_CHARACTERS = 20_000
MAX_SKILLS = 100
MAX_SKILL_NAME_CHARACTERS = 64
MAX_SKILL_CHARACTERS = 500
SKILL_FILE = "SKILL.md"


@dataclass(frozen=True)
class Skill:
    """
    Something that an agent can read up on.  The form is that of
    U{https://agentskills.io/specification}.

    @ivar path: Its file, relative to the workspace.
    """

    name: str
    description: str
    path: str


@dataclass
class _Kept:
    """
    What was read of a file.

    @ivar stamp: What the file was known by then; C{None} if there was none.
    """

    stamp: tuple[int, ...] | None
    text: str = ""
    skill: Skill | None = None


@dataclass
class Workspace:
    """
    What is in one directory.  Files are read when they have changed; a run costs
    a few C{stat} calls.
    """

    path: Path
    _files: dict[str, _Kept] = field(default_factory=dict)
    _skills: dict[str, _Kept] = field(default_factory=dict)
    _skillsStamp: int | None = None

    def texts(self) -> list[tuple[str, str]]:
        """
        The names and contents of the L{FILES} that there are.
        """
        found = []
        for name in FILES:
            text = self._read(self.path / name, name, self._files).text
            if text:
                found.append((name, text))
        return found

    def skills(self) -> list[Skill]:
        """
        The skills, by their names.
        """
        try:
            names = self._skillNames(self.path / "skills")
        except OSError:
            return []
        found = []
        for name in names:
            path = f"skills/{name}/{SKILL_FILE}"
            kept = self._read(
                self.path / path,
                name,
                self._skills,
                partial(_skillIn, folder=name, path=path),
            )
            if kept.skill is not None:
                found.append(kept.skill)
        return found

    def _skillNames(self, folder: Path) -> list[str]:
        stamp = folder.stat().st_mtime_ns
        if stamp != self._skillsStamp:
            # A name that can't be shown in a line can't be asked for either.
            entries = (entry.name for entry in folder.iterdir())
            names = sorted(filter(str.isprintable, entries))[:MAX_SKILLS]
            self._skills = {name: self._skills.get(name, _Kept(None)) for name in names}
            self._skillsStamp = stamp
        return list(self._skills)

    def _read(
        self,
        path: Path,
        name: str,
        into: dict[str, _Kept],
        skillIn: Callable[[str], Skill | None] = lambda text: None,
    ) -> _Kept:
        try:
            status = path.stat()
        except OSError:
            into[name] = _Kept(None)
            return into[name]
        # Two changes within one tick of the clock differ in the inode: whoever
        # writes with care replaces the file.
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        kept = into.get(name)
        if kept is None or kept.stamp != stamp:
            # Opening a pipe would wait for its writer.
            text = ""
            if stat.S_ISREG(status.st_mode) and self._holds(path):
                text = _textOf(path)
            kept = into[name] = _Kept(stamp, text, skillIn(text))
        return kept

    def _holds(self, path: Path) -> bool:
        """
        Is a file really in here?  A project that somebody else wrote could have a
        link to whatever this process can read.
        """
        return path.resolve().is_relative_to(self.path.resolve())


def _textOf(path: Path) -> str:
    """
    Read a file, as far as it is of use; one that can't be read is empty.
    """
    try:
        with open(path, encoding="utf-8-sig", errors="replace") as file:
            text = file.read(MAX_FILE_CHARACTERS)
            rest = file.read(1).strip()
    except OSError:
        return ""
    text = text.strip()
    return f"{text}\n[The rest of the file is left out.]" if rest else text


def _skillIn(text: str, folder: str, path: str) -> Skill | None:
    """
    Read a skill's front matter.

    @return: C{None} if it has none that makes sense.
    """
    if not text.startswith("---"):
        return None
    front, end, _ = text[3:].partition("\n---")
    if not end:
        return None
    try:
        # All values are text here: no dates, no numbers.
        fields = yaml.load(front, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        # All but the first are faults of the parser.
        return None
    if not isinstance(fields, dict):
        return None
    description = _line(fields.get("description"), MAX_SKILL_CHARACTERS)
    if not description:
        return None
    name = _line(fields.get("name"), MAX_SKILL_NAME_CHARACTERS)
    return Skill(name or folder, description, path)


def _line(value: object, length: int) -> str:
    """
    A value as one short line that every encoder takes; empty if it is no text.
    """
    if not isinstance(value, str):
        return ""
    text = " ".join(value.split())[:length]
    return text.encode("utf-8", "replace").decode()


__all__ = ["FILES", "MAX_FILE_CHARACTERS", "Skill", "Workspace"]
