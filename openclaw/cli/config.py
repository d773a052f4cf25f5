"""
C{openclaw config check}: check a configuration without starting the daemon.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, formatEvent
from zope.interface import implementer

from openclaw.config.loading import (
    SYSTEM_PATH,
    LoadedConfig,
    findConfig,
    loadConfig,
    stateDirectory,
)
from openclaw.errors import ConfigError, StartError
from openclaw.models.registry import Providers
from openclaw.net.tls import serverContext, validityWarning
from openclaw.plugin_check import checkInstalled


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
    try:
        loaded = loadConfig(findConfig(None, environ, system), environ)
        _checkInstalled(loaded, environ, Logger(observer=_Warnings(stderr)))
        _checkCertificate(loaded, stderr)
    except (ConfigError, StartError) as error:
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


def _checkInstalled(
    loaded: LoadedConfig, environ: Mapping[str, str], log: Logger
) -> None:
    """
    Check that all providers and tools in the configuration are installed, and accept
    their settings.

    @raise ConfigError: Some are not, or do not.
    """
    checkInstalled(loaded, log)
    if loaded.config.models.providers:
        from twisted.internet import reactor

        # This creates the providers like the daemon, and connects to none.
        Providers(reactor, environ, log).configure(loaded.config)


def _checkCertificate(loaded: LoadedConfig, stderr: TextIO) -> None:
    """
    Load the certificate and its key, if configured.

    @raise StartError: They can't be used.
    """
    tls = loaded.config.gateway.tls
    if tls.certPath is not None and tls.keyPath is not None:
        serverContext(tls.certPath, tls.keyPath)
        warning = validityWarning(tls.certPath)
        if warning is not None:
            print(f"warning: {warning}", file=stderr)
