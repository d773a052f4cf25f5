"""
Tests of L{openclaw.config.exposure}.
"""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import load
from openclaw.errors import ConfigError


class ExposureTests(SynchronousTestCase):
    """
    A directory with a configuration, a state directory and others.
    """

    def setUp(self) -> None:
        """
        Make them.
        """
        self.folder = Path(self.mktemp()).absolute()
        for name in ("conf", "state/inner", "work", "keys"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "link").symlink_to(self.folder / "state")

    def load(self, workspace: str, more: str = "") -> None:
        """
        Load a configuration that has this workspace.
        """
        path = self.folder / "conf" / "openclaw.yaml"
        path.write_text(
            f"agents: {{defaults: {{workspace: {self.folder / workspace}}}}}\n{more}"
        )
        load(path, {"OPENCLAW_STATE_DIR": str(self.folder / "state")})

    def assertFault(self, workspace: str, reason: str, more: str = "") -> None:
        """
        Assert that this is refused.
        """
        with self.assertRaises(ConfigError) as caught:
            self.load(workspace, more)
        self.assertIn("agents.entries.main.workspace: ", caught.exception.message)
        self.assertIn(reason, caught.exception.message)

    def test_apart(self) -> None:
        """
        A directory that has nothing to do with them is fine, be it there or not.
        """
        self.load("work")
        self.load("new/one")
        self.load("state-of-mine")

    def test_holds(self) -> None:
        """
        One that holds a private file is refused, by any way that leads there.
        """
        self.assertFault("conf", "holds the configuration")
        self.assertFault(".", "holds the configuration")
        self.assertFault(".", "holds the state directory")
        self.assertFault("work/..", "holds the state directory")
        self.assertFault("/", "holds the state directory")

    def test_inside(self) -> None:
        """
        So is the state directory itself, and what is inside it.
        """
        for workspace in ("state", "state/inner", "state/new", "link", "link/inner"):
            self.assertFault(workspace, "is inside the state directory")

    def test_configured(self) -> None:
        """
        So is one that holds a file which the configuration names.
        """
        keys = self.folder / "keys"
        for key, more in (
            ("session.store", f"session: {{store: {keys}/s.sqlite}}"),
            ("logging.auditFile", f"logging: {{auditFile: {keys}/audit.log}}"),
            (
                "gateway.tls.keyPath",
                f"gateway: {{tls: {{certPath: {keys}/c.pem, keyPath: {keys}/k.pem}}}}",
            ),
        ):
            self.assertFault("keys", f"holds {key}", more)
            self.load("work", more)
