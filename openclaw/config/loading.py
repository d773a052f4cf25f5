"""
Find and load the configuration.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from openclaw.config.checking import examine, raiseErrors
from openclaw.config.exposure import accessWarnings, exposedFiles
from openclaw.config.root import Config
from openclaw.config.syntax import PARSERS, ConfigSyntaxError
from openclaw.config.value_conversion import expandHome
from openclaw.errors import ConfigError
from openclaw.private_files import UnsafeFile, readRegularFile

STATE_VARIABLE = "OPENCLAW_STATE_DIR"
PATH_VARIABLE = "OPENCLAW_CONFIG_PATH"
MAX_BYTES = 4 * 1024 * 1024
"""
The limit of a configuration file, in bytes.
"""

SYSTEM_PATH = Path("/etc/openclaw/openclaw.yaml")
"""
The configuration file that is read if no other is found.
"""


class LoadedConfig(msgspec.Struct, frozen=True, kw_only=True):
    """
    A configuration without errors.

    @ivar warnings: One line for each warning.
    @ivar path: The absolute path of the file; C{None} for the built-in defaults.
    @ivar isEmpty: The file sets no key, so that the built-in defaults apply.
    """

    config: Config
    warnings: tuple[str, ...] = ()
    path: Path | None = None
    isEmpty: bool = False


def stateDirectory(environ: Mapping[str, str]) -> Path:
    """
    Return the absolute path of the directory for the daemon's files:
    C{OPENCLAW_STATE_DIR}, else C{~/.openclaw}.  It is not created.

    @raise ConfigError: The home directory is unknown.
    """
    return _absolutePath(environ.get(STATE_VARIABLE) or "~/.openclaw", environ)


def findConfig(
    option: str | None,
    environ: Mapping[str, str],
    system: Path = SYSTEM_PATH,
) -> Path | None:
    """
    Find the configuration file: C{option}, else C{OPENCLAW_CONFIG_PATH}, else
    C{openclaw} with one of the known suffixes in the state directory, else C{system}.

    @return: An absolute path, or C{None} if there is no file.

    @raise ConfigError: The named file does not exist.
    """
    for name, source in (
        (option, "the command line"),
        (environ.get(PATH_VARIABLE), PATH_VARIABLE),
    ):
        if name:
            path = _absolutePath(name, environ)
            if not os.path.exists(path):
                raise ConfigError(f"{path}: does not exist (named by {source})")
            return path
    return configIn(stateDirectory(environ)) or (
        system if os.path.isfile(system) else None
    )


def configIn(folder: Path) -> Path | None:
    """
    Return the configuration file in a directory, if there is one: C{openclaw} with the
    first of the known suffixes.
    """
    candidates = (folder / f"openclaw{ending}" for ending in PARSERS)
    return next((path for path in candidates if os.path.isfile(path)), None)


def loadConfig(
    path: Path | None,
    environ: Mapping[str, str],
    others: Sequence[tuple[str, Path]] = (),
    inspect: Callable[[Config], Iterable[str]] = lambda config: (),
) -> LoadedConfig:
    """
    Read and check a configuration.

    @param path: The file that L{findConfig} found; C{None} for the defaults.
    @param environ: The environment, for C{${VAR}}, credentials and C{~}.
    @param others: Files with secrets that the configuration does not name, with their
        names.
    @param inspect: Returns further errors, one line each, which begins with the key.
        Required values that had an error are C{None} in its argument.

    @raise ConfigError: The file can't be read, or has errors; all are listed.
    """
    state = stateDirectory(environ)
    data: Any = None
    folder, origin = state, "the default configuration"
    if path is not None:
        path = path.absolute()
        folder, origin = path.parent, str(path)
        data = _parseFile(path)
        if not isinstance(data, dict | None):
            raise ConfigError(f"{path}: must hold a mapping of keys at its top level")
    config, findings = examine(data, environ, folder)
    for line in (*exposedFiles(config, path, state, others), *inspect(config)):
        findings.addLine(line)
    raiseErrors(findings, origin)
    warnings = [*findings.warnings, *accessWarnings(config, path, state, others)]
    isEmpty = path is not None and _isEmpty(data)
    if isEmpty:
        warnings.append("the file is empty: the built-in defaults apply")
    return LoadedConfig(
        config=config, warnings=tuple(warnings), path=path, isEmpty=isEmpty
    )


def _isEmpty(data: object) -> bool:
    """
    Return whether a document sets no value: it has no keys, or only keys without
    values.
    """
    if isinstance(data, dict):
        return all(map(_isEmpty, data.values()))
    return data is None


def _absolutePath(text: str, environ: Mapping[str, str]) -> Path:
    try:
        return expandHome(text, environ).absolute()
    except ValueError as error:
        raise ConfigError(f"{text}: {error}") from None


def _parseFile(path: Path) -> Any:
    parse = PARSERS.get(path.suffix.lower())
    if parse is None:
        *endings, last = PARSERS
        raise ConfigError(f"{path}: must end in {', '.join(endings)} or {last}")
    try:
        # Editors on Windows may write a byte order mark.
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
    except ConfigSyntaxError as error:
        raise ConfigError(f"{path}: {error}") from None
