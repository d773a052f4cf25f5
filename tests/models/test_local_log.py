"""
Tests for the output of the embedded model's process.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.models.local.engine_messages import STDERR, STDOUT
from openclaw.models.local.llama_log import MAX_LINE_BYTES, LineSplitter, readRecord
from tests.models.local_doubles import LocalModelTestCase

LOADING = b"0.00.003.992 I srv    load_model: loading model '/m/a.gguf'"
TIMING = b"0.02.478.067 I slot print_timing: id  1 | task 0 | total time = 1246.33 ms"
QUOTING = (
    b"0.01.214.414 W srv    operator(): got exception: "
    b'{"error":{"message":"Failed to parse messages: {\\"content\\":\\"xyzzy\\"}"}}'
)
TOO_LONG = b"0.02.514.375 E srv    send_error: task id = 103, error: xyzzy too long"


class LineSplitterTests(SynchronousTestCase):
    """
    Any output becomes lines of limited length.
    """

    @given(
        st.lists(st.binary() | st.just(b"\n") | st.just(b"x" * (MAX_LINE_BYTES - 1))),
    )
    def test_lines(self, pieces):
        """
        The pieces in which output arrives do not matter.
        """
        splitter = LineSplitter()
        lines = [line for piece in pieces for line in splitter.feed(piece)]
        lines += splitter.finish()
        expected = [line[:MAX_LINE_BYTES] for line in b"".join(pieces).split(b"\n")]
        if not expected[-1]:
            expected.pop()
        self.assertEqual(lines, expected)
        self.assertEqual(list(splitter.finish()), [])

    def test_memoryIsBounded(self):
        """
        A line without an end takes limited memory.
        """
        splitter = LineSplitter()
        for _ in range(100):
            self.assertEqual(list(splitter.feed(b"x" * 10_000)), [])
        self.assertEqual(list(splitter.feed(b"\n")), [b"x" * MAX_LINE_BYTES])
        self.assertEqual(len(splitter._buffer), 0)


class RecordTests(SynchronousTestCase):
    """
    A line has llama.cpp's level, and quotes no request.
    """

    def test_levelsWhileLoading(self):
        """
        llama.cpp's letters become log levels.
        """
        levels = {
            letter: readRecord(b"0.00.000.001 %c srv init: x" % letter, False)
            for letter in b"DIWE"
        }
        self.assertEqual(
            [level for level, _ in levels.values()], ["debug", "info", "warn", "error"]
        )
        self.assertEqual(levels[ord("D")][1], "srv init: x")

    def test_requestsAreDebug(self):
        """
        Lines about single requests have the level C{debug}.
        """
        for line in (TIMING, TIMING.replace(b" I ", b" W ")):
            level, text = readRecord(line, True)
            self.assertEqual(level, "debug")
            self.assertTrue(text.startswith("slot print_timing:"))

    def test_failuresStayErrors(self):
        """
        Failures keep the level C{error}.
        """
        record = readRecord(b"0.02.514.375 E srv decode: failed to decode", True)
        self.assertEqual(record, ("error", "srv decode: failed to decode"))

    def test_answersAreCut(self):
        """
        Responses, which can quote requests, are removed, and have the level C{debug}.
        """
        self.assertEqual(
            readRecord(QUOTING, True),
            ("debug", "srv    operator(): got exception"),
        )
        self.assertEqual(
            readRecord(TOO_LONG, True),
            ("debug", "srv    send_error: task id = 103, error"),
        )

    def test_whatHasNoLevel(self):
        """
        Text without a level is kept during loading.  Later it may quote grammars and
        schemas, and is dropped.
        """
        line = b"WARNING: JSON schema conversion was incomplete: xyzzy"
        self.assertEqual(readRecord(line, False), ("info", line.decode()))
        self.assertIsNone(readRecord(line, True))

    def test_crashes(self):
        """
        The last lines of a crash are always kept.
        """
        line = b"/src/ggml.c:123: GGML_ASSERT(n > 0) failed"
        for serving in (False, True):
            self.assertEqual(readRecord(line, serving), ("error", line.decode()))

    def test_nothing(self):
        """
        Empty lines are dropped.
        """
        for serving in (False, True):
            self.assertIsNone(readRecord(b"  ", serving))

    @given(st.binary(), st.booleans())
    def test_anything(self, line, serving):
        """
        No output can forge a log line or contain control characters.
        """
        record = readRecord(line, serving)
        if record is not None:
            self.assertTrue(record[1].isprintable())


class LoggingTests(LocalModelTestCase):
    """
    The output in the daemon's log.
    """

    def test_linesAreLogged(self):
        """
        Lines have a prefix and their level.
        """
        provider = self.makeProvider()
        self.ask(provider)
        self.child.prints(LOADING[:20])
        self.child.prints(LOADING[20:] + b"\n")
        self.child.prints(LOADING.replace(b" I ", b" E ") + b"\n", STDOUT)
        text = "embedded model: srv    load_model: loading model '/m/a.gguf'"
        self.assertEqual(self.lines("info"), [text])
        self.assertEqual(self.lines("error"), [text])
        self.assertEqual({e["log_namespace"] for e in self.events}, {"local"})

    def test_theLastLineIsLogged(self):
        """
        An incomplete last line is logged.
        """
        self.makeProvider(start="atOnce").start()
        self.child.prints(b"0.00.000.001 E out of mem", STDERR)
        self.child.ends(signal=9)
        self.assertEqual(self.lines("error")[0], "embedded model: out of mem")

    def test_messagesAreNot(self):
        """
        Once it is ready, no messages are logged at any level.
        """
        self.ask(self.makeProvider())
        self.child.listens()
        for line in (QUOTING, TOO_LONG, b"root ::= xyzzy", TIMING):
            self.child.prints(line + b"\n")
        self.assertEqual(len(self.lines("debug")), 3)
        self.assertNotIn("xyzzy", "".join(self.lines()))

    def test_theKeyIsNot(self):
        """
        The key is not logged in any phase.
        """
        provider = self.makeProvider()
        self.ask(provider)
        key = self.child.order().key
        self.child.listens()
        self.child.ends(signal=9)
        provider.close()
        self.assertNotIn(key, repr(self.events))
