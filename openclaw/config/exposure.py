"""
Workspaces that would give an agent the gateway's own files.
"""

from collections.abc import Iterator
from pathlib import Path

from openclaw.config.root import Config


def exposedFiles(config: Config, path: Path | None, state: Path) -> list[str]:
    """
    Find the agents whose workspace holds the configuration, the state directory or a
    file with a secret, or is inside the state directory.  Links are followed.

    @param path: The configuration file, if there is one.

    @param state: The state directory.

    @return: A line for each fault, which begins with the key.
    """
    faults = []
    state = state.resolve()
    private = [(name, file.resolve()) for name, file in _private(config, path)]
    for agent in config.agentSettings():
        if agent.workspace is None:
            continue
        workspace = agent.workspace.resolve()
        key = f"agents.entries.{agent.id}.workspace"
        if workspace == state or state in workspace.parents:
            faults.append(f"{key}: {workspace} is inside the state directory {state}")
        for name, file in [("the state directory", state), *private]:
            if workspace in file.parents:
                faults.append(f"{key}: {workspace} holds {name}, {file}")
    return faults


def _private(config: Config, path: Path | None) -> Iterator[tuple[str, Path]]:
    named = (
        ("the configuration", path),
        ("gateway.tls.keyPath", config.gateway.tls.keyPath),
        ("session.store", config.session.store),
        ("logging.auditFile", config.logging.auditFile),
    )
    for name, file in named:
        if file is not None:
            yield name, file
