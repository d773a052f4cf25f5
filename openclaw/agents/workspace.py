"""
An agent's workspace as far as its system prompt uses it: the files that describe the
agent, and its skills.
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
Files included in the prompt, in this order.
"""

MAX_FILE_CHARACTERS = 20_000
MAX_SKILLS = 100
MAX_SKILLS_CHARACTERS = 64_000
"""
Limit of the skills' part of the prompt.
"""

MAX_FRONT_BYTES = 4096
"""
Limit of the front matter of a skill.
"""

MAX_SCANNED = 10_000
"""
Limit of the entries read in the folder of skills.
"""

MAX_SKILL_NAME_CHARACTERS = 64
MAX_SKILL_CHARACTERS = 500
SKILL_FILE = "SKILL.md"

_SURROGATE = re.compile(r"\\(?:u|U0000)[dD][89a-fA-F][0-9a-fA-F]{2}")
"""
Escapes of surrogates, for which libyaml would refuse the document.
"""


@dataclass(frozen=True)
class Skill:
    """
    A skill, which the agent can read.  Format: U{https://agentskills.io/specification}.

    @ivar path: Its file, relative to the workspace.
    """

    name: str
    description: str
    path: str


class _CachedFile(NamedTuple):
    """
    A file as it was read.

    @ivar stamp: The file's status at that time.
    """

    stamp: "_Stamp"
    text: str = ""
    skill: Skill | None = None


_Stamp = tuple[int, int, int]
_FILE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


class WorkspaceContents(NamedTuple):
    """
    The contents of a workspace for the system prompt.

    @ivar texts: The names and contents of the existing L{FILES}.
    @ivar skills: The skills, sorted by folder.
    """

    texts: Sequence[tuple[str, str]] = ()
    skills: Sequence[Skill] = ()


class Workspace:
    """
    One workspace.  L{refresh}, which blocks, reads what has changed; unchanged files
    cost a C{stat} call each.
    """

    def __init__(self, path: Path, log: Logger | None = None) -> None:
        """
        @param log: Logs skills that are left out.
        """
        self.path = path
        self.contents = WorkspaceContents()
        self._log = log
        self._lock = Lock()
        self._files: dict[str, _CachedFile] = {}
        self._skills: dict[str, _CachedFile] = {}
        self._names: tuple[int, Sequence[str]] | None = None
        self._logged: frozenset[str] = frozenset()

    def refresh(self) -> WorkspaceContents:
        """
        Read what has changed.  Blocks: to be used in threads.
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
        self._logDropped(frozenset(dropped))
        return shown

    def _logDropped(self, dropped: frozenset[str]) -> None:
        """
        Log the skills that are left out, once for each set of them.
        """
        if dropped and dropped != self._logged and self._log is not None:
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
        self._logged = dropped

    def _skillNames(self) -> Sequence[str]:
        """
        Return the first names in the folder of skills, and one more if there are more.
        """
        folder = self.path / "skills"
        try:
            if not self._contains(folder):
                return ()
            stamp = os.stat(folder).st_mtime_ns
            if self._names is None or self._names[0] != stamp:
                with os.scandir(folder) as entries:
                    # An unprintable name cannot be shown to the model.
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
        before: Mapping[str, _CachedFile],
        into: dict[str, _CachedFile],
        read: Callable[[int, _Stamp], _CachedFile],
    ) -> None:
        full = self.path / path
        try:
            status = os.stat(full)
            kept = before.get(name)
            # Opening a pipe waits for its writer; opening a device may have effects.
            if not stat.S_ISREG(status.st_mode):
                into[name] = _CachedFile(_makeStamp(status))
                return
            if kept is not None and kept.stamp == _makeStamp(status):
                into[name] = kept
                return
            if not self._contains(full):
                into[name] = _CachedFile(_makeStamp(status))
                return
            descriptor = os.open(full.resolve(), _FILE | os.O_NOFOLLOW)
        except (OSError, RuntimeError):
            return
        try:
            # It may have been replaced meanwhile.
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode):
                into[name] = read(descriptor, _makeStamp(status))
        except OSError:
            into[name] = _CachedFile(_makeStamp(status))
        finally:
            os.close(descriptor)

    def _contains(self, path: Path) -> bool:
        """
        Return whether a file is in the workspace after its links are resolved: a
        project of another author could contain a link to any file that this process can
        read.
        """
        return path.resolve().is_relative_to(self.path.resolve())


def _makeStamp(status: os.stat_result) -> _Stamp:
    # Atomic writers replace the file, so that two changes within one tick of the clock
    # differ in the inode.
    return status.st_mtime_ns, status.st_size, status.st_ino


def _readText(descriptor: int, stamp: _Stamp) -> _CachedFile:
    """
    Read the part of a file that goes into the prompt.
    """
    with open(
        descriptor, encoding="utf-8-sig", errors="replace", closefd=False
    ) as file:
        text = file.read(MAX_FILE_CHARACTERS)
        rest = file.read(1).strip()
    text = text.strip()
    if rest:
        text = f"{text}\n[The rest of the file is left out.]"
    return _CachedFile(stamp, text)


def _readSkill(folder: str, path: str, descriptor: int, stamp: _Stamp) -> _CachedFile:
    data = b""
    while len(data) < MAX_FRONT_BYTES:
        block = os.read(descriptor, MAX_FRONT_BYTES - len(data))
        if not block:
            break
        data += block
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    return _CachedFile(stamp, skill=_parseSkill(text, folder, path))


def _parseSkill(text: str, folder: str, path: str) -> Skill | None:
    """
    Parse the front matter of a skill.

    @return: C{None} if it is not valid.
    """
    if not text.startswith("---"):
        return None
    front, end, _ = text[3:].partition("\n---")
    if not end:
        return None
    try:
        # This loader makes every value a text: no dates, no numbers.
        fields = yaml.load(_SURROGATE.sub("?", front), Loader=_BaseLoader)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        # The parser raises the others on some malformed input.
        return None
    if not isinstance(fields, dict):
        return None
    description = _toLine(fields.get("description"), MAX_SKILL_CHARACTERS)
    if not description:
        return None
    name = _toLine(fields.get("name"), MAX_SKILL_NAME_CHARACTERS)
    return Skill(name or folder, description, path)


def _toLine(value: object, length: int) -> str:
    """
    Return a value as one short line of valid Unicode; empty if it is not a text.
    """
    if not isinstance(value, str):
        return ""
    text = " ".join(value.split())[:length]
    return text.encode("utf-8", "replace").decode()
