"""
Tests of L{openclaw.agents.toolbox}.
"""

from hashlib import sha256

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from openclaw.agents.cancellation import Cancellation
from openclaw.agents.toolbox import (
    MAX_CALLS_AT_ONCE,
    MAX_RESULT_CHARACTERS,
    OfferedTool,
    Toolbox,
)
from openclaw.errors import RunCancelled
from openclaw.events import ToolProgress
from openclaw.interfaces import ITool, ToolContext, ToolError
from openclaw.json_size import MOST_ESCAPES, MOST_VALUES
from openclaw.messages import ToolCall, ToolMessage
from openclaw.sessions.store.memory import MemorySessionStore
from openclaw.tools.arguments import ArgumentReader


@implementer(ITool)
class Tool:
    """
    A tool whose calls end when the test says so.

    @ivar running: The Deferreds of the calls, oldest first.
    @ivar given: Their arguments.
    """

    description = "For tests."
    parameters = {
        "type": "object",
        "properties": {"path": {"type": "string"}},
        "additionalProperties": False,
    }

    def __init__(self, name, readOnly):
        self.name = name
        self.readOnly = readOnly
        self.running = []
        self.given = []

    def run(self, arguments, context):
        self.given.append(arguments)
        self.running.append(Deferred())
        return self.running[-1]


class SlowToStop(Tool):
    """
    A tool that takes time to stop after it was cancelled.

    @ivar tidied: Fire it to end the stopping.
    """

    def run(self, arguments, context):
        self.tidied = Deferred()
        return Deferred.fromCoroutine(self._run(super().run(arguments, context)))

    async def _run(self, work):
        try:
            return await work
        finally:
            await self.tidied


class Instant(Tool):
    """
    A tool that immediately calls the test's function.
    """

    def __init__(self, name, work):
        super().__init__(name, True)
        self.run = lambda arguments, context: work()


def raising(error):
    """
    Raise an exception before returning a Deferred.
    """

    def work():
        raise error

    return work


class ToolboxTestCase(SynchronousTestCase):
    """
    An agent that can read and write files.
    """

    def setUp(self):
        self.clock = Clock()
        self.events = []
        self.log = Logger(namespace="test", observer=self.events.append)
        self.look = Tool("look", True)
        self.change = Tool("change", False)
        self.stop = Cancellation()
        self.heard = []
        self.box = self.boxOf(self.look, self.change)

    def boxOf(self, *tools):
        """
        Return a toolbox with these tools.
        """
        offered = {
            tool.name: OfferedTool(tool, ArgumentReader(tool.parameters))
            for tool in tools
        }
        return Toolbox(
            offered,
            self.context,
            self.stop.check,
            self.log,
            listener=self.heard.extend,
            caller="token:ci",
            runID="run_1",
            agentID="main",
        )

    def context(self, tool):
        """
        Return the context of the calls.
        """
        return ToolContext(
            agentID="main",
            sessionKey="agent:main:a",
            runID="run_1",
            workspace=None,
            reactor=self.clock,
            sessions=MemorySessionStore(clock=self.clock),
            settings=None,
            log=self.log,
        )

    def call(self, *names, arguments="{}"):
        """
        Let the model call these tools in one turn.
        """
        return self.box.run(
            [ToolCall(f"c{i}", name, arguments) for i, name in enumerate(names)]
        )

    def answerTo(self, name, arguments="{}"):
        """
        Return the result of a call that ends immediately.
        """
        [result] = self.successResultOf(self.call(name, arguments=arguments))
        self.assertEqual(result.tool_call_id, "c0")
        return result.content

    def lines(self):
        """
        Return the logged lines.
        """
        return [formatEvent(event) for event in self.events]


class OrderTests(ToolboxTestCase):
    """
    Calls of one turn run concurrently if that is safe.
    """

    def test_readersAtOnce(self):
        """
        Read-only tools run concurrently; the results have the order of the calls.
        """
        results = self.call("look", "look")
        first, second = self.look.running
        second.callback("2")
        self.assertNoResult(results)
        first.callback("1")
        self.assertEqual(
            self.successResultOf(results),
            [ToolMessage("c0", "1"), ToolMessage("c1", "2")],
        )

    def test_someAtOnce(self):
        """
        The number of concurrent calls is limited; each that ends starts the next.
        """
        count = MAX_CALLS_AT_ONCE + 3
        results = self.call(*["look"] * count)
        for ended in range(count):
            begun = min(MAX_CALLS_AT_ONCE + ended, count)
            self.assertEqual(len(self.look.running), begun)
            self.look.running[ended].callback(str(ended))
        contents = [result.content for result in self.successResultOf(results)]
        self.assertEqual(contents, [str(place) for place in range(count)])

    def test_changesInTurn(self):
        """
        A call with effects waits for the one before it.
        """
        results = self.call("look", "change", "look")
        self.assertEqual((len(self.look.running), self.change.running), (1, []))
        self.look.running[0].callback("before")
        self.assertEqual((len(self.look.running), len(self.change.running)), (1, 1))
        self.change.running[0].callback("changed")
        self.look.running[1].callback("after")
        contents = [result.content for result in self.successResultOf(results)]
        self.assertEqual(contents, ["before", "changed", "after"])

    def test_effects(self):
        """
        Only calls that may have had effects count as such.
        """
        self.call("look")
        self.assertFalse(self.box.hadEffects)
        self.call("change", arguments='{"path": 1}')
        self.assertFalse(self.box.hadEffects)
        self.call("change")
        self.assertTrue(self.box.hadEffects)


