"""
The program that searches files for text; L{openclaw.tools.grep} runs it.

It runs in a process of its own because a regular expression can take forever, holds
Python's global lock while it does, and cannot be interrupted; a process can be killed.
The directory or file to search is given as the open descriptor L{START}; nothing
outside of it is opened, and no link is followed.

Matches are printed as they are found, and the exit status is 0.  An error in the job is
printed, too, with status 2.
"""

import json
import os
import re
import resource
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from openclaw.tools.grep_pattern import BadPattern, LinePattern
from openclaw.tools.printable import escapeControls
from openclaw.tools.text_encoding import (
    SNIFF_BYTES,
    BinaryData,
    detectEncoding,
    maySwitch,
)

START = 3
MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_LINE_CHARACTERS = 400
MAX_OUTPUT_CHARACTERS = 32_768
MAX_MEMORY_BYTES = 1024 * 1024 * 1024
SKIPPED_DIRECTORIES = (".git", ".hg", ".svn")
WRONG_JOB = 2

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
BEFORE_MATCH = 100
"""
Characters that are shown before the match in a long line.
"""


class GlobRule:
    """
    A glob, see L{openclaw.tools.file_globs.compileGlobs}.
    """

    def __init__(self, rule: Mapping[str, Any]) -> None:
        self.negated: bool = rule["negated"]
        self._anywhere: bool = rule["anywhere"]
        self._contents: bool = rule["contents"]
        self._match = re.compile("|".join(rule["expressions"])).match

    def matches(self, paths: Sequence[str]) -> bool:
        """
        @param paths: The path, from each directory from which a glob may begin.
        """
        for path in paths:
            if self._anywhere:
                names = path.split("/")
                tried = names if self._contents else names[-1:]
            else:
                tried = [path]
                while self._contents and (path := os.path.dirname(path)):
                    tried.append(path)
            if any(map(self._match, tried)):
                return True
        return False


class Include:
    """
    The selection of files by globs, of which the last one that matches decides.
    """

    def __init__(self, rules: Sequence[Mapping[str, Any]], base: str) -> None:
        self._rules = [GlobRule(rule) for rule in rules]
        self._default = all(rule.negated for rule in self._rules)
        self._base = base

    @property
    def isRestricted(self) -> bool:
        return bool(self._rules)

    def selects(self, path: str) -> bool:
        """
        Return whether a file is selected.

        @param path: From the start of the search.
        """
        return self._decide(path, self._default)

    def enters(self, path: str) -> bool:
        """
        Return whether a directory may have selected files.
        """
        return self._decide(path, True)

    def _decide(self, path: str, default: bool) -> bool:
        paths = [path, os.path.join(self._base, path)] if self._base else [path]
        for rule in reversed(self._rules):
            if rule.matches(paths):
                return not rule.negated
        return default


