"""
Find the daemon for a command: its configuration and state directory.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISDIR

from openclaw.config import findConfig
from openclaw.config.loading import (
    PATH_VARIABLE,
    STATE_VARIABLE,
    configIn,
    stateDirectory,
)

LOCAL_STATE = ".openclaw"
"""
The name of the state directory that C{make serve} uses, in the directory it runs in.
"""

SERVICE_FILE = Path("/etc/default/openclaw")
"""
The environment file of the init script and systemd.
"""


def locateDaemon(
    environ: Mapping[str, str],
    *,
    state: str | None = None,
    config: str | None = None,
    folder: Path | None = None,
    service: Path = SERVICE_FILE,
) -> dict[str, str]:
    """
    Return the environment of the daemon that the user means.

    The options go first, then the variables of the environment.  Without any of them
    it is the daemon of C{make serve} in the current directory, else that of the user's
    home, else the one that is installed as a service.

    @param environ: The environment of the command.
    @param state: The value of C{--state}.
    @param config: The value of C{--config}.
    @param folder: The directory the command runs in; by default the current one.
    @param service: The environment file of the service.
    """
    found = dict(environ)
    if state is not None:
        found[STATE_VARIABLE] = os.path.abspath(state)
    if config is not None:
        found[PATH_VARIABLE] = os.path.abspath(config)
    if isNamed(found):
        return found
    local = (folder or Path.cwd()) / LOCAL_STATE
    if _isOwn(local) and configIn(local) is not None:
        found[STATE_VARIABLE] = str(local)
    elif not stateDirectory(found).is_dir():
        for name, value in _readEnvironmentFile(service).items():
            found.setdefault(name, value)
    return found


def _isOwn(directory: Path) -> bool:
    """
    Return whether a directory belongs to this user.  Another user's could contain a
    configuration that runs commands.
    """
    try:
        status = directory.lstat()
    except OSError:
        return False
    return S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _readEnvironmentFile(path: Path) -> dict[str, str]:
    """
    Read lines of C{NAME=value}, which may be quoted.  An unreadable file has none.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    variables = {}
    for line in lines:
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue  # An unclosed quote.
        name, equals, value = words[0].partition("=") if words else ("", "", "")
        if equals and name.isidentifier():
            variables[name] = value
    return variables


def isNamed(environ: Mapping[str, str]) -> bool:
    """
    Return whether variables name the state directory or the configuration.
    """
    return any(environ.get(name) for name in (STATE_VARIABLE, PATH_VARIABLE))


def describeLocation(environ: Mapping[str, str]) -> str:
    """
    Return one line about the files that a command uses.
    """
    config = findConfig(None, environ) or "none, the defaults apply"
    return f"configuration: {config}; state directory: {stateDirectory(environ)}"
