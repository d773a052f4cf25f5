"""
Tests of L{openclaw.audit}.
"""

import json
from pathlib import Path

from twisted.logger import Logger, LogLevel
from twisted.trial.unittest import SynchronousTestCase

from openclaw.audit import AuditFile, auditLogger
from openclaw.errors import StartError


class AuditFileTests(SynchronousTestCase):
    """
    The separate file.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def open(self, asJSON: bool = False):
        """
        Open the file.

        @return: The logger of other lines, and the audit logger.
        """
        file = AuditFile(self.path, asJSON=asJSON)
        self.addCleanup(file.close)
        log = Logger(namespace="openclaw", observer=file)
        return log, auditLogger(log)

    def test_own(self) -> None:
        """
        It has only the audit lines, and is private.
        """
        log, audit = self.open()
        log.info("something else")
        audit.info("refused {what}", what="a\nforged line")
        [line] = self.path.read_text().splitlines()
        self.assertRegex(line, r"\A\d{4}-\d\d-\d\dT\S+ refused a forged line\Z")
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_json(self) -> None:
        """
        In JSON it has the fields.
        """
        _, audit = self.open(asJSON=True)
        audit.emit(LogLevel.warn, "tool {tool}", tool="exec", bytes=3)
        line = json.loads(self.path.read_text())
        self.assertEqual((line["tool"], line["bytes"]), ("exec", 3))
        self.assertEqual(line["namespace"], "openclaw.audit")

    def test_rotated(self) -> None:
        """
        After the file was renamed or removed, the next line is in a new one.
        """
        _, audit = self.open()
        audit.info("one")
        old = self.path.with_suffix(".1")
        self.path.rename(old)
        audit.info("two")
        self.assertIn("one", old.read_text())
        self.assertIn("two", self.path.read_text())
        self.path.unlink()
        audit.info("three")
        self.assertEqual(len(self.path.read_text().splitlines()), 1)

    def test_impossible(self) -> None:
        """
        At the start a file that can't be written is an error; later it is not.
        """
        with self.assertRaises(StartError):
            AuditFile(self.path / "none" / "audit.log", asJSON=False)
        _, audit = self.open()
        self.path.unlink()
        self.path.mkdir()
        audit.info("one")
