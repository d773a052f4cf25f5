"""
Replace C{${VAR}} in strings by the values of environment variables.

C{$$E{lb}} stands for a literal C{$E{lb}}.  There is no other syntax, and substituted
values are not expanded again.
"""

import re
from collections.abc import Mapping

_VARIABLE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class SubstitutionFailed(Exception):
    """
    One or more variables of a string could not be replaced.

    @ivar problems: One text for each of them.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def substitute(text: str, environ: Mapping[str, str]) -> str:
    """
    Replace the variables in a string.

    @raise SubstitutionFailed: A variable is not set, or C{$E{lb}} is not followed by a
        valid name.
    """
    if "${" not in text:
        return text
    problems: list[str] = []

    def replace(found: re.Match[str]) -> str:
        name = found[1]
        if name is None:
            return "${"
        if not found[0].endswith("}") or not _NAME.fullmatch(name):
            problems.append('"${" must be followed by a name and "}"; or write "$${"')
        elif name not in environ:
            problems.append(
                f"the environment has no variable {name}; set it for the daemon and"
                " restart"
            )
        else:
            return environ[name]
        return ""

    result = _VARIABLE.sub(replace, text)
    if problems:
        raise SubstitutionFailed(problems)
    return result
