"""
Tests of L{openclaw.composition}.
"""

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.logger import Logger, formatEvent

from openclaw.agents.run import AgentRun
from openclaw.agents.run_request import RunRequest
from openclaw.agents.turns import RunResult
from openclaw.composition import STORE_NAME, Composition
from openclaw.config import Config
from openclaw.errors import ModelUnavailable, ShuttingDown, StoreError
from openclaw.messages import UserMessage
from openclaw.testing import ScriptedModelServer, ServedCall
from tests.cli.served_model import ServedTestCase
from tests.config.check_helpers import configOf
from tests.sessions.store_case import openFiles

SAID = (UserMessage("Hello?"),)


class CompositionTestCase(ServedTestCase):
    """
    A test case with a composition.
    """

    def setUp(self) -> None:
        super().setUp()
        self.logged: list[str] = []

    def config(
        self, model: str = "served/m1", local: dict | None = None, **more
    ) -> Config:
        """
        Return a configuration for the model server.

        @param local: The settings of the embedded model.
        @param more: Further keys.
        """
        providers = {"served": {"baseUrl": self.baseURL}}
        return configOf(
            {
                "agents": {"defaults": {"model": model}},
                "models": {"providers": providers, "local": local or {}},
                **more,
            }
        )

    def compose(self, config: Config | None = None) -> Composition:
        """
        Return a composition that is not started.
        """
        composition = Composition(
            config=config or self.config(),
            state=self.state,
            environ=self.environ,
            reactor=reactor,
            log=Logger(observer=lambda event: self.logged.append(formatEvent(event))),
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(composition.stop()))
        return composition

    async def started(self, config: Config | None = None) -> Composition:
        """
        Return a started composition.
        """
        composition = self.compose(config)
        await composition.start()
        return composition

    def begin(self, composition: Composition, config: Config | None = None) -> AgentRun:
        """
        Start a run of the main agent.
        """
        return composition.runtime.startRun(
            RunRequest(
                agent=(config or self.config()).agentSettings()[0],
                system="",
                sessionKey="agent:main:a",
                stateful=True,
                opening=SAID,
                following=SAID,
            ),
            lambda events: None,
        )


class RunningTests(CompositionTestCase):
    """
    Providers, store and runtime together.
    """

    async def test_run(self) -> None:
        """
        A run calls the configured provider and is stored in the state directory.
        """
        self.answering("Hello you.")
        composition = await self.started()
        result = await self.begin(composition).done
        self.assertEqual(result.text, "Hello you.")
        self.assertTrue((self.state / STORE_NAME).is_file())
        await self.begin(composition).done
        said = [each["content"] for each in self.model.calls[1].body["messages"]]
        self.assertEqual(said, ["Hello?", "Hello you.", "Hello?"])

    async def test_storeElsewhere(self) -> None:
        """
        The session store can be elsewhere.
        """
        self.answering("Hello you.")
        path = Path(self.mktemp()).absolute() / "my.sqlite"
        composition = await self.started(self.config(session={"store": str(path)}))
        await self.begin(composition).done
        self.assertTrue(path.is_file())
        self.assertFalse((self.state / STORE_NAME).exists())

    async def test_severalInOneProcess(self) -> None:
        """
        Two compositions can share a state directory, even in one process.
        """
        self.answering("Hello you.")
        compositions = [await self.started(), await self.started()]
        for composition in compositions:
            await self.begin(composition).done
        said = [each["content"] for each in self.model.calls[1].body["messages"]]
        self.assertEqual(said, ["Hello?", "Hello you.", "Hello?"])


