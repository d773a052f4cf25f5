"""
Finding the part of a file that an edit may have meant.
"""

import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher

from openclaw.tools.printable import describeCharacter, escapeControls

SECONDS = 0.5
"""
Limit of the search, in seconds.
"""

MAX_CANDIDATES = 3
MAX_LINES = 20
MAX_DIFFERENCES = 6
MAX_CHARACTERS = 300
"""
Limit of the characters of a line that are compared and shown.
"""

CUTOFF = 0.6
"""
Least similarity of the nearest line.
"""

_ALIKE = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\u00b4\u0060\u02bc", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00ad", "-"),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", None),
        "\u2026": "...",
    }
)
"""
Characters that look alike, and those that can't be seen.
"""


def describeNearest(text: str, old: str) -> str:
    """
    Show the parts of a text that are most like another, and the differences.

    @return: Lines for the model, or nothing.
    """
    deadline = time.monotonic() + SECONDS
    wanted = old.replace("\r\n", "\n").split("\n")
    partial = (bool(wanted[0]), bool(wanted[-1]))
    while len(wanted) > 1 and not wanted[0].strip():
        wanted, partial = wanted[1:], (False, partial[1])
    while len(wanted) > 1 and not wanted[-1].strip():
        wanted, partial = wanted[:-1], (partial[0], False)
    lines = text.replace("\r\n", "\n").split("\n")
    known: list[str] = []
    for line in lines:
        known.append(_simplify(line))
        if len(known) % 1000 == 0 and time.monotonic() > deadline:
            break
    sought = [_simplify(line) for line in wanted]
    found = _findAlike(known, sought, partial, deadline)
    found = found or _findSimilar(known, sought, deadline)
    return "".join(
        _describe(lines[start : start + len(wanted)], start, wanted, partial, deadline)
        for start in found
    )


def _simplify(line: str) -> str:
    """
    Return a line without the differences that are easily overlooked.
    """
    if not line.isascii():
        line = unicodedata.normalize("NFKC", line.translate(_ALIKE)).translate(_ALIKE)
    return " ".join(line.replace("`", "'").split()).casefold()


def _findAlike(
    known: Sequence[str],
    sought: Sequence[str],
    partial: tuple[bool, bool],
    deadline: float,
) -> list[int]:
    """
    Find the lines that are alike but for such differences.

    @param partial: The first line may begin, the last one end, within a line.
    """
    if not any(sought):
        return []
    test: Callable[[str], bool]
    if len(sought) == 1:
        test = sought[0].__eq__ if not any(partial) else lambda each: sought[0] in each
    else:
        test = (
            (lambda each: each.endswith(sought[0])) if partial[0] else sought[0].__eq__
        )
    found = []
    for start in range(len(known) - len(sought) + 1):
        if not test(known[start]):
            continue
        if time.monotonic() > deadline:
            break
        if not all(
            known[start + index] == sought[index] for index in range(1, len(sought) - 1)
        ):
            continue
        if len(sought) > 1:
            last = known[start + len(sought) - 1]
            if not (last.startswith(sought[-1]) if partial[1] else last == sought[-1]):
                continue
        found.append(start)
        if len(found) == MAX_CANDIDATES:
            break
    return found


def _findSimilar(
    known: Sequence[str], sought: Sequence[str], deadline: float
) -> list[int]:
    """
    Find the place of the line that is most similar to the longest one.
    """
    longest = max(sought, key=len)
    offset = sought.index(longest)
    longest = longest[:MAX_CHARACTERS]
    matcher = SequenceMatcher(None, b=longest, autojunk=False)
    best, nearest = CUTOFF, -1
    for index, line in enumerate(known):
        if time.monotonic() > deadline:
            break
        matcher.set_seq1(line[:MAX_CHARACTERS])
        if matcher.real_quick_ratio() > best and matcher.quick_ratio() > best:
            ratio = matcher.ratio()
            if ratio > best:
                best, nearest = ratio, index
    return [max(0, nearest - offset)] if nearest >= 0 else []


def _describe(
    lines: Sequence[str],
    start: int,
    wanted: Sequence[str],
    partial: tuple[bool, bool],
    deadline: float,
) -> str:
    """
    Show one place, and its differences.
    """
    differences: list[str] = []
    for index, (line, old) in enumerate(zip(lines, wanted, strict=False)):
        if line == old:
            continue
        if len(differences) >= MAX_DIFFERENCES or (
            differences and time.monotonic() > deadline
        ):
            break
        ends = (partial[0] and index == 0, partial[1] and index == len(wanted) - 1)
        for difference in _compare(line, old, ends):
            if len(differences) < MAX_DIFFERENCES:
                differences.append(f"line {start + 1 + index}: {difference}")
    if not differences:
        differences.append("only the blank lines or line ends around it differ")
    shown = "\n".join(
        f"{start + 1 + index}: {escapeControls(line[:MAX_CHARACTERS])}"
        for index, line in enumerate(lines[:MAX_LINES])
    )
    return f"\nNearest:\n{shown}\n" + "\n".join(differences)


def _compare(line: str, old: str, ends: tuple[bool, bool]) -> Iterator[str]:
    """
    Describe the differences of two lines.

    @param ends: More may precede, and follow, in the file's line.
    """
    matcher = SequenceMatcher(
        None, line[:MAX_CHARACTERS], old[:MAX_CHARACTERS], autojunk=False
    )
    operations = matcher.get_opcodes()
    if ends[0] and operations and operations[0][0] == "delete":
        operations = operations[1:]
    if ends[1] and operations and operations[-1][0] == "delete":
        operations = operations[:-1]
    for kind, begin, end, oldBegin, oldEnd in operations:
        if kind != "equal":
            yield (
                f"at column {begin + 1} the file has"
                f" {_describeRun(line[begin:end])}, oldText has"
                f" {_describeRun(old[oldBegin:oldEnd])}"
            )


def _describeRun(text: str) -> str:
    if not text:
        return "nothing"
    names = [describeCharacter(text[0])] if len(set(text)) == 1 else []
    if not names and len(text) <= 3:
        names = [describeCharacter(each) for each in text]
    if not names or (text.isascii() and text.isprintable() and not text.isspace()):
        return ascii(text[:40])
    return (f"{len(text)} times " if len(text) > len(names) else "") + ", ".join(names)