class FailureTests(ToolboxTestCase):
    """
    A failing tool is reported to the model, and the run continues.
    """

    def test_notOffered(self):
        """
        A tool that the agent does not have is refused, and logged in one line, for any
        name.
        """
        answer = self.answerTo("exec\nforged line")
        self.assertEqual(answer, "There is no tool 'exec\\nforged line'.")
        [line] = self.lines()
        self.assertEqual(
            line,
            "tool 'exec\\nforged line' refused: not offered run=run_1 agent=main"
            " caller=token:ci argument_bytes=2"
            f" arguments_sha256={sha256(b'{}').hexdigest()}",
        )

    def test_notOfferedBesideOthers(self):
        """
        A refused call does not affect the others.
        """
        results = self.call("nothing", "look")
        self.look.running[0].callback("seen")
        self.assertEqual(self.successResultOf(results)[1].content, "seen")

    def test_arguments(self):
        """
        Arguments that are invalid, or not JSON, are refused before the tool runs.
        """
        for wrong in ('{"path": 1}', '{"other": 1}', "[]", "{"):
            results = self.successResultOf(self.call("look", arguments=wrong))
            self.assertEqual([result.isError for result in results], [True], wrong)
            self.assertTrue(results[0].content)
        self.assertEqual(self.look.given, [])

    def test_manyArguments(self):
        """
        Arguments with very many values or escapes are refused before they are decoded.
        """
        many = '{"path": [%s1]}' % ("[]," * (2 * MOST_VALUES))
        answer = self.answerTo("look", many)
        self.assertEqual(answer, "The arguments have too many values.")
        answer = self.answerTo("look", '{"path": "%s"}' % ("\\n" * (MOST_ESCAPES + 1)))
        self.assertEqual(answer, "The arguments have too many escapes.")

    def test_argumentsReachTheTool(self):
        """
        The tool gets valid arguments.
        """
        self.call("look", arguments='{"path": "a"}')
        self.assertEqual(self.look.given, [{"path": "a"}])

    def test_error(self):
        """
        The model gets the text of a L{ToolError}.
        """
        results = self.call("look")
        self.look.running[0].errback(ToolError("there is no such file"))
        [result] = self.successResultOf(results)
        self.assertEqual(result, ToolMessage("c0", "there is no such file", True))

    def test_errorWithoutText(self):
        """
        An error without a text is a failure with a default text, since some providers
        reject an empty one.
        """
        for text in ("", " \n"):
            results = self.call("look")
            self.look.running.pop().errback(ToolError(text))
            [result] = self.successResultOf(results)
            self.assertEqual(result, ToolMessage("c0", "The tool failed.", True))

    def test_successThatSpeaksOfErrors(self):
        """
        A result whose text begins with "Error:" is not a failure.
        """
        results = self.call("look")
        self.look.running[0].callback("Error: disk full")
        [result] = self.successResultOf(results)
        self.assertEqual(result, ToolMessage("c0", "Error: disk full"))
        self.assertFalse(result.isError)

    def test_crash(self):
        """
        An unexpected exception is a failure; the log has the details, the model does
        not get them.
        """
        self.box = self.boxOf(Instant("look", raising(ValueError("inner"))))
        self.assertEqual(self.answerTo("look"), "The tool failed.")
        failure = self.events[0]["log_failure"]
        self.assertTrue(failure.check(ValueError))

    def test_noText(self):
        """
        A result that is not text is a failure.
        """
        for wrong in (None, 5, b"bytes", ["a"]):
            self.box = self.boxOf(Instant("look", lambda given=wrong: succeed(given)))
            self.assertEqual(self.answerTo("look"), "The tool failed.")

    def test_controls(self):
        """
        Control characters of any tool's result or error are shown in a readable form,
        which is bounded, too.
        """
        for given, shown in [
            ("a\0b\x1b[1mc\x9bd\re\x7f", "a\\x00b\\x1b[1mc\\x9bd\\re\\x7f"),
            ("a\tb\r\nc\n\u00a0\u00e9\u200b", "a\tb\r\nc\n\u00a0\u00e9\u200b"),
        ]:
            self.box = self.boxOf(Instant("look", lambda given=given: succeed(given)))
            self.assertEqual(self.answerTo("look"), shown)
            self.box = self.boxOf(Instant("look", raising(ToolError(given))))
            self.assertEqual(self.answerTo("look"), shown)
        self.box = self.boxOf(Instant("look", lambda: succeed("\0" * 90_000)))
        self.assertLess(len(self.answerTo("look")), MAX_RESULT_CHARACTERS + 100)

    def test_long(self):
        """
        A long result is truncated, with a note.
        """
        self.box = self.boxOf(Instant("look", lambda: succeed("x" * 1_000_000)))
        answer = self.answerTo("look")
        self.assertLess(len(answer), MAX_RESULT_CHARACTERS + 100)
        self.assertTrue(answer.endswith("[The rest is left out.]"))


