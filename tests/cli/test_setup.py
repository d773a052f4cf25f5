"""
Tests of L{openclaw.cli.setup}.
"""

from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from openclaw.cli.setup import CONFIG_NAME, FIRST_CONFIG, setUp
from openclaw.config import LOCAL_MODEL, loadConfig, resolveCredential
from openclaw.state_directory import loadOrCreateToken, tokenFile


class SetupTestCase(SynchronousTestCase):
    """
    A test case for the first start.

    @ivar state: A state directory that does not exist yet.
    """

    def setUp(self) -> None:
        self.home = Path(self.mktemp()).absolute()
        self.home.mkdir()
        self.state = self.home / "deep" / "state"
        self.environ = {"OPENCLAW_STATE_DIR": str(self.state)}

    def runCommand(self) -> tuple[int, str, str]:
        """
        Run the command.

        @return: The exit status, stdout and stderr.
        """
        stdout, stderr = StringIO(), StringIO()
        status = setUp(self.environ, stdout, stderr)
        return status, stdout.getvalue(), stderr.getvalue()

    def contents(self) -> dict[str, tuple[str, int, int]]:
        """
        Return the content of the state directory: text, mode and time of each file.
        """
        return {
            path.name: (
                path.read_text(),
                path.stat().st_mode & 0o777,
                path.stat().st_mtime_ns,
            )
            for path in self.state.iterdir()
        }


class FirstTimeTests(SetupTestCase):
    """
    The state directory does not exist.
    """

    def test_written(self) -> None:
        """
        A private configuration and token are written, and the command prints their
        paths, but not the token.
        """
        status, stdout, stderr = self.runCommand()
        self.assertEqual((status, stderr), (0, ""))
        config, token = self.state / CONFIG_NAME, tokenFile(self.state)
        self.assertEqual(
            stdout.splitlines(),
            [
                f"wrote {config}",
                f"configuration: {config}",
                f"token: {token}",
                "for openclaw commands in other directories:"
                f" export OPENCLAW_STATE_DIR={self.state}",
            ],
        )
        self.assertEqual(self.state.stat().st_mode & 0o777, 0o700)
        contents = self.contents()
        self.assertEqual(set(contents), {config.name, token.name})
        for text, mode, _ in contents.values():
            self.assertEqual(mode, 0o600)
            self.assertNotEqual(text.strip(), "")
        self.assertNotIn(token.read_text().strip(), stdout)

    def test_home(self) -> None:
        """
        Without the environment variable, the directory is in the user's home.
        """
        self.environ = {"HOME": str(self.home)}
        self.assertEqual(self.runCommand()[0], 0)
        self.assertTrue((self.home / ".openclaw" / CONFIG_NAME).is_file())

    def test_configuration(self) -> None:
        """
        The configuration has no warnings.  It enables the endpoint on loopback, with a
        token and the embedded model.
        """
        self.runCommand()
        loaded = loadConfig(self.state / CONFIG_NAME, self.environ)
        self.assertEqual(loaded.warnings, ())
        gateway = loaded.config.gateway
        self.assertTrue(gateway.http.endpoints.chatCompletions.enabled)
        self.assertTrue(gateway.onLoopback())
        self.assertEqual(resolveCredential(loaded.config, {}).mode, "token")
        (agent,) = loaded.config.agentSettings()
        self.assertEqual(str(agent.model.primary), f"local/{LOCAL_MODEL}")


class SecondTimeTests(SetupTestCase):
    """
    Some files exist already.
    """

    def test_nothingChanges(self) -> None:
        """
        The second time has the same output, and changes nothing.
        """
        _, first, _ = self.runCommand()
        before = self.contents()
        status, second, stderr = self.runCommand()
        self.assertEqual((status, stderr), (0, ""))
        self.assertEqual(second.splitlines(), first.splitlines()[1:])
        self.assertEqual(self.contents(), before)

    def test_ownConfiguration(self) -> None:
        """
        The user's own configuration is not changed, whatever its extension; only the
        token is added.
        """
        self.state.mkdir(parents=True)
        own = self.state / "openclaw.json"
        own.write_text("{}")
        status, stdout, _ = self.runCommand()
        self.assertEqual(status, 0)
        self.assertIn(f"configuration: {own}\n", stdout)
        self.assertEqual(own.read_text(), "{}")
        self.assertEqual(set(self.contents()), {own.name, tokenFile(self.state).name})

    def test_configurationElsewhere(self) -> None:
        """
        A configuration named by the environment is not changed, either.
        """
        own = self.home / "my.yaml"
        own.write_text("{}")
        self.environ["OPENCLAW_CONFIG_PATH"] = str(own)
        self.assertIn(f"configuration: {own}\n", self.runCommand()[1])
        self.assertFalse((self.state / CONFIG_NAME).exists())

    def test_ownToken(self) -> None:
        """
        An existing token is not changed.
        """
        self.state.mkdir(parents=True)
        tokenFile(self.state).write_text("my-own")
        tokenFile(self.state).chmod(0o600)
        self.runCommand()
        self.assertEqual(loadOrCreateToken(self.state, print).reveal(), "my-own")
        self.assertEqual((self.state / CONFIG_NAME).read_text(), FIRST_CONFIG)


class ImpossibleTests(SetupTestCase):
    """
    Failures.
    """

    def assertRefused(self, *words: str) -> None:
        """
        Assert that one line has the reason, and that the exit status is 1.
        """
        status, stdout, stderr = self.runCommand()
        self.assertEqual((status, stdout), (1, ""))
        self.assertRegex(stderr, r"\Aopenclaw: [^\n]+\n\Z")
        for word in words:
            self.assertIn(word, stderr)

    def test_directory(self) -> None:
        """
        The state directory can't be created.
        """
        file = self.home / "file"
        file.write_text("")
        self.environ = {"OPENCLAW_STATE_DIR": str(file / "state")}
        self.assertRefused(str(file))

    def test_configuration(self) -> None:
        """
        The configuration can't be written.
        """
        (self.state / CONFIG_NAME).mkdir(parents=True)
        self.assertRefused(CONFIG_NAME)

    def test_missing(self) -> None:
        """
        The configuration named by the environment does not exist.
        """
        self.environ["OPENCLAW_CONFIG_PATH"] = str(self.home / "missing.yaml")
        self.assertRefused("missing.yaml")

    def test_noHome(self) -> None:
        """
        The user's home is unknown.
        """
        self.environ = {"OPENCLAW_STATE_DIR": "~nobody-of-this-name/state"}
        self.assertRefused("~nobody-of-this-name")
