"""
The base class of tests of the runtime.
"""

from typing import Any

from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.run_request import RunRequest
from openclaw.agents.runtime import Runtime
from openclaw.config import (
    AgentDefaults,
    Agents,
    Config,
    ModelChoice,
    ModelRef,
    Session,
)
from openclaw.messages import Usage, UserMessage
from openclaw.testing import ScriptedProvider
from tests.agents.run_harness import AGENT, KEY, HeldStore, Watched

QUESTION = UserMessage("What is my PIN?")
ANSWER = "It is 4711."


def configured(
    maxConcurrent: int = 2,
    maxQueued: int = 2,
    maxWaiting: int = 2,
    waitSeconds: float = 30.0,
) -> Config:
    """
    Return a configuration with these limits.
    """
    model = ModelChoice(primary=ModelRef("scripted", "m1"))
    defaults = AgentDefaults(
        model=model, maxConcurrent=maxConcurrent, maxQueued=maxQueued
    )
    return Config(
        agents=Agents(defaults=defaults),
        session=Session(maxWaiting=maxWaiting, waitSeconds=waitSeconds),
    )


class RuntimeTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        """
        Create a runtime that is not started.
        """
        self.clock = Clock()
        self.provider = ScriptedProvider()
        self.store = self.makeStore()
        self.events: list[dict[str, Any]] = []
        self.runtime = Runtime(
            config=configured(),
            providers={"scripted": self.provider}.get,
            store=self.store,
            reactor=self.clock,
            log=Logger(namespace="test", observer=self.events.append),
        )
        self.addCleanup(self.stop)

    def stop(self) -> None:
        """
        Stop the runtime.
        """
        stopping = self.runtime.stop()
        self.store.release()
        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def makeStore(self) -> HeldStore:
        """
        Return the store to use.
        """
        return HeldStore(self.clock)

    @property
    def logged(self) -> list[str]:
        """
        Return the log lines.
        """
        return [formatEvent(event) for event in self.events]

    def begin(self, key: str = KEY, kept: bool = True, namespace: str = "") -> Watched:
        """
        Start a run.
        """
        request = RunRequest(
            agent=AGENT,
            system="",
            sessionKey=key,
            stateful=kept,
            opening=[QUESTION],
            following=[QUESTION],
            namespace=namespace,
        )
        batches: list = []
        run = self.runtime.startRun(
            request, lambda events: batches.append(list(events))
        )
        watched = Watched(run, batches)
        run.done.addBoth(watched.outcomes.append)
        return watched

    def answer(self, index: int = -1) -> None:
        """
        Reply to a model call.
        """
        self.provider.calls[index].say(ANSWER)
        self.provider.calls[index].finish("stop", Usage(11, 4))


__all__ = ["ANSWER", "QUESTION", "RuntimeTestCase", "configured"]
