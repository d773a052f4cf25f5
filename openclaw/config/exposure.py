"""
Find workspaces that would give an agent the gateway's own files.
"""

import os
from collections.abc import Iterable, Iterator
from errno import ELOOP
from pathlib import Path

from openclaw.config.agent_settings import locateEntries
from openclaw.config.findings import childPath
from openclaw.config.root import Config
from openclaw.private_files import accessWarning

MAX_LINKS = 40
"""
The limit of symbolic links that Linux follows in one path.
"""


def exposedFiles(
    config: Config,
    path: Path | None,
    state: Path,
    others: Iterable[tuple[str, Path]] = (),
) -> list[str]:
    """
    Find the agents whose workspace holds the configuration, the state directory or a
    file with a secret, or is inside the state directory.  Symbolic links are followed.
    A workspace that holds only a link to such a file counts too, since replacing the
    link replaces the file.

    @param path: The configuration file, if there is one.
    @param state: The state directory.
    @param others: Further files that no agent may reach, with their names.

    @return: One line for each error; it begins with the key.
    """
    errors: dict[str, None] = {}
    private = [
        (name, file, list(pathEntries(file)))
        for name, file in (
            ("the state directory", state),
            *_privateFiles(config, path),
            *others,
        )
    ]
    realState = Path(os.path.realpath(state))
    for key, each in _workspaces(config):
        workspace = Path(os.path.realpath(each))
        if _isLinkLoop(each):
            errors[f"{key}: {each} is a loop of symbolic links"] = None
            continue
        if workspace == realState or realState in workspace.parents:
            line = f"{key}: {workspace} is inside the state directory {realState}"
            errors[line] = None
        for name, file, entries in private:
            if any(workspace in entry.parents for entry in entries):
                errors[f"{key}: {workspace} holds {name}, {file}"] = None
    return list(errors)


def accessWarnings(
    config: Config,
    path: Path | None,
    state: Path,
    others: Iterable[tuple[str, Path]] = (),
) -> list[str]:
    """
    Find the private files and directories that other users can change or read.

    @return: One line for each; it begins with its name.
    """
    found = [
        ("the state directory", accessWarning(state, secret=False)),
        *(
            (name, accessWarning(file, secret=name == "gateway.tls.keyPath"))
            for name, file in _privateFiles(config, path)
        ),
        *((name, accessWarning(file, secret=True)) for name, file in others),
    ]
    return [f"{name}: {warning}" for name, warning in found if warning is not None]


def pathEntries(path: Path) -> Iterator[Path]:
    """
    Yield each directory entry that is looked up when a path is resolved, including
    those in the targets of symbolic links.

    @return: Paths of which only the last name may be a link.
    """
    parent, links = Path("/"), 0
    left = list(reversed(path.absolute().parts[1:]))
    while left:
        name = left.pop()
        if name == "..":
            parent = parent.parent
            continue
        entry = parent / name
        yield entry
        try:
            target = Path(os.readlink(entry))
        except OSError:
            parent = entry  # Not a link, or it does not exist.
            continue
        links += 1
        if links > MAX_LINKS:
            return
        if target.is_absolute():
            parent = Path("/")
            left += reversed(target.parts[1:])
        else:
            left += reversed(target.parts)


def _isLinkLoop(path: Path) -> bool:
    try:
        os.stat(path)
    except OSError as error:
        return error.errno == ELOOP
    return False


def _workspaces(config: Config) -> Iterator[tuple[str, Path]]:
    """
    Yield the workspaces in use, each with the key that names it.
    """
    defaults = config.agents.defaults
    entries = list(locateEntries(config.agents))
    for path, _, entry in entries:
        if entry.workspace is not None:
            yield childPath(path, "workspace"), entry.workspace
    inherits = not entries or any(entry.workspace is None for _, _, entry in entries)
    if defaults.workspace is not None and inherits:
        yield "agents.defaults.workspace", defaults.workspace


def _privateFiles(config: Config, path: Path | None) -> Iterator[tuple[str, Path]]:
    named = (
        ("the configuration", path),
        ("gateway.tls.certPath", config.gateway.tls.certPath),
        ("gateway.tls.keyPath", config.gateway.tls.keyPath),
        ("session.store", config.session.store),
        ("logging.auditFile", config.logging.auditFile),
    )
    for name, file in named:
        if file is not None:
            yield name, file
