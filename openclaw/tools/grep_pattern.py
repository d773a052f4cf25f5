"""
Patterns of C{grep}: regular expressions of Python's, with the classes of POSIX.
"""

import re
import warnings

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\\x00-\\x7f",
    "blank": "\\t ",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\t-\\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_CLASS = re.compile(r"\[:(\^?)(\w*):\]")
_COLLATING = re.compile(r"\[([.=]).*?\1\]")
_PLAIN = re.compile(r"[\w\s!\"#%&',/:;<=>@`~-]")
_ESCAPE = re.compile(
    r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\}|\d{1,3}|.)", re.S
)
_FLAGS = re.compile(r"\(\?[a-z-]+[:)]")
_OTHER_SYNTAX = {
    "\\|": "\\| is a plain | here; write | for alternatives",
    "\\<": "\\< is a plain < here; write \\b for the edge of a word",
    "\\>": "\\> is a plain > here; write \\b for the edge of a word",
}


class BadPattern(Exception):
    """
    The pattern is not valid.  The message says why, for the model.
    """


class LinePattern:
    """
    A pattern that selects lines.

    @ivar search: Returns the match in a line, or C{None}.
    @ivar literal: A text that each match contains, or nothing.
    @ivar hint: A note for the case that nothing is found, or nothing.
    @ivar carriage: The pattern is about carriage returns, so that they stay at the ends
        of lines.
    """

    def __init__(self, pattern: str, literal: bool, ignoreCase: bool) -> None:
        """
        @raise BadPattern: The pattern is not valid.
        """
        self.hint = ""
        if literal:
            if "\n" in pattern:
                raise BadPattern(_LINE_END)
            expression, self.literal = re.escape(pattern), pattern
        else:
            expression, self.literal = _translate(pattern)
            self.hint = next(
                (hint for each, hint in _OTHER_SYNTAX.items() if each in pattern), ""
            )
        self.carriage = "\r" in pattern or "\\r" in pattern
        if ignoreCase or _FLAGS.search(expression):
            self.literal = ""
        try:
            with warnings.catch_warnings():
                # Python warns of sets that other languages understand otherwise.
                warnings.simplefilter("ignore")
                compiled = re.compile(expression, re.IGNORECASE if ignoreCase else 0)
        except (re.error, OverflowError, RecursionError) as error:
            raise BadPattern(str(error)) from None
        self.search = compiled.search


_LINE_END = "it can't match a line end, since lines are searched one by one"


def _translate(pattern: str) -> tuple[str, str]:
    """
    Replace the classes of POSIX.

    @return: The expression for Python, and the longest text that it requires.
    @raise BadPattern: It has something that Python would misunderstand.
    """
    out: list[str] = []
    runs, run, depth, at = [""], "", 0, 0
    while at < len(pattern):
        character, size, plain = pattern[at], 1, ""
        if character == "\\":
            size = len(match[0]) if (match := _ESCAPE.match(pattern, at)) else 1
            following = pattern[at + 1 : at + size]
            if following == "n":
                raise BadPattern(_LINE_END)
            plain = "" if following.isalnum() else following
        elif character == "\n":
            raise BadPattern(_LINE_END)
        elif character == "{":
            size = max(pattern.find("}", at), at) + 1 - at
        elif character == "[":
            text, end = _translateSet(pattern, at)
            out.append(text)
            character, size = "", end - at
        elif _PLAIN.match(character):
            plain = character
        if character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == "|" and depth == 0:
            runs, run, depth = [""], "", 1 << 30
        if plain and depth == 0:
            run += plain
        else:
            # What a quantifier follows may be absent.
            runs.append(run[:-1] if character in ("*", "?", "{") else run)
            run = ""
        if character:
            out.append(pattern[at : at + size])
        at += size
    return "".join(out), max([*runs, run], key=len)


def _translateSet(pattern: str, start: int) -> tuple[str, int]:
    """
    Translate a set.

    @return: The set for Python, and the offset after it.
    """
    if match := _CLASS.match(pattern, start):
        raise BadPattern(f"the class {match[0]} must be in a set: [{match[0]}]")
    at = start + 1
    if pattern[at : at + 1] == "^":
        at += 1
    out = [pattern[start:at]]
    first = at
    while at < len(pattern) and (pattern[at] != "]" or at == first):
        if match := _CLASS.match(pattern, at):
            if match[2] not in _POSIX:
                raise BadPattern(f"there is no class {match[0]}")
            text = _POSIX[match[2]]
            out.append(_complement(text) if match[1] else text)
        elif match := _COLLATING.match(pattern, at):
            raise BadPattern(f"{match[0]} is not supported")
        else:
            size = 2 if pattern[at] == "\\" else 1
            out.append(pattern[at : at + size])
            at += size
            continue
        at = match.end()
    return "".join([*out, pattern[at : at + 1]]), at + 1


def _complement(text: str) -> str:
    """
    Return the set of all other characters.
    """
    inside = re.compile(f"[{text}]")
    codes = [code for code in range(129) if not inside.match(chr(code))]
    return "".join(f"\\x{code:02x}" for code in codes[:-1]) + "\\x80-\U0010ffff"
