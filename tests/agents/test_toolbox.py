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
    A tool whose work ends when the test says so.

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
    A tool that tidies up when it is cancelled.

    @ivar tidied: To be fired when it has done so.
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
    A tool that does at once what the test says.
    """

    def __init__(self, name, work):
        super().__init__(name, True)
        self.run = lambda arguments, context: work()


def raising(error):
    """
    Work that fails, before it gives back a Deferred.
    """

    def work():
        raise error

    return work


class ToolboxTestCase(SynchronousTestCase):
    """
    An agent that can read and write.
    """

    def setUp(self):
        """
        Make its tools.
        """
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
        A toolbox with these tools.
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
        Let the model call the tools of these names, in one turn.
        """
        return self.box.run(
            [ToolCall(f"c{i}", name, arguments) for i, name in enumerate(names)]
        )

    def answerTo(self, name, arguments="{}"):
        """
        Return the text that the model gets for one call that ends at once.
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
    Calls of one turn run at once where that is safe.
    """

    def test_readersAtOnce(self):
        """
        Tools that only read run beside each other; the results are in the order of
        the calls.
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
        No more than some run at once; each that ends lets one more begin.
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
        A call that changes something waits for the one before it.
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
        Only a call that may have changed something counts as one that has.
        """
        self.call("look")
        self.assertFalse(self.box.hadEffects)
        self.call("change", arguments='{"path": 1}')
        self.assertFalse(self.box.hadEffects)
        self.call("change")
        self.assertTrue(self.box.hadEffects)


class FailureTests(ToolboxTestCase):
    """
    Whatever goes wrong in a tool, the model is told, and the run goes on.
    """

    def test_notOffered(self):
        """
        A tool that the agent does not have is refused, and the refusal is logged in
        one line, whatever the model put into the name.
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
        A call of no tool does not keep the others from their results.
        """
        results = self.call("nothing", "look")
        self.look.running[0].callback("seen")
        self.assertEqual(self.successResultOf(results)[1].content, "seen")

    def test_arguments(self):
        """
        Arguments that are wrong, or no JSON, are refused before the tool runs.
        """
        for wrong in ('{"path": 1}', '{"other": 1}', "[]", "{"):
            results = self.successResultOf(self.call("look", arguments=wrong))
            self.assertEqual([result.isError for result in results], [True], wrong)
            self.assertTrue(results[0].content)
        self.assertEqual(self.look.given, [])

    def test_manyArguments(self):
        """
        Arguments of very many values or escapes are refused before they are decoded.
        """
        many = '{"path": [%s1]}' % ("[]," * (2 * MOST_VALUES))
        answer = self.answerTo("look", many)
        self.assertEqual(answer, "The arguments have too many values.")
        answer = self.answerTo("look", '{"path": "%s"}' % ("\\n" * (MOST_ESCAPES + 1)))
        self.assertEqual(answer, "The arguments have too many escapes.")

    def test_argumentsReachTheTool(self):
        """
        Good arguments reach the tool.
        """
        self.call("look", arguments='{"path": "a"}')
        self.assertEqual(self.look.given, [{"path": "a"}])

    def test_error(self):
        """
        The model is told what a tool says was wrong.
        """
        results = self.call("look")
        self.look.running[0].errback(ToolError("there is no such file"))
        [result] = self.successResultOf(results)
        self.assertEqual(result, ToolMessage("c0", "there is no such file", True))

    def test_errorWithoutText(self):
        """
        A tool that does not say what was wrong has failed, too, and the model is told
        so: some providers refuse a failure without text.
        """
        for text in ("", " \n"):
            results = self.call("look")
            self.look.running.pop().errback(ToolError(text))
            [result] = self.successResultOf(results)
            self.assertEqual(result, ToolMessage("c0", "The tool failed.", True))

    def test_successThatSpeaksOfErrors(self):
        """
        A result whose text begins with "Error:" is none.
        """
        results = self.call("look")
        self.look.running[0].callback("Error: disk full")
        [result] = self.successResultOf(results)
        self.assertEqual(result, ToolMessage("c0", "Error: disk full"))
        self.assertFalse(result.isError)

    def test_crash(self):
        """
        A tool that crashes is one that failed; the log says why, the model does not
        hear it.
        """
        self.box = self.boxOf(Instant("look", raising(ValueError("inner"))))
        self.assertEqual(self.answerTo("look"), "The tool failed.")
        failure = self.events[0]["log_failure"]
        self.assertTrue(failure.check(ValueError))

    def test_noText(self):
        """
        A tool that gives back something else than text is one that failed.
        """
        for wrong in (None, 5, b"bytes", ["a"]):
            self.box = self.boxOf(Instant("look", lambda given=wrong: succeed(given)))
            self.assertEqual(self.answerTo("look"), "The tool failed.")

    def test_long(self):
        """
        A result without end is cut, and says so.
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
        All calls that run are cancelled.
        """
        results = self.call("look", "look", "look")
        results.cancel()
        self.failureResultOf(results, CancelledError)
        self.assertEqual([work.called for work in self.look.running], [True] * 3)

    def test_waiting(self):
        """
        Those that wait are not begun.
        """
        results = self.call(*["look"] * (2 * MAX_CALLS_AT_ONCE))
        results.cancel()
        self.failureResultOf(results, CancelledError)
        self.assertEqual(
            [work.called for work in self.look.running], [True] * MAX_CALLS_AT_ONCE
        )

    def test_inTurn(self):
        """
        The call that runs is cancelled, and the next is not begun.
        """
        results = self.call("change", "change")
        results.cancel()
        self.failureResultOf(results, CancelledError)
        self.assertEqual([work.called for work in self.change.running], [True])

    def test_swallowed(self):
        """
        The next call is not begun either when the tool makes nothing of it.
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
        The end comes when every tool has tidied up.
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
    A run's listeners can follow the progress of its tools.
    """

    def test_ends(self):
        """
        Each call has a beginning and an end, which says how it went.
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
        Nothing follows when the run is cancelled.
        """
        results = self.call("look")
        results.cancel()
        self.failureResultOf(results, CancelledError)
        self.assertEqual(len(self.heard), 1)

    def test_unknown(self):
        """
        A call of an unknown tool has no progress.
        """
        self.answerTo("nothing")
        self.assertEqual(self.heard, [])


class AuditTests(ToolboxTestCase):
    """
    Each call leaves one line in the log, without what was said in it.
    """

    def test_line(self):
        """
        The line says who called what, how it ended and how long it took; neither
        arguments nor results are in the event.
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
        The line tells refusals, crashes and cancelled calls apart.
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
