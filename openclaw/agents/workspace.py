"""
An agent's directory, as far as its prompt knows it: the files that say who it is,
and the skills that it has.
"""

import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import nsmallest
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import yaml
from twisted.logger import Logger

try:
    from yaml import CBaseLoader as _BaseLoader
except ImportError:  # PyYAML can be built without its C library
    from yaml import BaseLoader as _BaseLoader  # type: ignore[assignment]

FILES = ("AGENTS.md", "SOUL.md", "IDENTITY.md", "USER.md", "TOOLS.md")
"""
Files that become part of the prompt, in this order.
"""

MAX_FILE_CHARACTERS = 20_000
MAX_SKILLS = 100
MAX_SKILLS_CHARACTERS = 64_000
"""
The most that the skills may take of the prompt.
"""

MAX_FRONT_BYTES = 4096
"""
The longest front matter of a skill.
"""

MAX_SCANNED = 10_000
"""
The entries of the skills' folder that are looked at.
"""

MAX_SKILL_NAME_CHARACTERS = 64
MAX_SKILL_CHARACTERS = 500
SKILL_FILE = "SKILL.md"

_SURROGATE = re.compile(r"\\(?:u|U0000)[dD][89a-fA-F][0-9a-fA-F]{2}")
"""
Escapes for what no text can hold; libyaml would refuse the rest for them.
"""


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


class _Kept(NamedTuple):
    """
    A file as it was when it was read.

    @ivar stamp: What the file was known by then.
    """

    stamp: "_Stamp"
    text: str = ""
    skill: Skill | None = None


_Stamp = tuple[int, int, int]
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class WorkspaceContents(NamedTuple):
    """
    The part of a workspace that its prompt shows.

    @ivar texts: The names and contents of the L{FILES} that there are.
    @ivar skills: By their names.
    """

    texts: Sequence[tuple[str, str]] = ()
    skills: Sequence[Skill] = ()


