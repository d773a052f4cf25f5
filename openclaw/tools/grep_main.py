"""
The program that searches files for text.

This file is a program: C{python -I -S grep_main.py JOB}.  It runs in a process of its
own because a regular expression can take forever, holds Python's global lock while it
does, and cannot be interrupted; a process can be killed.  The directory or file to
search is given as the open descriptor L{START}; nothing outside of it is opened, and no
link is followed.

Matches are printed as they are found, and the exit status is 0.  An error in the job is
printed, too, with status 2.
"""

import fnmatch
import json
import os
import re
import resource
import stat
import sys
from collections.abc import Callable, Iterator
from typing import Any

START = 3
MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_LINE_CHARACTERS = 400
MAX_OUTPUT_CHARACTERS = 32_768
MAX_MEMORY_BYTES = 1024 * 1024 * 1024
SNIFF_BYTES = 8192
SKIPPED_DIRECTORIES = (".git", ".hg", ".svn")
WRONG_JOB = 2

_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Matches = Callable[[str], Any]


class Search:
    def __init__(self, matches: Matches, include: str | None, limit: int) -> None:
        """
        @param matches: Returns whether a line matches.
        @param include: A glob of file names or paths.
        @param limit: The most lines printed.
        """
        self._matches = matches
        self._include = include
        self._left = limit
        self._room = MAX_OUTPUT_CHARACTERS
        self._binary = 0
        self._large = 0
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
            print("[nothing found]")
        for count, what in [(self._binary, "binary"), (self._large, "very large")]:
            if count:
                print(f"[{what} files left out: {count}]")

    def _searchTree(self, base: str) -> None:
        for path, _, names, directory in _walk():
            for name in sorted(names):
                if self._left <= 0 or self._room <= 0:
                    return
                shown = os.path.normpath(os.path.join(base, path, name))
                if not self._isIncluded(name, shown):
                    continue
                try:
                    descriptor = os.open(name, _FILE, dir_fd=directory)
                except OSError:
                    continue
                try:
                    if stat.S_ISREG(os.fstat(descriptor).st_mode):
                        self._searchFile(descriptor, shown)
                finally:
                    os.close(descriptor)

    def _isIncluded(self, name: str, path: str) -> bool:
        if self._include is None:
            return True
        return fnmatch.fnmatchcase(name, self._include) or fnmatch.fnmatchcase(
            path, self._include
        )

    def _searchFile(self, descriptor: int, shown: str) -> None:
        if os.fstat(descriptor).st_size > MAX_FILE_BYTES:
            self._large += 1
            return
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(MAX_FILE_BYTES)
        if b"\0" in data[:SNIFF_BYTES]:
            self._binary += 1
            return
        shown = escapeName(shown)
        for number, raw in enumerate(data.splitlines(), 1):
            line = raw.decode("utf-8", "replace")
            if not self._matches(line):
                continue
            if self._left <= 0 or self._room <= 0:
                return
            self._printMatch(f"{shown}:{number}:{line[:MAX_LINE_CHARACTERS]}")

    def _printMatch(self, line: str) -> None:
        # Flushed, so that matches are not lost when the process is killed.
        print(line, flush=True)
        self._found = True
        self._left -= 1
        self._room -= len(line) + 1


def _walk() -> Iterator[tuple[str, list[str], list[str], int]]:
    """
    Walk the tree in sorted order, without the directories of version control.
    """
    for path, directories, names, directory in os.fwalk(".", dir_fd=START):
        directories[:] = sorted(set(directories) - set(SKIPPED_DIRECTORIES))
        yield path, directories, names, directory


def escapeName(name: str) -> str:
    """
    Return a file's name as printable text on one line.
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else ascii(text)[1:-1]


def compilePattern(pattern: str, literal: bool, ignoreCase: bool) -> Matches:
    """
    Return the predicate that selects lines.

    @raise re.error: The pattern is not a valid regular expression.
    """
    expression = re.escape(pattern) if literal else pattern
    return re.compile(expression, re.IGNORECASE if ignoreCase else 0).search


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
    try:
        matches = compilePattern(job["pattern"], job["literal"], job["ignoreCase"])
    except (re.error, OverflowError, RecursionError) as error:
        print(f"The pattern is not a valid regular expression: {error}")
        return WRONG_JOB
    try:
        Search(matches, job["include"], job["limit"]).run(job["base"])
    except (MemoryError, RecursionError):
        print("The search needs too much memory.")
        return WRONG_JOB
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
