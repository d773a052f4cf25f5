"""
The service tree: the one place that knows everybody.

L{makeService} puts a gateway together; it can stand in anyone's
L{twisted.application.service.MultiService}, beside others of its kind.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.application.service import Service
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred
from twisted.logger import (
    FilteringLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogPublisher,
)

from openclaw.agents.target import Directory
from openclaw.assembly import Assembly
from openclaw.auth.doorkeeper import Doorkeeper
from openclaw.config import (
    Config,
    Loaded,
    Secret,
    credentialInForce,
    load,
    locate,
    stateDirectory,
)
from openclaw.errors import ConfigError, StoreError
from openclaw.listening import Listening, endpointFrom, endpointOf
from openclaw.state import Adopt, keptToken, prepareState, tokenFile
from openclaw.web.app import GatewayApp
from openclaw.web.door import GatewayDoor
from openclaw.web.site import GatewaySite
from openclaw.web.standing import Standing

EXAMPLE = '{"model":"openclaw","messages":[{"role":"user","content":"hi"}]}'


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """
    Where and how a gateway runs, apart from its configuration.

    @ivar reactor: A whole one: time, TCP, processes and threads.
    @ivar configOption: The configuration file that was asked for, if one was.
    @ivar listen: Endpoint strings, which then hold instead of the configuration's
        bind and port.
    @ivar checkers: For HTTP Basic.
    @ivar adopt: See L{openclaw.state.Adopt}.
    """

    reactor: Any
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    configOption: str | None = None
    listen: Sequence[str] = ()
    checkers: Sequence[ICredentialsChecker] = ()
    adopt: Adopt = lambda path: None


class GatewayService(Service):
    """
    A gateway.

    @ivar ready: Fires when it serves; fails with an
        L{openclaw.errors.OpenClawError} when it can't.
    """

    name = "openclaw"

    def __init__(self, circumstances: Circumstances) -> None:
        """
        Read the configuration, and find out all that can be wrong before anything
        is started.

        @raise ConfigError: The configuration is wrong.

        @raise openclaw.errors.StartError: Something else is.
        """
        self._circumstances = circumstances
        self._reactor = reactor = circumstances.reactor
        self.ready: Deferred[None] = Deferred()
        self._levels = LogLevelFilterPredicate()
        self._log = Logger(
            namespace="openclaw",
            observer=FilteringLogObserver(globalLogPublisher, [self._levels]),
        )
        self._state = stateDirectory(circumstances.environ)
        self._path = locate(circumstances.configOption, circumstances.environ)
        loaded = load(self._path, circumstances.environ)
        prepareState(self._state, circumstances.adopt)
        self._standing = self._stand(loaded)
        config = loaded.config
        self._credential = credentialInForce(config, circumstances.environ)
        self._listening = Listening(
            [endpointFrom(each, reactor) for each in circumstances.listen]
            or [endpointOf(config.gateway, reactor)]
        )
        self._assembly = Assembly(
            config=config,
            state=self._state,
            environ=circumstances.environ,
            reactor=reactor,
            log=self._log,
        )
        app = GatewayApp(
            standing=lambda: self._standing,
            runtime=self._assembly.runtime,
            failing=self._assembly.failing,
            reactor=reactor,
            log=self._log,
        )
        door = GatewayDoor(lambda: self._standing)
        self._site = GatewaySite(app.app.resource(), door, reactor)

    # What holds

    def _stand(self, loaded: Loaded) -> Standing:
        circumstances, config = self._circumstances, loaded.config
        self._levels.defaultLogLevel = LogLevel.levelWithName(config.logging.level)
        for warning in loaded.warnings:
            self._log.warn("{path}: {warning}", path=str(loaded.path), warning=warning)
        return Standing(
            config=config,
            directory=Directory(config),
            doorkeeper=Doorkeeper(
                self._secret(config), circumstances.checkers, self._log
            ),
        )

    def _secret(self, config: Config) -> Secret | None:
        mode, secret, _ = credentialInForce(config, self._circumstances.environ)
        if mode == "none" or secret is not None:
            return secret
        return keptToken(self._state, self._circumstances.adopt)

    def reload(self) -> None:
        """
        Read the configuration again.  Runs in progress end as they began; a
        configuration that is wrong changes nothing.
        """
        try:
            loaded = load(self._path, self._circumstances.environ)
            standing = self._stand(loaded)
        except ConfigError as error:
            self._log.error(
                "The new configuration is refused, the old one stays: {error}",
                error=error.message,
            )
            return
        before, self._standing = self._standing.config, standing
        self._assembly.reconfigure(loaded.config)
        self._log.info("The configuration was read again from {path}", path=self._path)
        for key in _needRestart(before, loaded.config):
            self._log.warn("{key} changed; this takes effect at a restart", key=key)

    # Its life

    def privilegedStartService(self) -> None:
        """
        Listen, while ports below 1024 can still be had.

        @raise openclaw.errors.StartError: A port can't be had.
        """
        super().privilegedStartService()
        self._listen()

    def _listen(self) -> None:
        if not self._listening.ports:
            self._listening.start(
                self._site, allowRemote=self._credential.secret is not None
            )

    def startService(self) -> None:
        """
        Start.  C{ready} tells the rest.
        """
        super().startService()
        self._listen()
        Deferred.fromCoroutine(self._start()).addErrback(
            lambda failure: self._log.failure("Starting failed", failure=failure)
        )

    async def _start(self) -> None:
        try:
            await self._assembly.start()
        except StoreError as error:
            self._log.critical("{error}", error=error.message)
            self.ready.errback(error)
        else:
            self._announce()
            self.ready.callback(None)

    def hurry(self) -> None:
        """
        Wait no longer for runs in progress.
        """
        self._assembly.runtime.endAll()

    def stopService(self) -> "Deferred[None]":
        """
        Let runs in progress end within the drain budget, and let go of everything.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        budget = self._standing.config.gateway.drainSeconds
        runtime = self._assembly.runtime
        if runtime.runs:
            self._log.info(
                "Draining: {count} runs may go on for {seconds:g} s",
                count=len(runtime.runs),
                seconds=budget,
            )
        await runtime.drain(budget)
        await self._listening.stop()
        await self._site.close()
        await self._assembly.stop()
        self._log.info("Stopped")

    # What it says

    def _announce(self) -> None:
        config = self._standing.config
        mode, secret, source = self._credential
        if mode != "none":
            self._log.info(
                "Callers show the {mode} from {source}",
                mode=mode,
                source=source if secret is not None else str(tokenFile(self._state)),
            )
        if not config.gateway.http.endpoints.chatCompletions.enabled:
            self._log.info(
                "Listening on {urls}; the endpoint is off. To enable it, set"
                " gateway.http.endpoints.chatCompletions.enabled: true in {path}",
                urls=", ".join(self._listening.urls()),
                path=str(self._path or self._state / "openclaw.yaml"),
            )
            return
        self._log.info("{text}", text="\n".join(self._greeting()))

    def _greeting(self) -> list[str]:
        url = self._listening.urls()[0]
        mode, secret, source = self._credential
        header = ""
        if mode == "none":
            shown = "none is asked for"
        elif secret is None:
            path = tokenFile(self._state)
            shown = f"in {path}"
            header = f' -H "Authorization: Bearer $(cat {path})"'
        else:
            shown = f"{mode} from {source}"
            header = ' -H "Authorization: Bearer YOUR_TOKEN"'
        directory = self._standing.directory
        agents = ", ".join(
            f"{agent.id}{' (default)' if agent.id == directory.defaultID else ''}"
            f" on {agent.model.primary}"
            for agent in directory.agents.values()
        )
        return [
            f"Ready at {url}/v1",
            f"credential: {shown}",
            f"agents: {agents}",
            "try:",
            f"curl -sS {url}/v1/chat/completions{header}"
            " -H 'Content-Type: application/json'"
            f" -d '{EXAMPLE}'",
        ]