class Search:
    def __init__(self, pattern: LinePattern, include: Include, limit: int) -> None:
        """
        @param limit: The most lines printed.
        """
        self._pattern = pattern
        self._include = include
        self._left = limit
        self._room = MAX_OUTPUT_CHARACTERS
        self._binary = 0
        self._large = 0
        self._unreadable = 0
        self._searched = 0
        self._found = False

    def run(self, base: str) -> None:
        """
        Search, and print the matches.

        @param base: The path of the start to print, or C{""}.
        """
        if stat.S_ISREG(os.fstat(START).st_mode):
            self._searchFile(START, base)
        else:
            self._searchTree(base)
        if self._left <= 0 or self._room <= 0:
            print("[there is more; narrow the search]")
        elif not self._found:
            why = self._pattern.hint
            if self._include.isRestricted and not self._searched:
                why = "no file matches include"
            print(f"[nothing found{': ' if why else ''}{why}]")
        for count, what in [
            (self._binary, "binary"),
            (self._large, "very large"),
            (self._unreadable, "unreadable"),
        ]:
            if count:
                print(f"[{what} files left out: {count}]")

    def _searchTree(self, base: str) -> None:
        for path, names, directory in self._walk():
            for name in sorted(names):
                if self._left <= 0 or self._room <= 0:
                    return
                within = os.path.normpath(os.path.join(path, name))
                if not self._include.selects(within):
                    continue
                try:
                    descriptor = os.open(name, _FILE, dir_fd=directory)
                except PermissionError:
                    self._unreadable += 1
                    continue
                except OSError:
                    continue
                try:
                    if stat.S_ISREG(os.fstat(descriptor).st_mode):
                        self._searchFile(descriptor, os.path.join(base, within))
                finally:
                    os.close(descriptor)

    def _walk(self) -> Iterator[tuple[str, list[str], int]]:
        """
        Walk the tree in sorted order, without the directories of version control and
        those that are left out.
        """

        def count(error: OSError) -> None:
            self._unreadable += 1

        for path, directories, names, directory in os.fwalk(
            ".", onerror=count, dir_fd=START
        ):
            directories[:] = [
                name
                for name in sorted(set(directories) - set(SKIPPED_DIRECTORIES))
                if self._include.enters(os.path.normpath(os.path.join(path, name)))
            ]
            yield path, names, directory

    def _searchFile(self, descriptor: int, shown: str) -> None:
        self._searched += 1
        if os.fstat(descriptor).st_size > MAX_FILE_BYTES:
            self._large += 1
            return
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_FILE_BYTES)
        text = self._decode(data)
        if not text:
            return
        shown, literal = escapeName(shown), self._pattern.literal
        # Lines are counted as L{openclaw.tools.file_reading} counts them: none follows
        # the last line end.
        for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
            if literal not in line:
                continue
            if not self._pattern.carriage:
                line = line.removesuffix("\r")
            match = self._pattern.search(line)
            if match is None:
                continue
            if self._left <= 0 or self._room <= 0:
                return
            self._printMatch(f"{shown}:{number}:{_cutLine(line, match.start())}")

    def _decode(self, data: bytes) -> str | None:
        """
        Decode a file, if it is text and can have a match.
        """
        literal = self._pattern.literal
        if b"\0" not in data[:SNIFF_BYTES]:
            # All encodings of files without NUL have ASCII as it is.
            if literal.isascii() and literal.encode() not in data:
                return None
            try:
                if not maySwitch(data):
                    return data.decode("utf-8-sig")
            except UnicodeDecodeError:
                pass
        try:
            return detectEncoding(data).decode(data)
        except BinaryData:
            self._binary += 1
            return None

    def _printMatch(self, line: str) -> None:
        # Flushed, so that matches are not lost when the process is killed.
        print(line, flush=True)
        self._found = True
        self._left -= 1
        self._room -= len(line) + 1


def _cutLine(line: str, start: int) -> str:
    """
    Return a line, or the part of a long one that has the match, with marks.

    @param start: The beginning of the match.
    """
    if len(line) <= MAX_LINE_CHARACTERS:
        return escapeControls(line)
    begin = max(0, min(start - BEFORE_MATCH, len(line) - MAX_LINE_CHARACTERS))
    end = begin + MAX_LINE_CHARACTERS
    return (
        f"{'[...]' if begin else ''}{escapeControls(line[begin:end])}"
        f"{'[...]' if end < len(line) else ''}"
        f" [columns {begin + 1} to {end} of {len(line)}]"
    )


def escapeName(name: str) -> str:
    """
    Return a file's name as printable text on one line.
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else ascii(text)[1:-1]


def main(text: str) -> int:
    """
    Run the job, and return the exit status.
    """
    sys.stdout.reconfigure(  # type: ignore[union-attr]
        encoding="utf-8", errors="replace"
    )
    job = json.loads(text)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    # This stops the process if the daemon has died.
    resource.setrlimit(resource.RLIMIT_CPU, (job["seconds"], job["seconds"]))
    # For the detection of encodings.
    sys.path.extend(job["path"])
    try:
        pattern = LinePattern(job["pattern"], job["literal"], job["ignoreCase"])
        include = Include(job["include"], job["base"])
    except BadPattern as error:
        print(f"The pattern is not a valid regular expression: {error}")
        return WRONG_JOB
    except (re.error, OverflowError, RecursionError) as error:
        print(f"include is not a valid glob: {error}")
        return WRONG_JOB
    try:
        Search(pattern, include, job["limit"]).run(job["base"])
    except (MemoryError, RecursionError):
        print("The search needs too much memory.")
        return WRONG_JOB
    return 0
