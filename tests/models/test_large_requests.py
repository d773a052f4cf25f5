"""
Tests of requests with many messages.
"""

from threading import Event

from twisted.internet.defer import Deferred

from openclaw.errors import RunCancelled
from openclaw.interfaces import ModelRequest
from openclaw.messages import AssistantMessage, ToolCall, ToolMessage, UserMessage
from openclaw.models import provider as providerModule
from openclaw.models.large_requests import LARGE_MESSAGES, isLarge
from tests.models.provider_case import ProviderTestCase


def conversation(count):
    """
    Return a conversation with that many tool calls.
    """
    messages = [UserMessage("Begin.")]
    for number in range(count):
        call = ToolCall(f"call-{number}", "look", "{}")
        messages.append(AssistantMessage("", (call,)))
        messages.append(ToolMessage(call.id, "seen"))
    return messages


class CountTests(ProviderTestCase):
    """
    L{isLarge}.
    """

    def test_calls(self):
        """
        Messages count, and the tool calls in them.
        """
        self.assertFalse(isLarge(conversation(10)))
        self.assertTrue(isLarge(conversation(LARGE_MESSAGES)))
        call = ToolCall("call", "look", "{}")
        self.assertTrue(isLarge([AssistantMessage("", (call,) * LARGE_MESSAGES)]))


class EncodingTests(ProviderTestCase):
    """
    Requests that are encoded before the call starts.
    """

    def setUp(self):
        """
        Let the test decide when the thread works.
        """
        super().setUp()
        self.works = []

        def run(reactor, caller, work):
            result = Deferred()
            self.works.append((caller, work, result))
            return result

        self.patch(providerModule, "runInBodyThread", run)

    def askLarge(self):
        """
        Ask with many messages.
        """
        messages = conversation(LARGE_MESSAGES)
        request = ModelRequest("some-model", "", messages, caller="token:ann")
        return self.provider.ask(request, self.events.extend)

    def encode(self):
        """
        Do the work of the thread.
        """
        [(_, work, result)] = self.works
        result.callback(work(Event()))
        self.network.flush()

    def test_sent(self):
        """
        They are sent when they are encoded, in the turn of their caller.
        """
        call = self.askLarge()
        self.network.flush()
        self.assertEqual(self.model.calls, [])
        self.assertEqual([caller for caller, _, _ in self.works], ["token:ann"])
        self.encode()
        self.assertEqual(
            len(self.served.body["messages"]), len(conversation(LARGE_MESSAGES))
        )
        self.served.say("Seen.")
        self.served.finish()
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "Seen.")

    def test_cancelled(self):
        """
        A call that is cancelled before is never made.
        """
        call = self.askLarge()
        call.cancel()
        self.failureResultOf(call.done, RunCancelled)
        self.encode()
        self.assertEqual(self.model.calls, [])
        self.successResultOf(self.provider.close())

    def test_closed(self):
        """
        A provider that is closed meanwhile still serves the call.
        """
        call = self.askLarge()
        closed = self.provider.close()
        self.assertNoResult(closed)
        self.encode()
        self.served.say("Seen.")
        self.served.finish()
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "Seen.")
        self.successResultOf(closed)

    def test_paused(self):
        """
        A call that is paused before reads nothing until it is resumed.
        """
        call = self.askLarge()
        call.pauseProducing()
        self.encode()
        self.served.say("Se")
        self.network.flush()
        self.served.say("en.")
        self.served.finish()
        self.network.flush()
        self.assertNoResult(call.done)
        call.resumeProducing()
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "Seen.")

    def test_small(self):
        """
        Others are sent at once.
        """
        self.asked()
        self.assertEqual((len(self.model.calls), self.works), (1, []))
