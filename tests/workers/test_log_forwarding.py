"""
Tests of L{openclaw.workers.log_forwarding}.
"""

import json

from twisted.logger import Logger, eventAsText
from twisted.trial.unittest import SynchronousTestCase

from openclaw.log_formats import jsonLine
from openclaw.messages import Usage
from openclaw.metrics.run_log_lines import RunLogEntry
from openclaw.workers.log_forwarding import LogForwarder, workerLogEvent

ACCOUNT = RunLogEntry(
    run="run_1",
    request=None,
    caller="operator",
    agent="main",
    session="agent:main:main",
    model=None,
    outcome="stop",
    callerGone=False,
    queueSeconds=0.0,
    firstSeconds=None,
    totalSeconds=0.5,
    usage=Usage(),
)


class ReportTests(SynchronousTestCase):
    """
    A worker's log events in the daemon's log.
    """

    def report(self, asJSON=False):
        """
        @return: A worker's log, and the daemon's events.
        """
        events = []
        reporting = LogForwarder(
            lambda said: events.append(workerLogEvent(1, said)), asJSON
        )
        return Logger(namespace="openclaw", observer=reporting), events

    def test_text(self):
        """
        A line begins with the worker's number.
        """
        log, events = self.report()
        log.info("{run}", run=ACCOUNT)
        [event] = events
        self.assertIn("[openclaw#info] [worker 1] run=run_1 ", eventAsText(event))

    def test_json(self):
        """
        In JSON it has all fields, and the worker's number.
        """
        log, events = self.report(asJSON=True)
        log.info("{run}", run=ACCOUNT)
        line = json.loads(jsonLine(events[0]))
        self.assertEqual(
            (line["message"], line["run"], line["outcome"], line["worker"]),
            ("run ended", "run_1", "stop", 1),
        )
        self.assertEqual((line["level"], line["namespace"]), ("info", "openclaw"))

    def test_failure(self):
        """
        Tracebacks are included.
        """
        for asJSON in (False, True):
            log, events = self.report(asJSON)
            try:
                1 / 0  # noqa: B018
            except ZeroDivisionError:
                log.failure("It broke")
            write = jsonLine if asJSON else eventAsText
            text = write(events[0])
            self.assertIn("It broke", text)
            self.assertIn("ZeroDivisionError", text)
        self.flushLoggedErrors(ZeroDivisionError)

    def test_others(self):
        """
        Of other programs' events, only warnings and errors are forwarded.
        """
        _, events = self.report()
        reporting = LogForwarder(lambda said: events.append(said.text))
        foreign = Logger(namespace="twisted.web", observer=reporting)
        foreign.info("starting")
        foreign.warn("alarming")
        self.assertEqual(events, ["alarming"])
