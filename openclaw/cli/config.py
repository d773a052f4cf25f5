"""
C{openclaw config check}: check a configuration without starting the daemon.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, formatEvent
from zope.interface import implementer

from openclaw.config import TOKEN_VARIABLE, Config, resolveCredential
from openclaw.config.agent_settings import locateEntries
from openclaw.config.loading import (
    SYSTEM_PATH,
    findConfig,
    loadConfig,
    stateDirectory,
)
from openclaw.errors import ConfigError, StartError
from openclaw.models.registry import Providers
from openclaw.net.tls import serverContext, validityWarning
from openclaw.plugin_check import checkInstalled
from openclaw.tools.policy import NEED_WORKSPACE, allowedTools


@implementer(ILogObserver)
class _Warnings:
    """
    Prints each logged warning as a line.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.warn:
            print(f"warning: {formatEvent(event)}", file=self._stream)


def check(
    environ: Mapping[str, str],
    stdout: TextIO,
    stderr: TextIO,
    system: Path = SYSTEM_PATH,
) -> int:
    """
    Check the configuration that the daemon would read.

    @param environ: The environment of the daemon; it may name the file.
    @param stdout: Receives one line, if there is no error.
    @param stderr: Receives one line for each error and each warning.
    @param system: The file that is read if no other is found.

    @return: The exit status: 0 if there is a file and the daemon could start with it,
        else 1.
    """
    log = Logger(observer=_Warnings(stderr))
    try:
        loaded = loadConfig(
            findConfig(None, environ, system),
            environ,
            inspect=lambda config: _inspect(config, environ, log),
        )
        _makeProviders(loaded.config, environ, log)
    except ConfigError as error:
        print(error.message, file=stderr)
        return 1
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=stderr)
    if loaded.path is None:
        print(
            f"There is no configuration file, neither in {stateDirectory(environ)} nor"
            f" {system}; the daemon would start with the defaults. `openclaw setup`"
            " writes one.",
            file=stderr,
        )
        return 1
    print(f"{loaded.path}: no errors", file=stdout)
    return 0


def _inspect(config: Config, environ: Mapping[str, str], log: Logger) -> Iterator[str]:
    """
    Look for what would keep the daemon from starting, or an agent from working.

    @return: A line for each error, which begins with its key.
    """
    yield from checkInstalled(config, log)
    yield from _checkReach(config, environ)
    yield from _checkCertificate(config, log)
    yield from _checkWorkspaces(config)


def _checkReach(config: Config, environ: Mapping[str, str]) -> Iterator[str]:
    """
    Look for a port that is open to other machines, with a generated token.
    """
    mode, secret, _ = resolveCredential(config, environ)
    if mode == "token" and secret is None and not config.gateway.onLoopback():
        yield (
            "gateway.auth.token: missing; with this gateway.bind the token must be set,"
            f" here or in the environment as {TOKEN_VARIABLE}, unless --listen names"
            " other addresses"
        )


def _checkCertificate(config: Config, log: Logger) -> Iterator[str]:
    """
    Load the certificate and its key, if configured.
    """
    tls = config.gateway.tls
    if tls.certPath is None or tls.keyPath is None:
        return
    try:
        serverContext(tls.certPath, tls.keyPath)
        warning = validityWarning(tls.certPath)
    except StartError as error:
        yield f"gateway.tls: {error.message}"
        return
    if warning is not None:
        log.warn("{warning}", warning=warning)


def _checkWorkspaces(config: Config) -> Iterator[str]:
    """
    Look for agents with file tools whose workspace is missing or can't be used.
    """
    paths = {agentID: path for path, agentID, _ in locateEntries(config.agents)}
    for agent in config.agentSettings():
        policy = agent.tools
        names = allowedTools(
            sorted(NEED_WORKSPACE), policy.profile, policy.allow, policy.deny
        )
        problem = _workspaceProblem(agent.workspace)
        if names and problem is not None:
            key = paths.get(agent.id, "agents.defaults")
            yield f"{key}.workspace: {problem}; the tools {', '.join(names)} need it"


def _workspaceProblem(workspace: Path | None) -> str | None:
    if workspace is None:
        return "missing"
    if not workspace.is_dir():
        return f"{workspace} is not a directory"
    if not os.access(workspace, os.R_OK | os.X_OK):
        return f"{workspace} can't be read"
    return None


def _makeProviders(config: Config, environ: Mapping[str, str], log: Logger) -> None:
    """
    Create the providers like the daemon, and connect to none.

    @raise ConfigError: A provider does not accept its settings.
    """
    if config.models.providers:
        from twisted.internet import reactor

        Providers(reactor, environ, log).configure(config)
