"""
The gateway as a Twisted service.

L{makeService} creates a gateway that can be a child of any
L{twisted.application.service.MultiService}, beside others.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.threads import deferToThreadPool
from twisted.logger import (
    FilteringLogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogPublisher,
)

from openclaw.api.app import GatewayApp
from openclaw.audit import NAMESPACE as AUDIT_NAMESPACE
from openclaw.audit import AuditFile
from openclaw.auth.doorkeeper import AuthState
from openclaw.auth.named_tokens import NamedTokens
from openclaw.auth.rejection_log import RejectionLog
from openclaw.auth.revocation import RevocationWatcher
from openclaw.backends import Backend, InProcessBackend
from openclaw.composition import Composition
from openclaw.config import Config, LoadedConfig
from openclaw.config_reloader import ConfigReloader, LaunchOptions, keysNeedingRestart
from openclaw.errors import (
    ConfigError,
    InternalError,
    OpenClawError,
    StartError,
    StoreError,
)
from openclaw.metrics.exposition import MetricsPage
from openclaw.models.local.local_provider import LocalModelProvider
from openclaw.net.listening import ListeningPorts, makeEndpoint
from openclaw.server.access import AccessCheck
from openclaw.server.limits import openFileLimit
from openclaw.server.request_channel import Access
from openclaw.server.site import GatewaySite
from openclaw.startup_banner import (
    describeAgentChanges,
    describeAgents,
    logSandbox,
    startupBanner,
)
from openclaw.state_directory import Adopt, prepareState
from openclaw.workers.shared_ports import isShareable
from openclaw.workers.topology import SingleProcess, Topology


class GatewayService(Service):
    """
    A gateway service.

    @ivar ready: Fires when it accepts requests; fails with an
        L{openclaw.errors.OpenClawError} if it can't start.
    """

    name = "openclaw"

    def __init__(self, launch: LaunchOptions) -> None:
        """
        Load the configuration, and check all that can be checked before anything is
        started.

        @raise ConfigError: The configuration is wrong.
        @raise openclaw.errors.StartError: The gateway can't start for another reason.
        """
        self._launch = launch
        self._reactor = reactor = launch.reactor
        self.ready: Deferred[None] = Deferred()
        self._stopped: Deferred[None] | None = None
        self._delegates = False
        self._levels = LogLevelFilterPredicate()
        self._levels.setLogLevelForNamespace(AUDIT_NAMESPACE, LogLevel.info)
        self._auditFile: AuditFile | None = None
        self._log = Logger(
            namespace="openclaw",
            observer=FilteringLogObserver(globalLogPublisher, [self._levels]),
        )
        member = launch.member
        self._topology: Topology = SingleProcess() if member is None else member
        self._reloader = ConfigReloader(launch, self._topology, self._log)
        self._loaded = loaded = self._reloader.load()
        state = self._reloader.state
        prepareState(state, launch.adopt)
        self._authState = AuthState(
            tokens=NamedTokens(state, launch.now, self._log, audits=member is None),
            throttle=self._topology.throttle(
                loaded.config.gateway.auth.rateLimit, reactor, self._log
            ),
            quotas=self._topology.quotas(reactor),
            rejections=RejectionLog(reactor, self._log),
        )
        self._applySettings(loaded)
        self._live = self._reloader.buildLiveConfig(loaded, self._authState)
        config = loaded.config
        listener = self._topology.listener(reactor)
        self._listening = ListeningPorts(
            [self._topology.endpoint(each, reactor) for each in launch.listen]
            or [makeEndpoint(config.gateway, listener, self._log)]
        )
        self._composition = Composition(
            config=config,
            state=state,
            environ=launch.environ,
            reactor=reactor,
            log=self._log,
            topology=self._topology,
        )
        self._backend: Backend = InProcessBackend(self._composition, self._log)
        tokens, runtime = self._authState.tokens, self._composition.runtime
        runtime.isRevoked = tokens.isRevoked
        self._revocationWatch = RevocationWatcher(tokens, runtime.endRevoked, reactor)
        self._metrics = MetricsPage(
            runtime.tally, runtime.countRuns, reactor, self._composition.failures
        )
        self._app = app = GatewayApp(
            runtime=runtime,
            tools=self._composition.agentTools,
            failing=self._composition.failing,
            metrics=self._metrics,
            reactor=reactor,
            log=self._log,
            now=launch.now,
            peers=self._topology.peers,
            makeRunID=self._topology.makeRunID,
        )
        resource = (
            app.resource if member is None else member.forwardingResource(app.resource)
        )
        access = AccessCheck(lambda: self._live, app.routes)
        self._site = self._makeSite(resource, access)
        app.connections = self._site.connections
        if member is not None:
            member.balance.connections = self._site.connections

    def _makeSite(self, resource: Any, access: Access) -> GatewaySite:
        return GatewaySite(
            resource,
            access,
            self._reactor,
            lambda: self._live.config.gateway.http,
            openFileLimit(),
        )

    # Configuration

    def _checkReach(self, config: Config) -> None:
        """
        Reject remote access with a generated token, which is only for users of this
        machine.
        """
        credential = self._reloader.credential(config)
        # Without a configured secret, remote access needs a trusted proxy.
        if credential.secret is None and credential.mode != "trusted-proxy":
            self._listening.refuseRemote()

    def _applySettings(self, loaded: LoadedConfig) -> None:
        config = loaded.config
        self._levels.defaultLogLevel = LogLevel.levelWithName(config.logging.level)
        self._authState.throttle.setLimits(config.gateway.auth.rateLimit)
        path = str(loaded.path or "no configuration file")
        for warning in loaded.warnings if self._launch.member is None else ():
            self._log.warn("{path}: {warning}", path=path, warning=warning)

    def reload(self) -> "Deferred[None]":
        """
        Reload the configuration.  Runs in progress keep the old one; a configuration
        with errors changes nothing.
        """
        return Deferred.fromCoroutine(self._reload())

    async def _reload(self) -> None:
        if not self._delegates:
            self._listening.renew()
        try:
            # A large JSON5 file takes half a second to parse.
            loaded = await deferToThreadPool(
                self._reactor, self._reactor.getThreadPool(), self._reloader.load
            )
            if not self.running:
                return
            self._checkEmptied(loaded)
            self._checkReach(loaded.config)
            live = self._reloader.buildLiveConfig(loaded, self._authState)
            self._composition.reconfigure(loaded.config)
        except (ConfigError, StartError) as error:
            self._log.error(
                "The new configuration is rejected, the old one stays: {error}",
                error=error.message,
            )
            return
        replaced, self._live = self._live, live
        self._loaded = loaded
        self._applySettings(loaded)
        await self._backend.reload()
        if self._delegates:
            # All workers have reloaded by now.
            self._listening.renew()
        if self._launch.member is not None:
            return  # The daemon logs this for all workers.
        self._log.info("The configuration was reloaded: {path}", path=loaded.path)
        self._log.info("agents: {agents}", agents=describeAgents(live.directory))
        for change in describeAgentChanges(replaced.directory, live.directory):
            self._log.warn("agents: {change}", change=change)
        for key in keysNeedingRestart(replaced.config, loaded.config):
            self._log.warn("{key} changed; this takes effect at a restart", key=key)

    def _checkEmptied(self, loaded: LoadedConfig) -> None:
        """
        Keep the old configuration if the file is missing or empty: most likely it is
        being written, or the disk is full.

        @raise ConfigError: It is missing or empty.
        """
        before = self._loaded
        if before.path is None:
            return
        if loaded.path is None:
            raise ConfigError(f"{before.path}: does not exist any more")
        if loaded.isEmpty and not before.isEmpty:
            raise ConfigError(
                f"{loaded.path}: is empty. Restart to go back to the defaults."
            )

    # Service

    def logsJSON(self) -> bool:
        """
        Return whether the configuration asks for a JSON log, which is set up once per
        process.
        """
        return self._live.config.logging.format == "json"

    @property
    def config(self) -> Config:
        return self._live.config

    @property
    def local(self) -> LocalModelProvider:
        return self._composition.local

    def prepareLocal(self) -> None:
        """
        Load the embedded model, if it is to start at once.
        """
        self._composition.startLocal()

    @property
    def log(self) -> Logger:
        return self._log

    def delegate(self, backend: Backend) -> None:
        """
        Let a backend serve the requests.  Call it before the start; this service then
        only opens the ports and checks the configuration.
        """
        self._backend = backend
        self._delegates = True

    def ports(self) -> Sequence[IListeningPort]:
        return self._listening.ports

    def urls(self) -> list[str]:
        """
        Return the base URLs of the open ports, such as C{http://127.0.0.1:18789}.
        """
        return self._listening.urls()

    def privilegedStartService(self) -> None:
        """
        Listen, while the process may open ports below 1024.

        @raise openclaw.errors.StartError: A port can't be opened.
        """
        super().privilegedStartService()
        self._listen()

    def _listen(self) -> None:
        if self._stopped is not None:
            raise StartError("A stopped gateway can't be started again.")
        if not self._listening.ports:
            self._listening.start(self._site)
            if self._delegates:
                self._stopAccepting()
            self._site.loopback = self._listening.loopback()
            try:
                self._checkReach(self._live.config)
            except StartError:
                self._listening.stop()
                raise

    def _stopAccepting(self) -> None:
        """
        Stop accepting connections here, since the workers do.
        """
        for (name, _), port in zip(
            self._listening.endpoints, self._listening.ports, strict=True
        ):
            if not isShareable(port):
                self._listening.stop()
                raise StartError(f"Several workers can't share {name!r}.")
            port.stopReading()  # type: ignore[attr-defined]

    def startService(self) -> None:
        """
        Start the gateway; see C{ready}.

        @raise openclaw.errors.StartError: A port can't be opened, or the gateway was
            stopped.
        """
        self._listen()
        self._openAudit()
        super().startService()
        self._revocationWatch.start()
        Deferred.fromCoroutine(self._start()).addErrback(
            lambda failure: self._log.failure("Starting failed", failure=failure)
        )

    def _openAudit(self) -> None:
        """
        Open the audit file, in the process that writes the log.
        """
        logging = self._live.config.logging
        if logging.auditFile is not None and self._launch.member is None:
            asJSON = logging.format == "json"
            self._auditFile = AuditFile(logging.auditFile, asJSON=asJSON)
            globalLogPublisher.addObserver(self._auditFile)

    async def _start(self) -> None:
        failure: OpenClawError | None = None
        try:
            await self._backend.start()
            self._listenForPeers()
        except (StartError, StoreError) as error:
            failure = error
        except Exception:
            self._log.failure("The gateway failed to start")
            failure = InternalError("The gateway failed to start.")
        if not self.running:
            # Stopping closes the store while it is being opened.
            self.ready.errback(StartError("The gateway was stopped."))
        elif failure is not None:
            self._log.critical("{error}", error=failure.message)
            self.ready.errback(failure)
        else:
            if self._launch.member is None:
                text = startupBanner(
                    live=self._live,
                    credential=self._reloader.credential(self._live.config),
                    urls=self._listening.urls(),
                    state=self._reloader.state,
                )
                self._log.info("{text}", text=text)
            self.ready.callback(None)
            if self._launch.member is None:
                await logSandbox(self._reactor, self._live.config, self._log)

    def _listenForPeers(self) -> None:
        """
        Listen for requests from other workers.
        """
        member = self._launch.member
        if member is not None and self.running:
            member.listen(self._app, lambda: self._live, self._makeSite)

    def cancelRuns(self) -> None:
        self._backend.cancelRuns()

    async def drain(self) -> None:
        """
        Start no more runs, and let those in progress end within
        C{gateway.drainSeconds}.
        """
        await self._backend.drain(self._live.config.gateway.drainSeconds)
        if self._launch.member is not None:
            await self._launch.member.untilIdle()

    def stopService(self) -> "Deferred[None]":
        """
        Drain the gateway and close everything.

        @return: Fires when all is closed.  Further calls return the same Deferred.
        """
        super().stopService()
        self._revocationWatch.stop()
        if self._stopped is None:
            self._stopped = Deferred.fromCoroutine(self._stop())
        return self._stopped

    async def _stop(self) -> None:
        member = self._launch.member
        await self.drain()
        await self._listening.stop()
        await self._site.close()
        if member is not None:
            await member.close()
        self._metrics.stop()
        await self._composition.stop()
        self._log.info("Stopped")
        if self._auditFile is not None:
            globalLogPublisher.removeObserver(self._auditFile)
            self._auditFile.close()


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
    Create a gateway.

    @param config: The configuration file; by default it is searched for.
    @param listen: Endpoint descriptions, instead of the configuration's bind and port.
    @param checkers: Checkers for HTTP Basic, in addition to the gateway's credential.
    @param environ: The environment; by default the process's.

    @raise ConfigError: The configuration is wrong.
    @raise openclaw.errors.StartError: The gateway can't start for another reason.
    """
    return GatewayService(
        LaunchOptions(
            reactor=reactor,
            environ=dict(os.environ) if environ is None else environ,
            configOption=config,
            listen=listen,
            checkers=checkers,
            adopt=adopt,
        )
    )
