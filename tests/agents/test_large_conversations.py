"""
Tests of L{openclaw.agents.model_calls}: conversations of many messages.
"""

from threading import Event
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents import model_calls
from openclaw.errors import RunCancelled
from openclaw.messages import AssistantMessage, Message, ToolCall, ToolMessage
from openclaw.models.large_requests import LARGE_MESSAGES
from tests.agents.run_harness import RunHarness


class ThreadTests(SynchronousTestCase):
    """
    Their context is computed in a thread.
    """

    def setUp(self) -> None:
        """
        Let the test decide when the thread works.
        """
        self.works: list[tuple[Any, Deferred[Any]]] = []

        def run(reactor: object, caller: str, work: Any) -> Deferred[Any]:
            result: Deferred[Any] = Deferred()
            self.works.append((work, result))
            return result

        self.patch(model_calls, "runInBodyThread", run)
        self.harness = RunHarness()
        messages: list[Message] = []
        for number in range(LARGE_MESSAGES):
            call = ToolCall(f"call-{number}", "look", "{}")
            messages += [AssistantMessage("", (call,)), ToolMessage(call.id, "seen")]
        self.messages = messages

    def test_sent(self) -> None:
        """
        The model is asked when that is done.
        """
        run = self.harness.begin(opening=self.messages)
        self.assertEqual(self.harness.provider.calls, [])
        [(work, result)] = self.works
        result.callback(work(Event()))
        self.assertEqual(list(self.harness.call.request.messages), self.messages)
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(run.result.text, "Hi.")

    def test_cancelled(self) -> None:
        """
        A run that is cancelled meanwhile never asks it.
        """
        run = self.harness.begin(opening=self.messages)
        run.run.done.cancel()
        self.assertIsInstance(run.error, RunCancelled)
        self.assertEqual(self.harness.provider.calls, [])
