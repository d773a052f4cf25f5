"""
Tests for L{openclaw.cli.config}.
"""

from io import StringIO
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from openclaw.cli.config import check
from tests.integration.certificates import writeCertificate


class ConfigCheckTests(SynchronousTestCase):
    """
    C{openclaw config check} reports errors without starting the daemon.
    """

    def setUp(self):
        """
        Create a directory for the command.
        """
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def check(self, content=None, path=None):
        """
        Run the command.

        @param content: The file in the state directory, if there is one.
        @return: The exit status, and the lines of both outputs.
        """
        if content is not None:
            (self.folder / "openclaw.yaml").write_text(content)
        stdout, stderr = StringIO(), StringIO()
        environ = {"OPENCLAW_STATE_DIR": str(self.folder)}
        if path is not None:
            environ["OPENCLAW_CONFIG_PATH"] = path
        status = check(environ, stdout, stderr, self.folder / "none.yaml")
        return status, stdout.getvalue().splitlines(), stderr.getvalue().splitlines()

    def test_aGoodFileIsOneLine(self):
        """
        The line has the path of the file.
        """
        self.assertEqual(
            self.check("gateway: {port: 1}"),
            (0, [f"{self.folder}/openclaw.yaml: no errors"], []),
        )

    def test_noFile(self):
        """
        Without a file the command fails, and lists the searched paths.
        """
        status, out, (line,) = self.check()
        self.assertEqual((status, out), (1, []))
        for place in (str(self.folder), str(self.folder / "none.yaml")):
            self.assertIn(place, line)
        self.assertIn("openclaw setup", line)

    def test_certificate(self):
        """
        A certificate and a key that do not match are an error; matching ones are not.
        """
        others = self.folder / "others"
        others.mkdir()
        cert, key = writeCertificate(self.folder)
        _, other = writeCertificate(others)
        tls = "gateway: {{tls: {{certPath: {}, keyPath: {}}}}}"
        status, _, lines = self.check(tls.format(cert, other))
        self.assertEqual((status, len(lines)), (1, 2))
        self.assertIn("  gateway.tls: ", lines[1])
        self.assertIn("does not match", lines[1])
        self.assertEqual(self.check(tls.format(cert, key))[0], 0)

    def test_validity(self):
        """
        A certificate that has expired, or is not valid yet, is a warning.
        """
        for day, word in ((-1, "expired at"), (1, "is not valid before")):
            cert, key = writeCertificate(self.folder, day)
            tls = f"gateway: {{tls: {{certPath: {cert}, keyPath: {key}}}}}"
            status, _, lines = self.check(tls)
            self.assertEqual((status, len(lines)), (0, 1))
            self.assertIn(word, lines[0])

    def test_warningsDoNotFail(self):
        """
        Unknown keys are reported, and the exit status is 0.
        """
        status, out, err = self.check("gateway: {prot: 1}\nchannels: {}")
        self.assertEqual((status, len(out)), (0, 1))
        self.assertEqual(
            err,
            [
                'warning: gateway.prot: unknown key; did you mean "port"?',
                "warning: channels: unknown key, ignored",
            ],
        )

    def test_everyFaultIsALine(self):
        """
        All errors are reported, and the exit status is 1.
        """
        status, out, err = self.check("gateway: {port: x, bind: y}")
        self.assertEqual((status, out), (1, []))
        self.assertEqual(err[0], f"{self.folder}/openclaw.yaml: 2 errors:")
        self.assertEqual(
            [line.partition(":")[0] for line in err[1:]],
            ["  gateway.port", "  gateway.bind"],
        )

    def test_aNamedFileIsTheOneThatIsChecked(self):
        """
        Another file can be checked, and must exist.
        """
        other = self.folder / "other.json"
        other.write_text("{gateway: {port: 1}}")
        self.assertEqual(
            self.check("gateway: {port: x}", path=str(other)),
            (0, [f"{other}: no errors"], []),
        )
        status, _, err = self.check(path=str(self.folder / "missing.yaml"))
        self.assertEqual(status, 1)
        self.assertIn("does not exist", err[0])

    def test_whatIsNotInstalledIsAFault(self):
        """
        Missing tools and dialects are reported together, with their keys.
        """
        status, out, err = self.check(
            "agents: {defaults: {tools: {deny: [exce]}}}\n"
            "models: {providers: {a: {api: gopher, baseUrl: 'http://a.test'}}}"
        )
        self.assertEqual((status, out), (1, []))
        self.assertEqual(err[0], f"{self.folder}/openclaw.yaml: 2 errors:")
        self.assertIn('agents.defaults.tools.deny[0]: there is no tool "exce"', err[1])
        self.assertIn('models.providers.a.api: no plug-in has "gopher"', err[2])

    def test_whatIsInstalledIsFine(self):
        """
        OpenClaw's own tools and dialects are installed.
        """
        status, out, err = self.check(
            f"agents: {{defaults: {{workspace: {self.workspace()},"
            " tools: {allow: [exec], deny: [web_fetch]}}}\n"
            "models: {providers: {a: {api: ollama, baseUrl: 'http://a.test'}}}"
        )
        self.assertEqual((status, len(out), err), (0, 1, []))

    def workspace(self):
        """
        Return a directory for an agent.
        """
        workspace = self.folder.with_name("workspace")
        workspace.mkdir(exist_ok=True)
        return workspace

    def test_remote(self):
        """
        A remote port requires a configured credential.
        """
        status, _, lines = self.check("gateway: {bind: lan}")
        self.assertEqual((status, len(lines)), (1, 2))
        self.assertIn("  gateway.auth.token: missing; ", lines[1])
        self.assertEqual(self.check("gateway: {bind: lan, auth: {token: t}}")[0], 0)

    def test_workspace(self):
        """
        An agent with file tools requires an existing directory.
        """
        for agent, line in (
            (
                "{tools: {profile: coding}}",
                "agents.entries.a.workspace: missing; the tools edit, exec, grep, ls,"
                " read, write need it",
            ),
            (
                "{workspace: /nowhere, tools: {allow: [read]}}",
                "agents.entries.a.workspace: /nowhere is not a directory; the tools"
                " read need it",
            ),
        ):
            status, _, lines = self.check(
                f"agents: {{entries: {{main: {{}}, a: {agent}}}}}"
            )
            self.assertEqual((status, lines[1:]), (1, [f"  {line}"]))
        for agent in (
            "{tools: {allow: [web_fetch]}}",
            "{tools: {profile: readonly, deny: [grep, ls, read]}}",
            f"{{workspace: {self.workspace()}, tools: {{profile: full}}}}",
        ):
            given = f"agents: {{entries: {{main: {{}}, a: {agent}}}}}"
            self.assertEqual(self.check(given)[::2], (0, []), agent)

    def test_everythingAtOnce(self):
        """
        Errors of all kinds are listed together, with the warnings.
        """
        status, _, lines = self.check(
            "gateway: {port: x, tls: {certPath: /nope, keyPath: /nope}}\n"
            "agents: {entries: {main: {tools: {profile: coding, deny: [exce]}}}}\n"
            "models: {providers: {a: {base_url: 'http://a.test'}}}"
        )
        self.assertEqual(status, 1)
        self.assertEqual(
            [line.partition(": ")[0].strip() for line in lines[1:]],
            [
                "gateway.port",
                "models.providers.a.baseUrl",
                "agents.entries.main.tools.deny[0]",
                "gateway.tls",
                "agents.entries.main.workspace",
                "warning",
            ],
        )
        self.assertIn('did you mean "baseUrl"?', lines[-1])
