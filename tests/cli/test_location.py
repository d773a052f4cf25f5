"""
Tests of L{openclaw.cli.location}.
"""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from openclaw.cli.location import describeLocation, locateDaemon


class LocateTests(SynchronousTestCase):
    """
    The daemon that the user means.
    """

    def setUp(self) -> None:
        """
        Make a home, a directory to run in, and the environment file of a service.
        """
        base = Path(self.mktemp()).absolute()
        self.home, self.folder = base / "home", base / "project"
        self.service = base / "default"
        for directory in (self.home, self.folder):
            directory.mkdir(parents=True)
        self.service.write_text(
            "# A comment\n\nOPENCLAW_STATE_DIR=/var/lib/openclaw\n"
            "OPENCLAW_CONFIG_PATH='/etc/openclaw/openclaw.yaml'\n"
            'ACME_KEY="a b"  # quoted\nbroken line\nUNCLOSED="\nHOME=/nowhere\n'
        )

    def locate(self, **more: str) -> dict[str, str]:
        """
        Return the environment for these options and variables.
        """
        options = {name: more.pop(name, None) for name in ("state", "config")}
        return locateDaemon(
            {"HOME": str(self.home), **more},
            folder=self.folder,
            service=self.service,
            **options,
        )

    def makeState(self, parent: Path) -> Path:
        """
        Make a state directory with a configuration.
        """
        state = parent / ".openclaw"
        state.mkdir()
        (state / "openclaw.yaml").write_text("gateway: {port: 1}\n")
        return state

    def test_options(self) -> None:
        """
        Options go before variables, and relative paths become absolute.
        """
        self.makeState(self.folder)
        found = self.locate(state="here", config="a.yaml", OPENCLAW_STATE_DIR="/other")
        self.assertEqual(found["OPENCLAW_STATE_DIR"], str(Path.cwd() / "here"))
        self.assertEqual(found["OPENCLAW_CONFIG_PATH"], str(Path.cwd() / "a.yaml"))

    def test_variables(self) -> None:
        """
        One variable is enough for nothing else to be searched.
        """
        self.makeState(self.folder)
        for name in ("OPENCLAW_STATE_DIR", "OPENCLAW_CONFIG_PATH"):
            given = {"HOME": str(self.home), name: "/given"}
            self.assertEqual(self.locate(**{name: "/given"}), given)

    def test_local(self) -> None:
        """
        The directory of C{make serve} is found from beside it, if it holds a
        configuration and is no link.
        """
        (self.folder / ".openclaw").mkdir()
        self.assertNotEqual(
            self.locate().get("OPENCLAW_STATE_DIR"), str(self.folder / ".openclaw")
        )
        (self.folder / ".openclaw").rmdir()
        state = self.makeState(self.folder)
        self.makeState(self.home)
        self.assertEqual(self.locate()["OPENCLAW_STATE_DIR"], str(state))
        self.assertIn(f"{state}/openclaw.yaml", describeLocation(self.locate()))

    def test_link(self) -> None:
        """
        A link to a state directory is not followed: anybody can lay one.
        """
        state = self.makeState(self.home)
        (self.folder / ".openclaw").symlink_to(state)
        self.assertNotIn("OPENCLAW_STATE_DIR", self.locate())

    def test_home(self) -> None:
        """
        The user's own daemon goes before the service.
        """
        self.makeState(self.home)
        self.assertEqual(self.locate(), {"HOME": str(self.home)})

    def test_service(self) -> None:
        """
        Without any other, the environment file of the service is read; it does not
        replace variables.
        """
        self.assertEqual(
            self.locate(),
            {
                "HOME": str(self.home),
                "OPENCLAW_STATE_DIR": "/var/lib/openclaw",
                "OPENCLAW_CONFIG_PATH": "/etc/openclaw/openclaw.yaml",
                "ACME_KEY": "a b",
            },
        )
        self.service.unlink()
        self.assertEqual(self.locate(), {"HOME": str(self.home)})