def _needRestart(before: Config, after: Config) -> list[str]:
    """
    The keys that changed and that a reload can't follow.
    """
    pairs = {
        "gateway.port": (before.gateway.port, after.gateway.port),
        "gateway.bind": (before.gateway.interface(), after.gateway.interface()),
        "gateway.tls": (before.gateway.tls, after.gateway.tls),
        "session.store": (before.session.store, after.session.store),
    }
    return [key for key, (old, new) in pairs.items() if old != new]


def makeService(
    *,
    reactor: Any,
    config: str | None = None,
    listen: Sequence[str] = (),
    checkers: Sequence[ICredentialsChecker] = (),
    environ: Mapping[str, str] | None = None,
    adopt: Adopt = lambda path: None,
) -> GatewayService:
    """
    Put a gateway together.

    @param config: The configuration file; by default the usual places are tried.

    @param listen: Endpoint strings, instead of the configuration's bind and port.

    @param checkers: For HTTP Basic, beside the gateway's own credential.

    @param environ: By default the process's.

    @raise ConfigError: The configuration is wrong.

    @raise openclaw.errors.StartError: Something else is.
    """
    return GatewayService(
        Circumstances(
            reactor=reactor,
            environ=dict(os.environ) if environ is None else environ,
            configOption=config,
            listen=listen,
            checkers=checkers,
            adopt=adopt,
        )
    )


__all__ = ["GatewayService", "makeService"]