class Workspace:
    """
    One directory.  L{refresh} reads what has changed in it, which is blocking work;
    of what has not changed it costs a few C{stat} calls.
    """

    def __init__(self, path: Path, log: Logger | None = None) -> None:
        """
        @param log: Is told of skills that are left out.
        """
        self.path = path
        self.contents = WorkspaceContents()
        self._log = log
        self._lock = Lock()
        self._files: dict[str, _Kept] = {}
        self._skills: dict[str, _Kept] = {}
        self._names: tuple[int, Sequence[str]] | None = None
        self._told: frozenset[str] = frozenset()

    def refresh(self) -> WorkspaceContents:
        """
        Read what has changed.  Blocking work, for a thread; several may do it.
        """
        with self._lock:
            self.contents = WorkspaceContents(self._readTexts(), self._readSkills())
            return self.contents

    def _readTexts(self) -> list[tuple[str, str]]:
        kept, self._files = self._files, {}
        for name in FILES:
            self._read(name, name, kept, self._files, _readText)
        return [(name, each.text) for name, each in self._files.items() if each.text]

    def _readSkills(self) -> list[Skill]:
        kept, self._skills = self._skills, {}
        names = self._skillNames()
        for name in names[:MAX_SKILLS]:
            path = f"skills/{name}/{SKILL_FILE}"
            self._read(path, name, kept, self._skills, partial(_readSkill, name, path))
        found = [each.skill for each in self._skills.values() if each.skill]
        dropped = {
            name for name, each in self._skills.items() if each.skill is None
        } | set(names[MAX_SKILLS:])
        shown, room = [], MAX_SKILLS_CHARACTERS
        for skill in found:
            room -= len(skill.name) + len(skill.description) + len(skill.path)
            if room < 0:
                dropped.add(skill.path.split("/")[1])
            else:
                shown.append(skill)
        self._tell(frozenset(dropped))
        return shown

    def _tell(self, dropped: frozenset[str]) -> None:
        """
        Log that skills are left out, once for each set of them.
        """
        if dropped and dropped != self._told and self._log is not None:
            self._log.warn(
                "workspace {path}: {count} skills are left out, {name} among them:"
                " their front matter must be YAML with a description, and at most"
                " {front} bytes; {most} skills of {all} characters are shown",
                path=str(self.path),
                count=len(dropped),
                name=repr(min(dropped)),
                front=MAX_FRONT_BYTES,
                most=MAX_SKILLS,
                all=MAX_SKILLS_CHARACTERS,
            )
        self._told = dropped

    def _skillNames(self) -> Sequence[str]:
        """
        The first names in the skills' folder, and one more if there are more.
        """
        folder = self.path / "skills"
        try:
            if not self._holds(folder):
                return ()
            stamp = os.stat(folder).st_mtime_ns
            if self._names is None or self._names[0] != stamp:
                with os.scandir(folder) as entries:
                    # A name that can't be shown in a line can't be asked for either.
                    names = (
                        entry.name
                        for entry in islice(entries, MAX_SCANNED)
                        if entry.name.isprintable() and entry.is_dir()
                    )
                    self._names = stamp, nsmallest(MAX_SKILLS + 1, names)
        except OSError:
            return ()
        return self._names[1]

    def _read(
        self,
        path: str,
        name: str,
        before: Mapping[str, _Kept],
        into: dict[str, _Kept],
        read: Callable[[int, _Stamp], _Kept],
    ) -> None:
        """
        Read a file, unless it looks as it did before.
        """
        full = self.path / path
        try:
            status = os.stat(full)
            kept = before.get(name)
            # Opening a pipe would wait for its writer, and a device may do things.
            if not stat.S_ISREG(status.st_mode):
                into[name] = _Kept(_stampOf(status))
                return
            if kept is not None and kept.stamp == _stampOf(status):
                into[name] = kept
                return
            if not self._holds(full):
                into[name] = _Kept(_stampOf(status))
                return
            descriptor = os.open(full.resolve(), _FILE | os.O_NOFOLLOW)
        except (OSError, RuntimeError):
            return
        try:
            # It may be another file by now.
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode):
                into[name] = read(descriptor, _stampOf(status))
        except OSError:
            into[name] = _Kept(_stampOf(status))
        finally:
            os.close(descriptor)

    def _holds(self, path: Path) -> bool:
        """
        Is a file really in here?  A project that somebody else wrote could have a
        link to whatever this process can read.
        """
        return path.resolve().is_relative_to(self.path.resolve())


def _stampOf(status: os.stat_result) -> _Stamp:
    # Two changes within one tick of the clock differ in the inode: whoever writes with
    # care replaces the file.
    return status.st_mtime_ns, status.st_size, status.st_ino


def _readText(descriptor: int, stamp: _Stamp) -> _Kept:
    """
    Read a file, as far as it is of use.
    """
    with open(
        descriptor, encoding="utf-8-sig", errors="replace", closefd=False
    ) as file:
        text = file.read(MAX_FILE_CHARACTERS)
        rest = file.read(1).strip()
    text = text.strip()
    if rest:
        text = f"{text}\n[The rest of the file is left out.]"
    return _Kept(stamp, text)


def _readSkill(folder: str, path: str, descriptor: int, stamp: _Stamp) -> _Kept:
    """
    Read a skill's front matter.
    """
    data = b""
    while len(data) < MAX_FRONT_BYTES:
        block = os.read(descriptor, MAX_FRONT_BYTES - len(data))
        if not block:
            break
        data += block
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    return _Kept(stamp, skill=_skillIn(text, folder, path))


def _skillIn(text: str, folder: str, path: str) -> Skill | None:
    """
    Understand a skill's front matter.

    @return: C{None} if it has none that makes sense.
    """
    if not text.startswith("---"):
        return None
    front, end, _ = text[3:].partition("\n---")
    if not end:
        return None
    try:
        # All values are text here: no dates, no numbers.
        fields = yaml.load(_SURROGATE.sub("?", front), Loader=_BaseLoader)
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
