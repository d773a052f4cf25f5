"""
Build the live configuration, and replace it at a reload.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace
from twisted.cred.checkers import FilePasswordDB, ICredentialsChecker
from twisted.logger import Logger

from openclaw.agents.agent_directory import AgentDirectory
from openclaw.auth.client_address import TrustedProxies
from openclaw.auth.doorkeeper import AuthPolicy, AuthState, Doorkeeper
from openclaw.auth.proxied_users import ProxiedUsers
from openclaw.config import (
    Config,
    LoadedConfig,
    ResolvedCredential,
    Secret,
    findConfig,
    loadConfig,
    resolveCredential,
    stateDirectory,
)
from openclaw.plugin_check import checkInstalled
from openclaw.server.live_config import LiveConfig
from openclaw.state_directory import Adopt, loadOrCreateToken
from openclaw.workers.topology import Topology

if TYPE_CHECKING:
    from openclaw.workers.worker_member import WorkerMember


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """
    The options that a gateway is launched with, apart from its configuration.

    @ivar reactor: A full reactor: time, TCP, processes and threads.
    @ivar configOption: The configuration file, if one was given.
    @ivar now: The time of day, in seconds since the epoch.
    @ivar listen: Endpoint strings, instead of the configuration's bind and port.
    @ivar checkers: Checkers for HTTP Basic.
    @ivar adopt: See L{openclaw.state_directory.Adopt}.
    @ivar member: The gateway's connection to the other workers, if there are several.
    """

    reactor: Any
    now: Callable[[], float] = time
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    configOption: str | None = None
    listen: Sequence[str] = ()
    checkers: Sequence[ICredentialsChecker] = ()
    adopt: Adopt = lambda path: None
    member: "WorkerMember | None" = None


class ConfigReloader:
    """
    Loads the configuration and builds the live configuration.

    @ivar state: The state directory.
    """

    def __init__(self, launch: LaunchOptions, topology: Topology, log: Logger) -> None:
        self.state = stateDirectory(launch.environ)
        self._launch = launch
        self._topology = topology
        self._log = log

    def load(self) -> LoadedConfig:
        """
        Find and load the configuration.  At a reload it may be another file.

        @raise openclaw.errors.ConfigError: It is invalid.
        """
        environ = self._launch.environ
        path = findConfig(self._launch.configOption, environ)
        loaded = loadConfig(
            path,
            environ,
            self._passwordFiles(),
            lambda config: checkInstalled(config, self._log),
        )
        return replace(loaded, config=self._topology.divideLimits(loaded.config))

    def _passwordFiles(self) -> list[tuple[str, Path]]:
        return [
            ("--auth", Path(os.fsdecode(checker.filename)).absolute())
            for checker in self._launch.checkers
            if isinstance(checker, FilePasswordDB)
        ]

    def credential(self, config: Config) -> ResolvedCredential:
        return resolveCredential(config, self._launch.environ)

    def buildLiveConfig(self, loaded: LoadedConfig, state: AuthState) -> LiveConfig:
        """
        Build the live configuration.

        @param state: The state of authentication, which survives a reload.
        """
        config = loaded.config
        return LiveConfig(
            config=config,
            path=loaded.path,
            directory=AgentDirectory(config),
            doorkeeper=Doorkeeper(
                self._policy(config), self._launch.checkers, state, self._log
            ),
        )

    def _policy(self, config: Config) -> AuthPolicy:
        gateway, mode = config.gateway, self.credential(config).mode
        proxied = mode == "trusted-proxy"
        return AuthPolicy(
            mode=mode,
            secret=self._secret(config),
            proxies=TrustedProxies(gateway.trustedProxies),
            proxiedUsers=ProxiedUsers(gateway.auth.trustedProxy) if proxied else None,
        )

    def _secret(self, config: Config) -> Secret | None:
        mode, secret, _ = self.credential(config)
        if mode != "token" or secret is not None:
            return secret
        return loadOrCreateToken(self.state, self._launch.adopt)


def keysNeedingRestart(before: Config, after: Config) -> list[str]:
    """
    Return the changed keys that a reload can't apply.
    """
    pairs = {
        "gateway.port": (before.gateway.port, after.gateway.port),
        "gateway.bind": (before.gateway.interface(), after.gateway.interface()),
        "gateway.tls": (before.gateway.tls, after.gateway.tls),
        "gateway.workers": (before.gateway.workers, after.gateway.workers),
        "session.store": (before.session.store, after.session.store),
        "logging.auditFile": (before.logging.auditFile, after.logging.auditFile),
        "logging.format": (before.logging.format, after.logging.format),
    }
    return [key for key, (old, new) in pairs.items() if old != new]
