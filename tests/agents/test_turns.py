"""
Tests of L{openclaw.agents.turns}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents import turns
from openclaw.agents.turns import NUDGE, SAME_FAILURES, TurnLoop
from openclaw.errors import EmptyReply, ToolChoiceUnmet, ToolLoop, UpstreamTooLarge
from openclaw.events import TextDelta, ToolCallDelta
from openclaw.interfaces import ModelReply, NamedTool, ToolSpec
from openclaw.messages import (
    MOST_CALLS,
    AssistantMessage,
    ToolCall,
    ToolMessage,
    Usage,
    UserMessage,
)

HELLO = UserMessage("Hello.")
WEATHER = ToolSpec("weather", "", {"type": "object"})
OTHER = ToolSpec("other", "", {"type": "object"})


def reply(*texts, calls=(), reason=None, usage=None):
    """
    Return a model's reply and its events: one delta per text, two per call.

    @param calls: Names of tools.
    """
    made = tuple(ToolCall(f"{n}{i}", n, '{"a": 1}') for i, n in enumerate(calls))
    events = [TextDelta(text) for text in texts]
    for index, call in enumerate(made):
        events.append(ToolCallDelta(index, call.id, call.name, ""))
        events.append(ToolCallDelta(index, None, None, call.arguments))
    reason = reason or ("tool_calls" if made else "stop")
    return events, ModelReply("".join(texts), reason, usage or Usage(1, 2), made)


class TurnsTestCase(SynchronousTestCase):
    """
    A model with scripted replies, and tools that return C{done}.
    """

    def setUp(self):
        self.begin()

    def begin(self):
        """
        Reset the records.
        """
        self.asked = []
        self.heard = []
        self.carriedOut = []
        self.result = "done"
        self.isError = False

    def turns(self, *replies, maxModelCalls=25, clientTools=(), toolChoice="auto"):
        """
        Return a loop over these replies; the last is repeated.
        """
        script = list(replies)

        def ask(conversation, listener):
            self.asked.append(list(conversation))
            events, answer = script.pop(0) if len(script) > 1 else script[0]
            for event in events:
                listener([event])
            return succeed(answer)

        def callTools(calls):
            self.carriedOut.append([call.name for call in calls])
            return succeed(
                [ToolMessage(call.id, self.result, self.isError) for call in calls]
            )

        return TurnLoop(
            ask=ask,
            callTools=callTools,
            listener=self.heard.extend,
            maxModelCalls=maxModelCalls,
            clientTools=clientTools,
            toolChoice=toolChoice,
        )

    def answer(self, *replies, **settings):
        """
        Return the outcome of these replies.
        """
        self.loop = self.turns(*replies, **settings)
        return self.successResultOf(Deferred.fromCoroutine(self.loop.run([HELLO])))

    def failing(self, kind, *replies, **settings):
        """
        Return the error that these replies cause.
        """
        self.loop = self.turns(*replies, **settings)
        done = Deferred.fromCoroutine(self.loop.run([HELLO]))
        return self.failureResultOf(done, kind).value

    def streamed(self):
        """
        Return the text that the caller got.
        """
        return "".join(e.text for e in self.heard if isinstance(e, TextDelta))

    def heardCalls(self):
        """
        Return the pieces of calls that the caller got.
        """
        return [e for e in self.heard if isinstance(e, ToolCallDelta)]


class OwnToolTests(TurnsTestCase):
    """
    Calls of the agent's own tools.
    """

    def test_resultThenAnswer(self):
        """
        The model gets the result of its call, and replies; the caller gets only the
        reply.
        """
        result = self.answer(reply(calls=["look"]), reply("It is blue."))
        self.assertEqual(
            (result.text, result.finishReason, result.toolCalls),
            ("It is blue.", "stop", ()),
        )
        call = ToolCall("look0", "look", '{"a": 1}')
        told = [AssistantMessage("", (call,)), ToolMessage("look0", "done")]
        self.assertEqual(self.asked, [[HELLO], [HELLO, *told]])
        self.assertEqual(
            self.loop.newMessages, [*told, AssistantMessage("It is blue.")]
        )
        self.assertEqual(self.heard, [TextDelta("It is blue.")])

    def test_usage(self):
        """
        The usages of all model calls are added.
        """
        result = self.answer(
            reply(calls=["look"], usage=Usage(10, 20, 3, 4)),
            reply("", usage=Usage(100, 0, 0, 0)),
            reply("Yes.", usage=Usage(1, 2, 5, 6)),
        )
        self.assertEqual(result.usage, Usage(111, 22, 8, 10))

    def test_brokenOff(self):
        """
        Calls of a truncated reply are not run, since their arguments may be incomplete.
        """
        result = self.answer(reply("So", calls=["look"], reason="length"))
        self.assertEqual((result.text, result.finishReason), ("So", "length"))
        self.assertEqual(self.carriedOut, [])
        self.assertEqual(self.loop.newMessages, [AssistantMessage("So")])

    def test_unknown(self):
        """
        An unknown tool is handled like the agent's own: the model gets an error, and
        the client gets nothing.
        """
        result = self.answer(
            reply(calls=["nothing"]), reply("Sorry."), clientTools=[WEATHER]
        )
        self.assertEqual(result.text, "Sorry.")
        self.assertEqual(self.carriedOut, [["nothing"]])
        self.assertEqual(self.heardCalls(), [])


class ClientToolTests(TurnsTestCase):
    """
    Calls of the client's tools, which the client runs.
    """

    def test_endsTheRun(self):
        """
        Such a call ends the run; the text before it is kept.
        """
        result = self.answer(
            reply("Let me see.", calls=["weather"]), clientTools=[WEATHER]
        )
        call = ToolCall("weather0", "weather", '{"a": 1}')
        self.assertEqual(result.finishReason, "tool_calls")
        self.assertEqual((result.text, result.toolCalls), ("Let me see.", (call,)))
        self.assertEqual(self.carriedOut, [])
        self.assertEqual(
            self.loop.newMessages, [AssistantMessage("Let me see.", (call,))]
        )

    def test_mixed(self):
        """
        In a turn with both kinds the agent's calls are run, and the client gets only
        its own, counted from 0.
        """
        result = self.answer(
            reply(calls=["look", "weather", "look", "other"]),
            clientTools=[WEATHER, OTHER],
        )
        self.assertEqual([c.id for c in result.toolCalls], ["weather1", "other3"])
        self.assertEqual(result.finishReason, "tool_calls")
        self.assertEqual(self.carriedOut, [["look", "look"]])
        self.assertEqual(
            self.heardCalls(),
            [
                ToolCallDelta(0, "weather1", "weather", ""),
                ToolCallDelta(0, None, None, '{"a": 1}'),
                ToolCallDelta(1, "other3", "other", ""),
                ToolCallDelta(1, None, None, '{"a": 1}'),
            ],
        )
        kept, *results = self.loop.newMessages
        self.assertEqual(len(kept.tool_calls), 4)
        self.assertEqual([r.tool_call_id for r in results], ["look0", "look2"])


class ToolChoiceTests(TurnsTestCase):
    """
    A client that requires a call gets one, or an error.
    """

    def unmet(self, choice, *replies):
        """
        Return the error's code for a model that makes no such call.
        """
        error = self.failing(
            ToolChoiceUnmet,
            *replies,
            clientTools=[WEATHER, OTHER],
            toolChoice=choice,
        )
        return error.code

    def test_required(self):
        """
        With C{required}, text is an error; a call is not.
        """
        self.assertEqual(self.unmet("required", reply("No.")), "tool_choice_unmet")
        result = self.answer(
            reply(calls=["other"]), clientTools=[OTHER], toolChoice="required"
        )
        self.assertEqual(result.finishReason, "tool_calls")

    def test_named(self):
        """
        With a named tool, text or a call of another tool is an error.
        """
        choice = NamedTool("weather")
        for answer in (
            reply("No."),
            reply(calls=["other"]),
            reply(calls=["look", "other"]),
        ):
            self.assertEqual(self.unmet(choice, answer), "tool_choice_unmet")
        result = self.answer(
            reply(calls=["weather"]), clientTools=[WEATHER], toolChoice=choice
        )
        self.assertEqual(result.finishReason, "tool_calls")

    def test_brokenOff(self):
        """
        A truncated reply is reported as truncated instead.
        """
        result = self.answer(reply("Well", reason="length"), toolChoice="required")
        self.assertEqual(result.finishReason, "length")


class BoundTests(TurnsTestCase):
    """
    Limits of the loop.
    """

    def test_modelCalls(self):
        """
        The number of model calls is limited as configured.
        """
        error = self.failing(ToolLoop, reply(calls=["look"]), maxModelCalls=7)
        self.assertEqual(error.code, "max_model_calls")
        self.assertEqual(len(self.asked), 7)

    def test_calls(self):
        """
        The number of calls in a reply is limited.  If there are more, none is run.
        """
        most = reply(calls=["read"] * MOST_CALLS)
        self.assertEqual(self.answer(most, reply("Done.")).text, "Done.")
        [done] = self.carriedOut
        self.assertEqual(len(done), MOST_CALLS)
        self.begin()
        more = reply(calls=["read"] * (MOST_CALLS + 1))
        error = self.failing(UpstreamTooLarge, more)
        self.assertEqual(error.code, "upstream_too_large")
        self.assertEqual(self.carriedOut, [])

    def test_size(self):
        """
        The size of a run is limited.  Earlier effects are recorded.
        """
        self.patch(turns, "MAX_RUN_CHARACTERS", 10_000)
        for result, text in (("x" * 4000, ""), ("", "x" * 4000)):
            self.begin()
            self.result = result
            error = self.failing(ToolLoop, reply(text, calls=["read"]))
            self.assertEqual(error.code, "max_run_size")
            self.assertEqual(len(self.asked), 3)
            self.assertEqual(len(self.loop.newMessages), 6 if result else 4)

    def test_lastCallAnswers(self):
        """
        The last model call can return an answer.
        """
        result = self.answer(reply(calls=["look"]), reply("Yes."), maxModelCalls=2)
        self.assertEqual(result.text, "Yes.")

    def test_sameFailure(self):
        """
        A model that repeats the same failing call is stopped, and earlier effects are
        recorded.
        """
        self.result = "no such file"
        self.isError = True
        error = self.failing(ToolLoop, reply(calls=["look"]))
        self.assertEqual(error.code, "repeated_tool_call")
        self.assertEqual(len(self.carriedOut), SAME_FAILURES)
        self.assertEqual(len(self.loop.newMessages), 2 * SAME_FAILURES)

    def test_otherCallsBetween(self):
        """
        Only consecutive failures count.
        """
        self.result = "no such file"
        self.isError = True
        looks = [reply(calls=["look"])] * (SAME_FAILURES - 1)
        result = self.answer(*looks, reply(calls=["list"]), *looks, reply("No."))
        self.assertEqual(result.text, "No.")

    def test_success(self):
        """
        A successful call may be repeated.
        """
        looks = [reply(calls=["look"])] * (2 * SAME_FAILURES)
        self.assertEqual(self.answer(*looks, reply("Yes.")).text, "Yes.")

    @given(st.sampled_from(["Error:", "error: ", "Error: disk full\n", "[failed]"]))
    def test_successThatSpeaksOfErrors(self, text):
        """
        Only C{isError} is a failure: a log that begins with an error may be read
        repeatedly.
        """
        self.begin()
        self.result = f"{text} at 12:00"
        looks = [reply(calls=["look"])] * (2 * SAME_FAILURES)
        self.assertEqual(self.answer(*looks, reply("Yes.")).text, "Yes.")


class EmptyReplyTests(TurnsTestCase):
    """
    An empty reply is requested again, once.
    """

    def test_nudged(self):
        """
        The model gets a nudge, which is not stored.
        """
        result = self.answer(reply(), reply("Yes."))
        self.assertEqual(result.text, "Yes.")
        self.assertEqual(self.asked, [[HELLO], [HELLO, NUDGE]])
        self.assertEqual(self.loop.newMessages, [AssistantMessage("Yes.")])

    def test_blank(self):
        """
        Blanks are empty.
        """
        self.answer(reply(" \n"), reply("Yes."))
        self.assertEqual(len(self.asked), 2)

    def test_twice(self):
        """
        The second time is an error.
        """
        self.assertEqual(self.failing(EmptyReply, reply()).code, "empty_reply")
        self.assertEqual(len(self.asked), 2)

    def test_toldOnce(self):
        """
        After a tool call, the nudge is not sent again.
        """
        self.answer(reply(), reply(calls=["look"]), reply("Yes."))
        self.assertEqual([NUDGE in asked for asked in self.asked], [False, True, False])


PIECES = st.lists(st.sampled_from(["", " ", "\n", "a", "Hello.", "é"]), max_size=4)


class TextTests(TurnsTestCase):
    """
    The text of several turns is one text.
    """

    def test_separated(self):
        """
        The texts before and after a tool call are separate paragraphs.
        """
        result = self.answer(
            reply("I look.", calls=["look"]), reply(calls=["look"]), reply("Bl", "ue.")
        )
        self.assertEqual(result.text, "I look.\n\nBlue.")

    @given(st.lists(PIECES, max_size=4), PIECES)
    def test_streamIsText(self, before, last):
        """
        The texts of the stream add up to the text of the result, in any pieces.
        """
        self.begin()
        calling = [reply(*pieces, calls=["look"]) for pieces in before]
        result = self.answer(*calling, reply(*last), reply("Yes."))
        self.assertEqual(self.streamed(), result.text)
        said = [text for text in map("".join, [*before, last]) if text.strip()]
        for text in said:
            self.assertIn(text, result.text)
