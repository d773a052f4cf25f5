"""
Tests of L{openclaw.cli.main}.
"""

from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase, TestCase

from openclaw import __version__
from openclaw.cli.main import main
from tests.cli.command_process import Command


class UsageTests(SynchronousTestCase):
    """
    The command line and its errors.
    """

    def runCommand(self, *arguments: str) -> tuple[int | str | None, str, str]:
        """
        Run a command line.

        @return: The exit status, stdout and stderr.
        """
        with (
            redirect_stdout(StringIO()) as stdout,
            redirect_stderr(StringIO()) as stderr,
        ):
            try:
                status = main(arguments)
            except SystemExit as leaving:
                status = leaving.code
        return status, stdout.getvalue(), stderr.getvalue()

    def test_wrong(self) -> None:
        """
        An error in the usage is exit status 2, with a line that describes it.
        """
        for arguments, words in (
            ([], "COMMAND"),
            (["fly"], "fly"),
            (["agent"], "--message"),
            (["agent", "--message"], "--message"),
            (["agent", "-m", "x", "--fly"], "--fly"),
            (["agent", "-m", "x", "y"], "y"),
            (["config"], "ACTION"),
            (["config", "fly"], "fly"),
            (["setup", "x"], "x"),
        ):
            status, stdout, stderr = self.runCommand(*arguments)
            self.assertEqual((status, stdout), (2, ""), arguments)
            self.assertIn(words, stderr.splitlines()[-1])
            self.assertTrue(stderr.startswith("usage: openclaw"))

    def test_twice(self) -> None:
        """
        An option with a single value is rejected the second time.
        """
        for arguments in (
            ["token", "add", "ci", "--rpm", "1", "--rpm", "2"],
            ["token", "add", "ci", "--expires", "1d", "--expires=2d"],
            ["agent", "-m", "x", "--message", "y"],
            ["agent", "-m", "x", "--config", "a", "--config", "b"],
        ):
            status, stdout, stderr = self.runCommand(*arguments)
            self.assertEqual((status, stdout), (2, ""), arguments)
            self.assertIn("may be given only once", stderr.splitlines()[-1])

    def test_help(self) -> None:
        """
        Each command has a help text.
        """
        for arguments in ([], ["agent"], ["config"], ["config", "check"], ["setup"]):
            status, stdout, stderr = self.runCommand(*arguments, "--help")
            self.assertEqual((status, stderr), (0, ""))
            self.assertTrue(stdout.startswith("usage: openclaw"))

    def test_version(self) -> None:
        """
        C{--version} prints the version.
        """
        self.assertEqual(self.runCommand("--version"), (0, f"{__version__}\n", ""))

    def test_check(self) -> None:
        """
        C{config check} checks a file, and its exit status shows the result.
        """
        path = Path(self.mktemp()).with_suffix(".yaml").absolute()
        path.write_text("gateway: {port: 1}\n")
        self.assertEqual(
            self.runCommand("config", "check", str(path)),
            (0, f"{path}: no errors\n", ""),
        )
        path.write_text("gateway: {port: many}\n")
        status, stdout, stderr = self.runCommand("config", "check", str(path))
        self.assertEqual((status, stdout), (1, ""))
        self.assertIn("gateway.port", stderr)

    def test_emptyMessage(self) -> None:
        """
        An empty message is rejected before anything else.
        """
        self.assertEqual(
            self.runCommand("agent", "--message", " \n"),
            (1, "", "openclaw: The message is empty.\n"),
        )


class ProcessTests(TestCase):
    """
    The command as a process.
    """

    timeout = 60

    async def runCommand(self, state: Path, *arguments: str) -> Command:
        """
        Run the command to its end.
        """
        command = Command.start({"OPENCLAW_STATE_DIR": str(state)}, *arguments)
        self.addCleanup(command.kill)
        self.status = await command.ended
        return command

    async def test_firstStart(self) -> None:
        """
        After C{setup}, C{config check} finds no error; repeating both changes nothing.
        """
        state = Path(self.mktemp()).absolute()
        for _ in range(2):
            setup = await self.runCommand(state, "setup")
            self.assertEqual((self.status, setup.stderr), (0, ""))
            check = await self.runCommand(state, "config", "check")
            self.assertEqual((self.status, check.stderr), (0, ""))
            self.assertEqual(check.stdout, f"{state / 'openclaw.yaml'}: no errors\n")

    async def test_failure(self) -> None:
        """
        A failure has an exit status.
        """
        path = Path(self.mktemp()).absolute()
        path.write_text("")
        setup = await self.runCommand(path / "state", "setup")
        self.assertEqual((self.status, setup.stdout), (1, ""))
        self.assertIn(str(path), setup.stderr)