class CancelTests(ToolboxTestCase):
    """
    Cancelling leaves no tool running.
    """

    def test_atOnce(self):
        """
        All running calls are cancelled.
        """
        results = self.call("look", "look", "look")
        results.cancel()
        self.failureResultOf(results, CancelledError)
        self.assertEqual([work.called for work in self.look.running], [True] * 3)

    def test_waiting(self):
        """
        Waiting calls are not started.
        """
        results = self.call(*["look"] * (2 * MAX_CALLS_AT_ONCE))
        results.cancel()
        self.failureResultOf(results, CancelledError)
        self.assertEqual(
            [work.called for work in self.look.running], [True] * MAX_CALLS_AT_ONCE
        )

    def test_inTurn(self):
        """
        The running call is cancelled, and the next is not started.
        """
        results = self.call("change", "change")
        results.cancel()
        self.failureResultOf(results, CancelledError)
        self.assertEqual([work.called for work in self.change.running], [True])

    def test_swallowed(self):
        """
        The next call is not started even if the tool ignores the cancellation.
        """
        deaf = Tool("deaf", False)
        deaf.run = lambda arguments, context: self.stop.wait(
            Deferred(lambda work: work.callback("fine"))
        )
        self.box = self.boxOf(deaf, self.change)
        results = self.call("deaf", "change")
        self.stop.cancel()
        self.failureResultOf(results, RunCancelled)
        self.assertEqual(self.change.running, [])

    def test_slow(self):
        """
        The end waits for all tools to stop.
        """
        slow = SlowToStop("slow", True)
        self.box = self.boxOf(self.look, slow)
        results = self.call("look", "slow")
        results.cancel()
        self.assertNoResult(results)
        slow.tidied.callback(None)
        self.failureResultOf(results, CancelledError)
        self.assertEqual(self.flushLoggedErrors(), [])


class ProgressTests(ToolboxTestCase):
    """
    Listeners can follow the calls.
    """

    def test_ends(self):
        """
        Each call has a start and an end with its outcome.
        """
        for end, outcome in (
            (lambda work: work.callback("fine"), "ok"),
            (lambda work: work.errback(ToolError("No.")), "refused"),
        ):
            self.heard.clear()
            results = self.call("look")
            self.assertEqual(self.heard, [ToolProgress("c0", "look", None)])
            end(self.look.running[-1])
            self.successResultOf(results)
            self.assertEqual(self.heard[1:], [ToolProgress("c0", "look", outcome)])

    def test_cancelled(self):
        """
        After a cancellation no event follows.
        """
        results = self.call("look")
        results.cancel()
        self.failureResultOf(results, CancelledError)
        self.assertEqual(len(self.heard), 1)

    def test_unknown(self):
        """
        A call of an unknown tool has no events.
        """
        self.answerTo("nothing")
        self.assertEqual(self.heard, [])


class AuditTests(ToolboxTestCase):
    """
    Each call has one audit line, without its content.
    """

    def test_line(self):
        """
        The line has the caller, the tool, the outcome and the duration; the event has
        neither arguments nor results.
        """
        results = self.call("look", arguments='{"path": "private"}')
        self.clock.advance(1.5)
        self.look.running[0].callback("secret")
        self.successResultOf(results)
        digest = sha256(b'{"path": "private"}').hexdigest()
        self.assertEqual(
            self.lines(),
            [
                "tool look run=run_1 agent=main outcome=ok seconds=1.500"
                " caller=token:ci argument_bytes=19 result_bytes=6"
                f" arguments_sha256={digest}"
            ],
        )
        self.assertEqual(self.events[-1]["log_namespace"], "openclaw.audit")
        self.assertNotIn("private", repr(self.events))
        self.assertNotIn("secret", repr(self.events))

    def test_outcomes(self):
        """
        Refusals, exceptions and cancelled calls are distinguished.
        """
        for end, outcome in (
            (lambda work: work.errback(ToolError("secret")), "refused"),
            (lambda work: work.errback(ValueError()), "failed"),
            (lambda work: work.cancel(), "cancelled"),
        ):
            results = self.call("look")
            end(self.look.running[-1])
            results.addErrback(lambda failure: failure.trap(CancelledError))
            self.assertIn(f"outcome={outcome}", self.lines()[-1])
        self.assertNotIn("secret", repr(self.events))
