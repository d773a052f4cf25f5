"""
C{openclaw config check}: say what is wrong with a configuration, without starting.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, formatEvent
from zope.interface import implementer

from openclaw.config.loading import SYSTEM_PATH, LoadedConfig, findConfig, loadConfig
from openclaw.errors import ConfigError, StartError
from openclaw.models.registry import Providers
from openclaw.net.tls import serverContext, validityWarning
from openclaw.plugin_check import checkInstalled


@implementer(ILogObserver)
class _Warnings:
    """
    Writes what is logged as a line each.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: LogEvent) -> None:
        if event["log_level"] >= LogLevel.warn:
            print(f"warning: {formatEvent(event)}", file=self._stream)


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
        loaded = loadConfig(findConfig(path, environ, system), environ)
        _checkPlugIns(loaded, environ, Logger(observer=_Warnings(stderr)))
        _checkCertificate(loaded, stderr)
    except (ConfigError, StartError) as error:
        print(error.message, file=stderr)
        return 1
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=stderr)
    if loaded.path is None:
        print("there is no configuration file; the defaults apply", file=stdout)
    else:
        print(f"{loaded.path}: no errors", file=stdout)
    return 0


def _checkPlugIns(
    loaded: LoadedConfig, environ: Mapping[str, str], log: Logger
) -> None:
    """
    Is all that is named there installed, and does it take its settings?

    @raise ConfigError: It is not, or does not.
    """
    checkInstalled(loaded, log)
    if loaded.config.models.providers:
        from twisted.internet import reactor

        # They are made, as the daemon would, but not asked.
        Providers(reactor, environ, log).configure(loaded.config)


def _checkCertificate(loaded: LoadedConfig, stderr: TextIO) -> None:
    """
    Load the certificate and its key, if there are any.

    @raise StartError: They can't be used.
    """
    tls = loaded.config.gateway.tls
    if tls.certPath is not None and tls.keyPath is not None:
        serverContext(tls.certPath, tls.keyPath)
        warning = validityWarning(tls.certPath)
        if warning is not None:
            print(f"warning: {warning}", file=stderr)
