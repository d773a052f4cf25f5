"""
Find and load the configuration.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from openclaw.config.checking import check
from openclaw.config.exposure import accessWarnings, exposedFiles
from openclaw.config.root import Config
from openclaw.config.syntax import PARSERS, SyntaxFault
from openclaw.config.value_conversion import expandHome
from openclaw.errors import ConfigError
from openclaw.private_files import UnsafeFile, readRegularFile

STATE_VARIABLE = "OPENCLAW_STATE_DIR"
PATH_VARIABLE = "OPENCLAW_CONFIG_PATH"
MAX_BYTES = 4 * 1024 * 1024
"""
The largest configuration file.
"""

SYSTEM_PATH = Path("/etc/openclaw/openclaw.yaml")
"""
The configuration that is read if there is no other.
"""


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """
    A configuration that can be used.

    @ivar warnings: What in the file has no effect, one line each.
    @ivar path: The file, an absolute path; C{None} for the built-in defaults.
    @ivar isEmpty: The file says nothing, so that the built-in defaults hold.
    """

    config: Config
    warnings: tuple[str, ...] = ()
    path: Path | None = None
    isEmpty: bool = False


def stateDirectory(environ: Mapping[str, str]) -> Path:
    """
    The directory for all that the daemon keeps: C{OPENCLAW_STATE_DIR}, else
    C{~/.openclaw}.  An absolute path; nothing is created.

    @raise ConfigError: The home directory is unknown.
    """
    return _absolute(environ.get(STATE_VARIABLE) or "~/.openclaw", environ)


def locate(
    option: str | None,
    environ: Mapping[str, str],
    system: Path = SYSTEM_PATH,
) -> Path | None:
    """
    Find the configuration file: the one that is named by C{option}, else by
    C{OPENCLAW_CONFIG_PATH}, else C{openclaw} with one of the endings in the state
    directory, else C{system}.

    @return: An absolute path, or C{None} if there is no file.

    @raise ConfigError: A file that was named does not exist.
    """
    for name, source in (
        (option, "the command line"),
        (environ.get(PATH_VARIABLE), PATH_VARIABLE),
    ):
        if name:
            path = _absolute(name, environ)
            if not os.path.exists(path):
                raise ConfigError(f"{path}: does not exist (named by {source})")
            return path
    folder = stateDirectory(environ)
    candidates = [*(folder / f"openclaw{ending}" for ending in PARSERS), system]
    return next((path for path in candidates if os.path.isfile(path)), None)


def load(
    path: Path | None,
    environ: Mapping[str, str],
    others: Sequence[tuple[str, Path]] = (),
) -> Loaded:
    """
    Read and check a configuration.

    @param path: The file, as L{locate} found it; C{None} gives the defaults.
    @param environ: The environment, for C{${VAR}}, credentials and C{~}.
    @param others: Files with secrets that are not named in the configuration, with
        their names.

    @raise ConfigError: The file can't be read, or there are faults in it; all are
        named.
    """
    state = stateDirectory(environ)
    if path is None:
        config = Config()
        return Loaded(
            config=config, warnings=tuple(accessWarnings(config, None, state, others))
        )
    path = path.absolute()
    data = _parsed(path)
    if not isinstance(data, dict | None):
        raise ConfigError(f"{path}: must hold a mapping of keys at its top level")
    config, warnings = check(data, environ, path.parent, str(path))
    faults = exposedFiles(config, path, state, others)
    if faults:
        raise ConfigError("\n".join(f"{path}: {each}" for each in faults))
    warnings += tuple(accessWarnings(config, path, state, others))
    isEmpty = _saysNothing(data)
    if isEmpty:
        warnings += ("the file is empty: the built-in defaults hold",)
    return Loaded(config=config, warnings=warnings, path=path, isEmpty=isEmpty)


def _saysNothing(data: object) -> bool:
    """
    Has a document no value at all, as one without keys or with nothing behind them?
    """
    if isinstance(data, dict):
        return all(map(_saysNothing, data.values()))
    return data is None


def _absolute(text: str, environ: Mapping[str, str]) -> Path:
    try:
        return expandHome(text, environ).absolute()
    except ValueError as error:
        raise ConfigError(f"{text}: {error}") from None


def _parsed(path: Path) -> Any:
    parse = PARSERS.get(path.suffix.lower())
    if parse is None:
        *endings, last = PARSERS
        raise ConfigError(f"{path}: must end in {', '.join(endings)} or {last}")
    try:
        # An editor of another system may have left a byte order mark.
        text = readRegularFile(path, MAX_BYTES).decode("utf-8-sig")
    except UnsafeFile as error:
        raise ConfigError(f"{path}: {error}") from None
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: is not UTF-8 text (see the byte at offset {error.start})"
        ) from None
    try:
        return parse(text)
    except SyntaxFault as error:
        raise ConfigError(f"{path}: {error}") from None