class HealthTests(CompositionTestCase):
    """
    The reasons for failures.
    """

    async def test_life(self) -> None:
        """
        Before the store is open, while everything works, and during draining.
        """
        composition = self.compose()
        self.assertEqual(composition.failing(), ["the session store is not open yet"])
        await composition.start()
        self.assertEqual(composition.failing(), [])
        await composition.runtime.drain(0)
        self.assertEqual(composition.failing(), ["the gateway is shutting down"])

    async def test_store(self) -> None:
        """
        A store that can't be opened is an error, and remains a failure.
        """
        (self.state / STORE_NAME).mkdir()
        composition = self.compose()
        with self.assertRaises(StoreError):
            await composition.start()
        self.assertEqual(composition.failing(), ["the session store can't be opened"])

    async def test_embeddedModel(self) -> None:
        """
        An embedded model that can't run here is a failure if an agent uses it; the log
        has instructions, and runs have the error.
        """
        local = f"local/{Config().models.local.id}"
        missing = {"modelPath": str(self.state / "missing.gguf")}
        config = self.config(local, local=missing)
        composition = await self.started(config)
        self.assertEqual(composition.failing(), ["the embedded model can't be run"])
        (line,) = self.logged
        self.assertIn("The embedded model needs", line)
        with self.assertRaises(ModelUnavailable):
            await self.begin(composition, config).done

    async def test_embeddedModelNoLonger(self) -> None:
        """
        When no agent uses it any more it is not a failure.
        """
        local = f"local/{Config().models.local.id}"
        missing = {"modelPath": str(self.state / "missing.gguf")}
        composition = await self.started(self.config(local, local=missing))
        self.assertEqual(composition.failing(), ["the embedded model can't be run"])
        composition.reconfigure(self.config(local=missing))
        self.assertEqual(composition.failing(), [])

    async def test_embeddedModelUnused(self) -> None:
        """
        If no agent uses it nothing is logged.
        """
        missing = {"modelPath": str(self.state / "missing.gguf")}
        composition = await self.started(self.config(local=missing))
        self.assertEqual(composition.failing(), [])
        self.assertEqual(self.logged, [])


class ReconfiguringTests(CompositionTestCase):
    """
    Reconfiguration during runs.
    """

    async def test_otherProvider(self) -> None:
        """
        A run in progress keeps its provider; the next uses the new one, and the old one
        is closed.
        """
        composition = await self.started()
        asked = self.model.nextCall()
        first = self.begin(composition)
        call = await asked
        call.say("Old")
        other = ScriptedModelServer()
        self.baseURL = self.serve(other)
        config = self.config()
        composition.reconfigure(config)

        def answer(call: ServedCall) -> None:
            call.say("New.")
            call.finish()

        other.answer = answer
        call.say(" one.")
        call.finish()
        self.assertEqual((await first.done).text, "Old one.")
        self.assertEqual((await self.begin(composition, config).done).text, "New.")
        self.assertEqual(len(self.model.calls), 1)

    async def test_providerGone(self) -> None:
        """
        A queued run whose provider was removed fails with that reason.
        """
        composition = await self.started()
        asked = self.model.nextCall()
        first = self.begin(composition)
        second = self.begin(composition)
        call = await asked
        composition.reconfigure(Config())
        call.say("Hello you.")
        call.finish()
        self.assertIsInstance(await first.done, RunResult)
        with self.assertRaises(ModelUnavailable):
            await second.done

    async def test_limits(self) -> None:
        """
        New limits apply.
        """
        composition = await self.started()
        config = self.config(session={"maxWaiting": 0})
        composition.reconfigure(config)
        asked = self.model.nextCall()
        first = self.begin(composition)
        await asked
        second = self.begin(composition)
        failure = self.failureResultOf(second.done)
        self.assertEqual(failure.value.code, "session_busy")
        first.done.addErrback(lambda failure: failure.trap(ShuttingDown))


class StoppingTests(CompositionTestCase):
    """
    Stopping closes everything: trial reports leftovers.
    """

    async def test_runsInProgress(self) -> None:
        """
        Runs in progress end, and their sockets are closed; the session is free.
        """
        composition = await self.started()
        asked = self.model.nextCall()
        run = self.begin(composition)
        call = await asked
        stopping = Deferred.fromCoroutine(composition.stop())
        with self.assertRaises(ShuttingDown):
            await run.done
        await stopping
        await call.gone
        self.answering("Yes.")
        again = await self.started()
        await self.begin(again).done
        said = [each["content"] for each in self.model.calls[1].body["messages"]]
        self.assertEqual(said, ["Hello?", "Hello?"])

    async def test_idleConnections(self) -> None:
        """
        Pooled connections are closed.
        """
        self.answering("Yes.")
        composition = await self.started()
        await self.begin(composition).done
        await composition.stop()

    async def test_files(self) -> None:
        """
        The store's files are closed.
        """
        path = self.state / STORE_NAME
        composition = await self.started()
        self.assertNotEqual(openFiles(path), [])
        await composition.stop()
        self.assertEqual(openFiles(path), [])

    async def test_neverStarted(self) -> None:
        """
        A composition that was never started can be stopped, and one can be stopped
        twice.
        """
        composition = self.compose()
        await composition.stop()
        await composition.stop()

    async def test_retiredProviders(self) -> None:
        """
        Retired providers are closed with the rest.
        """
        self.answering("Yes.")
        composition = await self.started()
        await self.begin(composition).done
        composition.reconfigure(Config())
        await composition.stop()
