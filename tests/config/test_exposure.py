"""
Tests of L{openclaw.config.exposure}.
"""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import loadConfig
from openclaw.errors import ConfigError


class ExposureTests(SynchronousTestCase):
    """
    Directories of a configuration, a state directory and workspaces.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        for name in ("conf", "state/inner", "work", "keys"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "link").symlink_to(self.folder / "state")

    def load(self, workspace: str, more: str = "") -> None:
        """
        Load a configuration with this workspace.
        """
        path = self.folder / "conf" / "openclaw.yaml"
        path.write_text(
            f"agents: {{defaults: {{workspace: {self.folder / workspace}}}}}\n{more}"
        )
        loadConfig(path, {"OPENCLAW_STATE_DIR": str(self.folder / "state")})

    def assertFault(self, workspace: str, reason: str, more: str = "") -> None:
        """
        Assert that this workspace is rejected.
        """
        with self.assertRaises(ConfigError) as caught:
            self.load(workspace, more)
        self.assertIn("agents.defaults.workspace: ", caught.exception.message)
        self.assertIn(reason, caught.exception.message)

    def faults(self, text: str, state: str = "state", name: str = "conf") -> str:
        """
        Return the errors of another configuration.
        """
        path = self.folder / name / "openclaw.yaml"
        path.write_text(text)
        with self.assertRaises(ConfigError) as caught:
            loadConfig(path, {"OPENCLAW_STATE_DIR": str(self.folder / state)})
        return caught.exception.message

    def test_key(self) -> None:
        """
        The error has the key of the file, once for all agents that share it.
        """
        state = self.folder / "state"
        mine = f"{{workspace: {state}}}"
        for text, key in (
            (f"{{entries: {{a: {mine}}}}}", "agents.entries.a.workspace"),
            (f"{{list: [{{id: a, workspace: {state}}}]}}", "agents.list[0].workspace"),
            (
                f"{{defaults: {mine}, entries: {{a: {{}}, b: {{}}}}}}",
                "agents.defaults.workspace",
            ),
        ):
            _, line = self.faults(f"agents: {text}").splitlines()
            self.assertIn(f"  {key}: {state} is inside the state directory", line)

    def test_links(self) -> None:
        """
        A workspace with a link to the state directory or the configuration is rejected,
        whatever the link's path: the agent could replace it.
        """
        home = self.folder / "home"
        home.mkdir()
        (home / "linked").symlink_to(self.folder / "state")
        (home / "second").symlink_to("linked")
        (self.folder / "outer").symlink_to(home / "second")
        text = f"agents: {{defaults: {{workspace: {home}}}}}"
        for state in ("home/linked", "home/second", "outer", "home/../home/linked"):
            self.assertIn("holds the state directory", self.faults(text, state))
        (self.folder / "real").mkdir()
        (home / "etc").symlink_to(self.folder / "real")
        self.assertIn("holds the configuration", self.faults(text, name="home/etc"))

    def test_loop(self) -> None:
        """
        A link to itself is an error without a traceback.
        """
        (self.folder / "loop").symlink_to("loop")
        for workspace in ("loop", "loop/inside"):
            self.assertFault(workspace, "is a loop of symbolic links")
        loadConfig(None, {"OPENCLAW_STATE_DIR": str(self.folder / "loop")})

    def test_others(self) -> None:
        """
        Files of the command line are private, too.
        """
        path = self.folder / "conf" / "openclaw.yaml"
        path.write_text(f"agents: {{defaults: {{workspace: {self.folder}/work}}}}")
        environ = {"OPENCLAW_STATE_DIR": str(self.folder / "state")}
        loadConfig(path, environ, [("--auth", self.folder / "keys" / "users")])
        with self.assertRaises(ConfigError) as caught:
            loadConfig(path, environ, [("--auth", self.folder / "work" / "users")])
        self.assertIn("holds --auth", caught.exception.message)

    def test_warnings(self) -> None:
        """
        A file that others can change or read is a warning.
        """
        key, users = self.folder / "keys" / "k.pem", self.folder / "keys" / "users"
        path = self.folder / "conf" / "openclaw.yaml"
        path.write_text(f"gateway: {{tls: {{certPath: {key}, keyPath: {key}}}}}")
        environ = {"OPENCLAW_STATE_DIR": str(self.folder / "state")}

        def warnings() -> list[str]:
            found = loadConfig(path, environ, [("--auth", users)]).warnings
            return [each.partition(":")[0] for each in found]

        for file in (key, users):
            file.touch()
            file.chmod(0o640)
        path.chmod(0o644)
        (self.folder / "state").chmod(0o770)
        self.assertEqual(warnings(), [])
        key.chmod(0o644)
        users.chmod(0o660)
        path.chmod(0o646)
        (self.folder / "state").chmod(0o777)
        self.assertEqual(
            sorted(warnings()),
            [
                "--auth",
                "gateway.tls.keyPath",
                "the configuration",
                "the state directory",
            ],
        )
        [warning] = loadConfig(None, environ).warnings
        self.assertIn("can be changed by every user", warning)

    def test_apart(self) -> None:
        """
        An unrelated directory is accepted, whether it exists or not.
        """
        self.load("work")
        self.load("new/one")
        self.load("state-of-mine")

    def test_holds(self) -> None:
        """
        A directory that contains a private file is rejected, by any path.
        """
        self.assertFault("conf", "holds the configuration")
        self.assertFault(".", "holds the configuration")
        self.assertFault(".", "holds the state directory")
        self.assertFault("work/..", "holds the state directory")
        self.assertFault("/", "holds the state directory")

    def test_inside(self) -> None:
        """
        The state directory, and everything inside, is rejected.
        """
        for workspace in ("state", "state/inner", "state/new", "link", "link/inner"):
            self.assertFault(workspace, "is inside the state directory")

    def test_configured(self) -> None:
        """
        A directory with a file that the configuration names is rejected.
        """
        keys = self.folder / "keys"
        for key, more in (
            (
                "gateway.tls.certPath",
                f"gateway: {{tls: {{certPath: {keys}/c.pem, keyPath: /k.pem}}}}",
            ),
            ("session.store", f"session: {{store: {keys}/s.sqlite}}"),
            ("logging.auditFile", f"logging: {{auditFile: {keys}/audit.log}}"),
            (
                "gateway.tls.keyPath",
                f"gateway: {{tls: {{certPath: {keys}/c.pem, keyPath: {keys}/k.pem}}}}",
            ),
        ):
            self.assertFault("keys", f"holds {key}", more)
            self.load("work", more)
