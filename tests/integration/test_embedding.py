"""
Gateways as services in another program's process.
"""

import threading
from collections.abc import Sequence
from pathlib import Path

from twisted.application.service import MultiService
from twisted.internet import process, reactor

from openclaw.errors import StartError
from openclaw.service import GatewayService, makeService
from tests.integration.daemon_case import LOOPBACK, DaemonTestCase
from tests.integration.http_caller import Caller, streamedWords
from tests.integration.requirements import missingModel

OWN_OF_TRIAL = ("twisted.trial.", "twisted.internet._signals")
"""
Modules whose objects change with each phase of a test.
"""


class EmbeddingTestCase(DaemonTestCase):
    """
    A test case that compares the process before and after.
    """

    before: dict[str, set[object]] | None = None

    def held(self) -> dict[str, set[object]]:
        """
        Return everything that a gateway may hold in its process.
        """
        return {
            "delayed calls": {
                call
                for call in reactor.getDelayedCalls()
                if not call.func.__module__.startswith(OWN_OF_TRIAL)
            },
            "sockets": {
                socket
                for socket in {*reactor.getReaders(), *reactor.getWriters()}
                if not type(socket).__module__.startswith(OWN_OF_TRIAL)
            },
            "threads": {
                thread
                for thread in threading.enumerate()
                if thread not in reactor.getThreadPool().threads
            },
            "children": set(process.reapProcessHandlers),
        }

    async def assertNothingIsLeft(self) -> None:
        """
        Assert that everything is as before the gateway.
        """
        await self.upstream.left()
        assert self.before is not None
        for kind, held in self.held().items():
            self.assertEqual(held - self.before[kind], set(), kind)

    def make(
        self,
        name: str = "one",
        config: Path | None = None,
        listen: Sequence[str] = (LOOPBACK,),
    ) -> GatewayService:
        """
        Create a gateway without starting it.
        """
        if self.before is None:
            self.before = self.held()
        gateway = makeService(
            reactor=reactor,
            config=str(config or self.configure()),
            listen=listen,
            environ=self.environment(OPENCLAW_STATE_DIR=str(self.folder / name)),
        )
        self.addCleanup(gateway.stopService)
        return gateway

    async def begin(self, gateway: GatewayService) -> Caller:
        """
        Start a gateway, and wait until it is ready.
        """
        gateway.startService()
        await gateway.ready
        return self.caller(gateway)


class SeveralTests(EmbeddingTestCase):
    """
    Two gateways in one process.
    """

    async def test_eachIsItsOwn(self) -> None:
        """
        Each has its own configuration, port, credential and sessions; stopping one does
        not affect the other.
        """
        self.upstream.says("so")
        parent = MultiService()
        gateways = []
        for name in ("one", "two"):
            changes = {
                "gateway": {"auth": {"token": f"token of {name}"}},
                "agents": {"defaults": {"systemPrompt": f"You are {name}."}},
            }
            gateway = self.make(name, self.configure(changes, f"{name}.json"))
            gateway.setName(name)
            gateway.setServiceParent(parent)
            gateways.append(gateway)
        parent.startService()
        one, two = gateways
        for gateway in gateways:
            await gateway.ready
        for gateway in gateways:
            caller = self.caller(gateway, f"token of {gateway.name}")
            answer = await caller.ask(f"I am with {gateway.name}", user="ann")
            self.assertEqual(await answer.words(), "so")
            self.assertEqual(
                self.upstream.heard(), [("user", f"I am with {gateway.name}")]
            )
            system = self.upstream.calls[-1].body["messages"][0]["content"]
            self.assertEqual(system, f"You are {gateway.name}.")
        wrong = await self.caller(two, "token of one").ask("hi")
        self.assertEqual(wrong.status, 401)

        await one.disownServiceParent()
        self.assertEqual((await self.caller(two).get("/readyz")).status, 200)
        await parent.stopService()
        await self.assertNothingIsLeft()


class StopTests(EmbeddingTestCase):
    """
    After C{stopService} nothing is left.
    """

    async def test_afterServing(self) -> None:
        """
        After replies, streams, failures and a session.
        """
        gateway = self.make()
        caller = await self.begin(gateway)
        self.upstream.says("so")
        await (await caller.ask("hi", user="ann")).whole()
        await (await caller.ask("hi", stream=True)).whole()
        self.upstream.answer = lambda call: call.refuse(500)
        await (await caller.ask("hi")).whole()
        await gateway.reload()
        await gateway.stopService()
        await self.assertNothingIsLeft()

    async def test_duringTheStart(self) -> None:
        """
        During the start: it never becomes ready, without an error in the log.
        """
        gateway = self.make()
        gateway.startService()
        stopped = gateway.stopService()
        await self.assertFailure(gateway.ready, StartError)
        await stopped
        await self.assertNothingIsLeft()

    async def test_beforeTheStart(self) -> None:
        """
        Before the start.
        """
        await self.make().stopService()
        await self.assertNothingIsLeft()

    async def test_duringARun(self) -> None:
        """
        During a stream, which can end; a second stop changes nothing.
        """
        gateway = self.make()
        caller = await self.begin(gateway)
        asked = self.upstream.nextCall()
        connection = await caller.connect("hi", stream=True, user="ann")
        call = await asked
        call.say("Hello")
        await connection.until("Hello")
        stopping = [gateway.stopService(), gateway.stopService()]
        call.say(" to you")
        call.finish()
        received = await connection.until("[DONE]")
        for stopped in stopping:
            await stopped
        self.assertEqual(streamedWords(received), "Hello to you")
        await connection.lost
        await self.assertNothingIsLeft()

    async def test_hurried(self) -> None:
        """
        Without time to drain, streams are ended.
        """
        gateway = self.make()
        caller = await self.begin(gateway)
        asked = self.upstream.nextCall()
        connection = await caller.connect("hi", stream=True)
        call = await asked
        call.say("Hello")
        await connection.until("Hello")
        stopped = gateway.stopService()
        gateway.cancelRuns()
        await stopped
        await call.gone
        await connection.lost
        self.assertIn("server_shutting_down", connection.received)
        await self.assertNothingIsLeft()

    async def test_again(self) -> None:
        """
        A stopped gateway can't be started again.
        """
        gateway = self.make()
        await self.begin(gateway)
        await gateway.stopService()
        self.assertRaises(StartError, gateway.startService)
        self.assertRaises(StartError, gateway.privilegedStartService)
        self.assertFalse(gateway.running)
        await gateway.stopService()
        await self.assertNothingIsLeft()

    async def test_busyPort(self) -> None:
        """
        A gateway whose port is in use fails, and holds nothing.
        """
        port = self.upstream.url.rpartition(":")[2].removesuffix("/v1")
        gateway = self.make(listen=[LOOPBACK, f"tcp:{port}:interface=127.0.0.1"])
        error = self.assertRaises(StartError, gateway.startService)
        self.assertIn(port, error.message)
        await gateway.stopService()
        await self.assertNothingIsLeft()


class EmbeddedModelTests(EmbeddingTestCase):
    """
    A gateway with the embedded model.
    """

    skip = missingModel()

    async def test_noChildIsLeft(self) -> None:
        """
        Its process ends with the gateway, even during loading.
        """
        local = {"start": "atOnce", "threads": 1}
        changes = {
            "agents": {"defaults": {"model": "local/smollm2-135m-instruct"}},
            "models": {"local": local},
        }
        gateway = self.make(config=self.configure(changes))
        await self.begin(gateway)
        self.assertEqual(len(self.held()["children"] - self.before["children"]), 1)
        await gateway.stopService()
        await self.assertNothingIsLeft()
