"""
C{${VAR}} in a string: the value of an environment variable.

C{$$E{lb}} stands for a literal C{$E{lb}}.  There is no other syntax, and nothing in a
value from the environment is looked at again.
"""

import re
from collections.abc import Mapping

_PLACE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SubstitutionFailed(Exception):
    """
    A string could not be completed.

    @ivar problems: One text for each of its places that could not be filled.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def substitute(text: str, environ: Mapping[str, str]) -> str:
    """
    Fill the places in a string.

    @raise SubstitutionFailed: A variable is missing, or what stands behind a
        C{$E{lb}} is no name of one.
    """
    if "${" not in text:
        return text
    problems: list[str] = []

    def filled(place: re.Match[str]) -> str:
        name = place[1]
        if name is None:
            return "${"
        if not place[0].endswith("}") or not _NAME.fullmatch(name):
            problems.append('"${" must be followed by a name and "}"; or write "$${"')
        elif name not in environ:
            problems.append(f"the environment has no variable {name}")
        else:
            return environ[name]
        return ""

    result = _PLACE.sub(filled, text)
    if problems:
        raise SubstitutionFailed(problems)
    return result
