"""
Globs that select files, as C{ripgrep} and C{.gitignore} have them.

They are compiled by C{wcmatch} to regular expressions, with which
L{openclaw.tools.grep_main} works.
"""

import re
from collections.abc import Sequence
from typing import Any

WILD = re.compile(r"[*?\[{]")
_SINGLE = re.compile(r"(?<!\\)\{([^{},\\]*)\}")
_BRACKETS = re.compile(r"(?<!\\)[\[\]]")


class BadGlob(Exception):
    """
    The glob is not valid.  The message says why, for the model.
    """


def compileGlobs(globs: str | Sequence[str], root: str) -> list[dict[str, Any]]:
    """
    Compile globs, of which the last one that matches a file decides.  Blocks for a
    while.

    @param globs: One or several, or one text with commas between them.  One that begins
        with C{!} leaves files out.
    @param root: The path of the workspace, which is removed from absolute globs.
    @return: The rules: C{negated}; C{anywhere}, for the name alone; C{contents}, for
        directories, too; C{expressions}, for a name or a path.
    @raise BadGlob: One is not valid.
    """
    given = [globs] if isinstance(globs, str) else globs
    return [_compile(each, root) for text in given for each in splitGlobs(text)]


def splitGlobs(text: str) -> list[str]:
    """
    Split a text at its commas, except for those in braces and brackets.

    @raise BadGlob: A brace or bracket is not closed, or there is no glob.
    """
    parts, start, depth, at = [], 0, 0, 0
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
            if at == len(text):
                raise BadGlob(f"{text!r} ends with a backslash")
        elif character == "[":
            at = _findBracketEnd(text, at)
        elif character == "{":
            depth += 1
        elif character == "}":
            depth = max(0, depth - 1)
        elif character == "," and not depth:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    if depth:
        raise BadGlob(f"a brace of {text!r} is not closed")
    found = [part.strip() for part in [*parts, text[start:]]]
    found = [part for part in found if part]
    if not found:
        raise BadGlob(f"{text!r} has no glob")
    return found


def _findBracketEnd(text: str, start: int) -> int:
    """
    Find the end of a class of characters.

    @raise BadGlob: It is not closed.
    """
    at = start + 1
    if text[at : at + 1] in ("!", "^"):
        at += 1
    # A bracket at the beginning stands for itself.
    end = text.find("]", at + 1)
    while (posix := text.find("[:", at, end)) >= 0 and (
        (closing := text.find(":]", posix + 2)) >= 0
    ):
        at = closing + 2
        end = text.find("]", at)
    if end < 0:
        raise BadGlob(f"a bracket of {text!r} is not closed")
    return end


def _compile(glob: str, root: str) -> dict[str, Any]:
    from wcmatch.glob import BRACE, DOTGLOB, GLOBSTAR, translate

    negated = glob.startswith("!")
    # In ripgrep an alternative may be the only one.
    pattern = _SINGLE.sub(r"\1", glob.removeprefix("!"))
    if pattern.startswith(f"{root}/"):
        pattern = pattern.removeprefix(root)
    pattern = pattern.removeprefix("./")
    contents = negated or pattern.endswith("/") or not WILD.search(pattern)
    pattern = pattern.rstrip("/")
    anywhere = "/" not in pattern
    pattern = pattern.lstrip("/")
    if not pattern or pattern.startswith("../"):
        raise BadGlob(f"{glob!r} is outside the workspace")
    expressions: list[str] = []
    # Brackets may also be part of a name: [id].ts.
    for reading in dict.fromkeys((pattern, _BRACKETS.sub(r"\\\g<0>", pattern))):
        try:
            expressions += translate(reading, flags=BRACE | DOTGLOB | GLOBSTAR)[0]
        except Exception as error:
            raise BadGlob(f"{glob!r}: {error}") from None
    return {
        "negated": negated,
        "anywhere": anywhere,
        "contents": contents,
        "expressions": expressions,
    }
