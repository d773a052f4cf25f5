"""
Tests of L{openclaw.agents.run}: the model's replies.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.turns import NUDGE, RunResult
from openclaw.errors import EmptyReply, UpstreamRefused
from openclaw.messages import NO_USAGE, AssistantMessage, Usage
from openclaw.testing import ScriptedCall
from tests.agents.run_harness import AGAIN, HELLO, RunHarness

COUNTS = st.integers(0, 1000)
USAGES = st.builds(Usage, COUNTS, COUNTS, COUNTS, COUNTS)
TEXTS = st.sampled_from(["", " ", "\n", "\t \u2003"]) | st.text(max_size=8)
REPLIES = st.tuples(
    st.lists(st.lists(TEXTS, min_size=1, max_size=3), max_size=4),
    st.sampled_from(["stop", "length", "content_filter"]),
    USAGES,
)


class EmptyReplyTests(SynchronousTestCase):
    """
    An empty reply is requested again, once.
    """

    def setUp(self) -> None:
        self.harness = RunHarness()

    def test_secondTry(self) -> None:
        """
        The second request has everything of the first and a nudge, which is not stored.
        """
        run = self.harness.begin()
        self.harness.call.finish()
        first, second = (call.request for call in self.harness.provider.calls)
        self.assertEqual(list(second.messages), [*first.messages, NUDGE])
        self.assertEqual(second.system, first.system)
        self.assertEqual(second.model, first.model)
        self.assertEqual(run.outcomes, [])
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(run.result.text, "Hi.")
        self.assertEqual(self.harness.kept(), [HELLO, AssistantMessage("Hi.")])

    def test_twice(self) -> None:
        """
        If the second reply is empty, too, the run fails, and only the caller's message
        is stored.
        """
        run = self.harness.begin()
        self.harness.call.finish()
        self.harness.call.finish()
        self.assertIs(type(run.error), EmptyReply)
        self.assertEqual(run.error.status, 502)
        self.assertEqual(len(self.harness.provider.calls), 2)
        self.assertEqual(self.harness.kept(), [HELLO])
        self.assertTrue(self.harness.claim())
        self.assertEqual(self.harness.clock.getDelayedCalls(), [])

    def test_blanks(self) -> None:
        """
        Blanks are an empty reply.  Those that were passed on precede the second reply,
        so that the stream's text equals the result's.
        """
        run = self.harness.begin()
        self.harness.call.say(" \n", "\t")
        self.harness.call.finish()
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(run.result.text, " \n\tHi.")
        self.assertEqual(run.text, " \n\tHi.")
        self.assertEqual(self.harness.kept(), [HELLO, AssistantMessage(" \n\tHi.")])

    def test_blanksTwice(self) -> None:
        """
        Blanks are also empty the second time.
        """
        run = self.harness.begin(kept=False)
        for _ in range(2):
            self.harness.call.say(" ")
            self.harness.call.finish()
        self.assertIs(type(run.error), EmptyReply)

    def test_thoughtsOnly(self) -> None:
        """
        A reply with only reasoning is empty.
        """
        run = self.harness.begin(kept=False)
        self.harness.call.think("hm")
        self.harness.call.finish()
        self.assertEqual(len(self.harness.provider.calls), 2)
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(run.result.text, "Hi.")

    def test_otherReasons(self) -> None:
        """
        An empty reply with C{length} or C{content_filter} is not a failure, and not
        requested again.
        """
        for reason in ("length", "content_filter", "tool_calls"):
            harness = RunHarness()
            run = harness.begin(kept=False)
            harness.call.finish(reason, Usage(3, 0))
            self.assertEqual(
                run.result,
                RunResult(text="", finishReason=reason, usage=Usage(3, 0)),
            )
            self.assertEqual(len(harness.provider.calls), 1)

    def test_secondFails(self) -> None:
        """
        If the second call fails, the run fails with its error.
        """
        run = self.harness.begin()
        self.harness.call.finish()
        self.harness.call.fail(UpstreamRefused("No."))
        self.assertIs(type(run.error), UpstreamRefused)
        refused = AssistantMessage("", refused=1)
        self.assertEqual(self.harness.kept(), [HELLO, refused])

    def test_usage(self) -> None:
        """
        The usage includes both calls.
        """
        run = self.harness.begin(kept=False)
        self.harness.call.finish("stop", Usage(10, 1, 4, 1))
        self.harness.call.say("Hi.")
        self.harness.call.finish("stop", Usage(20, 2, 8, 0))
        self.assertEqual(run.result.usage, Usage(30, 3, 12, 1))

    def test_nextTurn(self) -> None:
        """
        After an empty reply the session can be used normally.
        """
        self.harness.begin()
        self.harness.call.finish()
        self.harness.call.finish()
        run = self.harness.begin()
        self.assertEqual(list(self.harness.call.request.messages), [HELLO, AGAIN])
        self.harness.call.say("Hi.")
        self.harness.call.finish()
        self.assertEqual(run.result.text, "Hi.")


class UsageTests(SynchronousTestCase):
    """
    Usage that a provider does not report is estimated, and says so.
    """

    def setUp(self) -> None:
        """
        Make an agent.
        """
        self.harness = RunHarness()

    def usage(self, *reported: Usage, text: str = "Twelve bytes") -> Usage:
        """
        Return the usage of a run whose only call reports this.
        """
        run = self.harness.begin()
        self.harness.call.say(text)
        self.harness.call.finish("length", *reported)
        return run.result.usage

    def test_reported(self) -> None:
        """
        Reported usage is passed on.
        """
        self.assertEqual(self.usage(Usage(7, 3, 2, 1)), Usage(7, 3, 2, 1))

    def test_unknown(self) -> None:
        """
        Without a report, prompt and text are estimated.
        """
        usage = self.usage()
        self.assertTrue(usage.estimated)
        self.assertGreater(usage.prompt_tokens, 0)
        self.assertEqual(usage.completion_tokens, 3)
        self.assertEqual(self.usage(text="x").completion_tokens, 1)

    def test_half(self) -> None:
        """
        Only the missing half is estimated.
        """
        usage = self.usage(Usage(0, 9))
        self.assertEqual((usage.completion_tokens, usage.estimated), (9, True))
        self.assertGreater(usage.prompt_tokens, 0)
        usage = self.usage(Usage(9, 0))
        self.assertEqual((usage.prompt_tokens, usage.completion_tokens), (9, 3))

    def test_sum(self) -> None:
        """
        A sum with an estimate is one.
        """
        self.assertTrue((Usage(1, 1) + Usage(1, 1, estimated=True)).estimated)
        self.assertFalse((Usage(1, 1) + Usage(1, 1)).estimated)


class AnyReplyTests(SynchronousTestCase):
    """
    Properties of all replies.
    """

    def assertUsage(self, usage: Usage, reported: Usage) -> None:
        """
        Assert that usage is as reported, or estimated as more.
        """
        if not usage.estimated:
            self.assertEqual(usage, reported)
        self.assertGreaterEqual(usage.prompt_tokens, reported.prompt_tokens)
        self.assertGreaterEqual(usage.completion_tokens, reported.completion_tokens)
        self.assertEqual(usage.cached_tokens, reported.cached_tokens)

    @given(replies=st.lists(REPLIES, min_size=2, max_size=2), kept=st.booleans())
    def test_streamIsResult(self, replies, kept) -> None:
        """
        The texts of the stream, the result and the session are the same; and the usage
        is that of all calls.
        """
        harness = RunHarness()
        script = iter(replies)
        spent = []

        def speak(call: ScriptedCall) -> None:
            batches, reason, usage = next(script)
            spent.append(usage)
            for batch in batches:
                call.say(*batch)
            call.finish(reason, usage)

        harness.provider.answer = speak
        run = harness.begin(kept=kept)
        if not isinstance(run.outcomes[0], RunResult):
            self.assertIs(type(run.error), EmptyReply)
            self.assertEqual(run.text.strip(), "")
            self.assertEqual([reason for _, reason, _ in replies], ["stop"] * 2)
            self.assertEqual(harness.kept(), [HELLO] if kept else [])
            return
        self.assertEqual(run.result.text, run.text)
        self.assertUsage(run.result.usage, sum(spent, NO_USAGE))
        self.assertEqual(run.result.finishReason, replies[len(spent) - 1][1])
        self.assertTrue(run.text.strip() or run.result.finishReason != "stop")
        if kept:
            self.assertEqual(harness.kept(), [HELLO, AssistantMessage(run.text)])
