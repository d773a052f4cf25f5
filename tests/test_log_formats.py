"""
Tests of L{openclaw.log_formats}.
"""

import json
import signal
import syslog
from io import StringIO
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import FileLogObserver, Logger, LogLevel
from twisted.python import log as legacyLog
from twisted.trial.unittest import SynchronousTestCase

from openclaw.log_formats import SyslogLines, jsonLine, jsonObserver
from tests.metrics.ended_runs import account

VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


class LineTests(SynchronousTestCase):
    """
    An event becomes one JSON object on one line.
    """

    def setUp(self):
        """
        Create a log with this format.
        """
        self.lines = []
        self.log = Logger(
            namespace="openclaw",
            observer=lambda event: self.lines.append(jsonLine(event)),
        )

    def line(self):
        """
        Return the only line, decoded.
        """
        (line,) = self.lines
        self.assertTrue(line.endswith("}\n"))
        self.assertEqual(line.count("\n"), 1)
        return json.loads(line)

    def test_whole(self):
        """
        It has the time, level, namespace and message, and the fields.
        """
        self.log.warn("{count} of {path}\nare bad", count=3, path=Path("/srv"))
        line = self.line()
        self.assertRegex(
            line.pop("time"), r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$"
        )
        self.assertEqual(
            line,
            {
                "level": "warn",
                "namespace": "openclaw",
                "message": "3 of /srv\nare bad",
                "count": 3,
                "path": "/srv",
            },
        )

    def test_run(self):
        """
        A run's line has its fields at the top level.
        """
        self.log.info("{run}", run=account(outcome="stop"))
        line = self.line()
        self.assertEqual(line["message"], "run ended")
        self.assertEqual((line["run"], line["outcome"]), ("run_1", "stop"))
        self.assertEqual(line["total_ms"], 1500.0)

    def test_failure(self):
        """
        A traceback is in the same line.
        """
        try:
            raise ValueError("too hot")
        except ValueError:
            self.log.failure("It broke")
        line = self.line()
        self.assertEqual((line["level"], line["message"]), ("critical", "It broke"))
        self.assertIn("ValueError: too hot", line["traceback"])

    def test_objects(self):
        """
        A field that is not a plain value is only in the message.
        """
        self.log.info("{what!r}", what=[1])
        line = self.line()
        self.assertEqual(line["message"], "[1]")
        self.assertNotIn("what", line)

    def test_legacy(self):
        """
        Lines of C{twisted.python.log} are included.
        """
        publisher = legacyLog.LogPublisher(
            publishPublisher=lambda event: self.lines.append(jsonLine(event))
        )
        publisher.msg("old words", system="a library")
        line = self.line()
        self.assertEqual(line["message"], "old words")
        self.assertEqual(line["level"], "info")

    @given(st.dictionaries(st.text(), VALUES), st.text())
    def test_anything(self, fields, text):
        """
        Any event is one line of valid ASCII JSON, and no field replaces a standard one.
        """

        def never(constant):
            raise AssertionError(constant)

        event = {
            **fields,
            "log_time": 0.0,
            "log_level": LogLevel.info,
            "log_namespace": "openclaw",
            "log_format": "{words}",
            "words": text,
        }
        line = jsonLine(event)
        self.assertTrue(line.isascii())
        self.assertEqual(line.count("\n"), 1)
        read = json.loads(line, parse_constant=never)
        self.assertEqual(
            (read["time"], read["level"], read["namespace"], read["message"]),
            ("1970-01-01T00:00:00.000+00:00", "info", "openclaw", text),
        )


class SyslogTests(SynchronousTestCase):
    """
    The lines go to syslog.
    """

    def test_priorities(self):
        """
        Each line has the priority of its level.
        """
        written = []
        observer = SyslogLines(lambda priority, line: written.append((priority, line)))
        log = Logger(namespace="openclaw", observer=observer)
        for level in ("debug", "info", "warn", "error", "critical"):
            log.emit(LogLevel.levelWithName(level), "{x}", x="a\nb\0")
        self.assertEqual(
            [priority for priority, _ in written],
            [
                syslog.LOG_DEBUG,
                syslog.LOG_INFO,
                syslog.LOG_WARNING,
                syslog.LOG_ERR,
                syslog.LOG_CRIT,
            ],
        )
        for _, line in written:
            self.assertEqual(json.loads(line)["message"], "a\nb\0")
            self.assertTrue(line.isprintable())

    def test_chosen(self):
        """
        twistd's option selects it.
        """
        observer = jsonObserver({"nodaemon": 0, "syslog": 1, "prefix": "x"}, None)
        self.assertIsInstance(observer, SyslogLines)


class Threads(Clock):
    """
    A clock that runs calls from threads immediately.
    """

    def callFromThread(self, call):
        call()


class DestinationTests(SynchronousTestCase):
    """
    twistd's own options select the destination.
    """

    def observer(self, **options):
        """
        Return the observer for these options.
        """
        return jsonObserver({"nodaemon": 1, "logfile": None, **options}, Threads())

    def log(self, observer, words):
        """
        Log a line.
        """
        Logger(namespace="openclaw", observer=observer).info("{words}", words=words)

    def test_standardOutput(self):
        """
        In the foreground it is standard output, explicitly or by default.
        """
        for name in (None, "-"):
            out = StringIO()
            self.patch(__import__("sys"), "stdout", out)
            self.log(self.observer(logfile=name), "hello")
            self.assertEqual(json.loads(out.getvalue())["message"], "hello")

    def test_file(self):
        """
        It can be a file, which twistd's signal rotates.
        """
        before = signal.getsignal(signal.SIGUSR1)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        path = Path(self.mktemp()).absolute()
        observer = self.observer(logfile=str(path))
        self.log(observer, "one")
        signal.raise_signal(signal.SIGUSR1)
        self.log(observer, "two")
        texts = [path.with_name(f"{path.name}.1").read_text(), path.read_text()]
        self.assertEqual(
            [json.loads(text)["message"] for text in texts], ["one", "two"]
        )

    def test_signalTaken(self):
        """
        An existing handler of the signal is kept.
        """
        before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGUSR1, before)
        self.observer(logfile=self.mktemp())
        self.assertEqual(signal.getsignal(signal.SIGUSR1), signal.SIG_IGN)

    def test_othersChoice(self):
        """
        With a logger in the options, invalid options, or another program than twistd,
        the log is not changed.
        """
        self.assertIsNone(self.observer(logger=FileLogObserver))
        self.assertIsNone(self.observer(nodaemon=0, logfile="-"))
        self.assertIsNone(jsonObserver({}, None))
