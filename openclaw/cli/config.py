"""
C{openclaw config check}: say what is wrong with a configuration, without starting.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from openclaw.config.reading import SYSTEM_PATH, load, locate
from openclaw.errors import ConfigError


def check(
    path: str | None,
    environ: Mapping[str, str],
    stdout: TextIO,
    stderr: TextIO,
    system: Path = SYSTEM_PATH,
) -> int:
    """
    Check the file that the daemon would read, or another one.

    @param path: The file, or C{None} for the one that is found by itself.
    @param stdout: Gets one line, if there is no fault.
    @param stderr: Gets a line for each fault and each warning.
    @param system: What is read when nothing else is there.

    @return: The exit status: 0 if the daemon could start with it, else 1.
    """
    try:
        loaded = load(locate(path, environ, system), environ)
    except ConfigError as error:
        print(error, file=stderr)
        return 1
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=stderr)
    if loaded.path is None:
        print("there is no configuration file; the defaults hold", file=stdout)
    else:
        print(f"{loaded.path}: no faults", file=stdout)
    return 0


__all__ = ["check"]
