"""
Build providers, session store and runtime from a configuration.
"""

from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from openclaw.agents.agent_tools import AgentTools
from openclaw.agents.runtime import Runtime
from openclaw.config import LOCAL_PROVIDER, Config
from openclaw.models.local.local_provider import LocalModelProvider
from openclaw.models.registry import Providers
from openclaw.net.threads import runInThread
from openclaw.sessions.store.fault_watch import FaultWatch
from openclaw.sessions.store.sqlite import SQLiteSessionStore
from openclaw.tools.catalogue import Catalogue
from openclaw.tools.temporary import removeLeftovers
from openclaw.workers.topology import SingleProcess, Topology

STORE_NAME = "sessions.sqlite"


class Composition:
    """
    The providers, the session store and the runtime of a gateway.
    """

    def __init__(
        self,
        *,
        config: Config,
        state: Path,
        environ: Mapping[str, str],
        reactor: Any,
        log: Logger,
        topology: Topology | None = None,
    ) -> None:
        """
        Build all parts without starting them.

        @param state: The state directory.

        @param reactor: A full reactor: time, TCP, processes and threads.

        @param topology: The parts that workers share; a single process by default.
        """
        topology = topology or SingleProcess()
        self._config = config
        self._reactor = reactor
        self._log = log
        self.agentTools = AgentTools(Catalogue(log=log), log)
        self._providers = Providers(reactor, environ, log, engine=topology.engine)
        self._providers.configure(config)
        self._store = topology.store(
            SQLiteSessionStore(
                reactor=reactor,
                path=config.session.store or state / STORE_NAME,
                log=log,
            )
        )
        self._storeFault: str | None = "the session store is not open yet"
        self._faultWatch = FaultWatch(self._store, reactor)
        self._retired: set[Deferred[None]] = set()
        self.runtime = Runtime(
            config=config,
            providers=self._providers.get,
            store=self._store,
            reactor=reactor,
            log=log,
        )

    async def start(self) -> None:
        """
        Open the store and prepare for runs.

        @raise openclaw.errors.StoreError: The session store can't be opened.
        """
        self.runtime.start()
        self.startLocal()
        self._removeTemporaryFiles()
        try:
            await self._store.open()
        except Exception:
            self._storeFault = "the session store can't be opened"
            raise
        self._storeFault = None
        self._faultWatch.start()

    def _removeTemporaryFiles(self) -> None:
        """
        Remove the temporary files of a killed daemon's file tools, in a thread.
        """
        agents = self._config.agentSettings()
        paths = {each.workspace for each in agents if each.workspace is not None}
        if not paths:
            return

        def remove(stop: Event) -> None:
            for path in sorted(paths):
                if count := removeLeftovers(path):
                    self._log.info(
                        "{count} temporary files removed from {path}",
                        count=count,
                        path=str(path),
                    )

        runInThread(self._reactor, remove).addErrback(
            lambda failure: self._log.failure("Temporary files remain", failure)
        )

    def reconfigure(self, config: Config) -> None:
        """
        Use another configuration for new runs.
        """
        retired = self._providers.configure(config)
        self._config = config
        for provider in retired:
            self._retire(provider.close())
        self.runtime.reconfigure(config)
        self.startLocal()

    def _retire(self, closing: "Deferred[None]") -> None:
        """
        Track the closing of a provider that may still have calls.
        """
        self._retired.add(closing)

        def retired(result: object) -> None:
            self._retired.discard(closing)
            if isinstance(result, Failure):
                self._log.failure("A provider could not be closed", failure=result)

        closing.addBoth(retired)

    def failures(self) -> dict[str, str]:
        """
        Return the reason for each of L{openclaw.metrics.exposition.PARTS} that fails.
        """
        found = {}
        if self.runtime.draining:
            found["draining"] = "the gateway is shutting down"
        fault = self._storeFault or self._store.fault
        if fault is not None:
            found["sessions"] = fault
        if self._usesLocal() and self._providers.local.cannotRun:
            found["embedded_model"] = "the embedded model can't be run"
        return found

    def failing(self) -> list[str]:
        return list(self.failures().values())

    def _usesLocal(self) -> bool:
        return any(
            model.provider == LOCAL_PROVIDER
            for agent in self._config.agentSettings()
            for model in (agent.model.primary, *agent.model.fallbacks)
        )

    @property
    def local(self) -> LocalModelProvider:
        return self._providers.local

    def startLocal(self) -> None:
        """
        Start the embedded model if an agent uses it.
        """
        if not self._usesLocal():
            return
        local = self._providers.local
        reason = local.unavailableReason()
        if reason is not None:
            self._log.warn("{reason}", reason=reason)
        local.start()

    async def stop(self) -> None:
        """
        End all runs, and close providers and store.
        """
        await self.runtime.stop()
        self._faultWatch.stop()
        closing = [provider.close() for provider in self._providers.all()]
        await DeferredList([*closing, *self._retired], consumeErrors=True)
        await self._store.close()
