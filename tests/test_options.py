"""
Tests of L{openclaw.options}.
"""

from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from openclaw.options import Options


class RepeatedTests(SynchronousTestCase):
    """
    Repeated options.
    """

    def test_refused(self) -> None:
        """
        An option with a single value is rejected the second time, in any spelling.
        """
        for arguments in (
            ["--config", "a", "--config", "b"],
            ["-c", "a", "--config=b"],
            ["--conf", "a", "-cb"],
            ["--workers", "1", "-w", "2"],
        ):
            error = self.assertRaises(UsageError, Options().parseOptions, arguments)
            self.assertIn("may be given only once", str(error))

    def test_kept(self) -> None:
        """
        Other options accumulate in order.
        """
        options = Options()
        options.parseOptions(
            [
                "-l",
                "tcp:1",
                "-c",
                "-c",
                "--listen",
                "tcp:2",
                "--auth",
                "memory:a:b",
                "--auth",
                "memory:c:d",
                "-w",
                "2",
            ]
        )
        self.assertEqual(options["listen"], ["tcp:1", "tcp:2"])
        self.assertEqual(options["auth"], ["memory:a:b", "memory:c:d"])
        self.assertEqual((options["config"], options["workers"]), ("-c", 2))
        self.assertEqual(len(options["credCheckers"]), 2)
