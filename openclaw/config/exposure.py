"""
Workspaces that would give an agent the gateway's own files.
"""

import os
from collections.abc import Iterable, Iterator
from errno import ELOOP
from pathlib import Path

from openclaw.config.agent_settings import entriesByID
from openclaw.config.findings import child, item
from openclaw.config.root import Config
from openclaw.private_files import accessWarning

MAX_LINKS = 40
"""
The number of symbolic links that Linux follows in one path.
"""


def exposedFiles(
    config: Config,
    path: Path | None,
    state: Path,
    others: Iterable[tuple[str, Path]] = (),
) -> list[str]:
    """
    Find the agents whose workspace holds the configuration, the state directory or a
    file with a secret, or is inside the state directory.  Links are followed.  A
    workspace that holds only a link to such a file is one of them, too: who can replace
    the link chooses the file.

    @param path: The configuration file, if there is one.

    @param state: The state directory.

    @param others: More files that no agent may reach, with their names.

    @return: A line for each fault, which begins with the key.
    """
    faults: dict[str, None] = {}
    private = [
        (name, file, list(entriesTo(file)))
        for name, file in (
            ("the state directory", state),
            *_private(config, path),
            *others,
        )
    ]
    realState = Path(os.path.realpath(state))
    for key, each in _workspaces(config):
        workspace = Path(os.path.realpath(each))
        if _isLoop(each):
            faults[f"{key}: {each} leads to itself by symbolic links"] = None
            continue
        if workspace == realState or realState in workspace.parents:
            line = f"{key}: {workspace} is inside the state directory {realState}"
            faults[line] = None
        for name, file, entries in private:
            if any(workspace in entry.parents for entry in entries):
                faults[f"{key}: {workspace} holds {name}, {file}"] = None
    return list(faults)


def accessWarnings(
    config: Config,
    path: Path | None,
    state: Path,
    others: Iterable[tuple[str, Path]] = (),
) -> list[str]:
    """
    Find the private files and directories that other users can change or read.

    @return: A line for each, which begins with its name.
    """
    found = [
        ("the state directory", accessWarning(state, secret=False)),
        *(
            (name, accessWarning(file, secret=name == "gateway.tls.keyPath"))
            for name, file in _private(config, path)
        ),
        *((name, accessWarning(file, secret=True)) for name, file in others),
    ]
    return [f"{name}: {warning}" for name, warning in found if warning is not None]


def entriesTo(path: Path) -> Iterator[Path]:
    """
    Yield each directory entry that the system goes by to reach a file, those in the
    targets of symbolic links included.

    @return: Paths of which all but the last name is free of links.
    """
    place, links = Path("/"), 0
    left = list(reversed(path.absolute().parts[1:]))
    while left:
        name = left.pop()
        if name == "..":
            place = place.parent
            continue
        entry = place / name
        yield entry
        try:
            target = Path(os.readlink(entry))
        except OSError:
            place = entry  # No link, or nothing that could be one.
            continue
        links += 1
        if links > MAX_LINKS:
            return
        if target.is_absolute():
            place = Path("/")
            left += reversed(target.parts[1:])
        else:
            left += reversed(target.parts)


def _isLoop(path: Path) -> bool:
    try:
        os.stat(path)
    except OSError as error:
        return error.errno == ELOOP
    return False


def _workspaces(config: Config) -> Iterator[tuple[str, Path]]:
    """
    Yield the workspaces in use, each with the key that names it.
    """
    agents = config.agents
    keys = {
        agent.id: item("agents.list", index) for index, agent in enumerate(agents.list)
    }
    keys |= {agentID: child("agents.entries", agentID) for agentID in agents.entries}
    for agentID, entry in entriesByID(agents).items():
        if entry.workspace is not None:
            yield child(keys[agentID], "workspace"), entry.workspace
        elif agents.defaults.workspace is not None:
            yield "agents.defaults.workspace", agents.defaults.workspace


def _private(config: Config, path: Path | None) -> Iterator[tuple[str, Path]]:
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
