"""
Tests for L{openclaw.config.loading}.
"""

import os
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import Config, findConfig, loadConfig, stateDirectory
from openclaw.config.loading import MAX_BYTES
from openclaw.errors import ConfigError

SEED = b"""\
{
  gateway: {
    http: {
      endpoints: {
        chatCompletions: { enabled: true },
      },
    },
  },
}
"""


class Folder(SynchronousTestCase):
    """
    A test case with a directory.
    """

    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.folder.mkdir()

    def write(self, name, content=b""):
        """
        Write a file, and create its directories.
        """
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path


class LocatingTests(Folder):
    """
    The first file in the documented order is the configuration.
    """

    def setUp(self):
        """
        Create an environment that refers to the directory.
        """
        super().setUp()
        self.system = self.folder / "etc/openclaw.yaml"
        self.environ = {
            "HOME": str(self.folder / "home"),
            "OPENCLAW_STATE_DIR": str(self.folder / "state"),
        }

    def find(self, option=None, **environ):
        """
        Return the path that was found, relative to the directory.
        """
        found = findConfig(option, {**self.environ, **environ}, self.system)
        return found and str(found.relative_to(self.folder))

    def test_theOrder(self):
        """
        Each place is searched only if those before it have no file.
        """
        self.assertIsNone(self.find())
        for name in (
            "etc/openclaw.yaml",
            "state/openclaw.json5",
            "state/openclaw.json",
            "state/openclaw.yml",
            "state/openclaw.yaml",
        ):
            self.write(name)
            self.assertEqual(self.find(), name)
        named = str(self.write("named.yaml"))
        self.assertEqual(self.find(OPENCLAW_CONFIG_PATH=named), "named.yaml")
        option = str(self.write("option.yaml"))
        self.assertEqual(self.find(option, OPENCLAW_CONFIG_PATH=named), "option.yaml")

    def test_theStateDirectoryIsInHome(self):
        """
        Without C{OPENCLAW_STATE_DIR}, C{~/.openclaw} is searched.
        """
        self.write("home/.openclaw/openclaw.json")
        self.assertEqual(
            self.find(OPENCLAW_STATE_DIR=""), "home/.openclaw/openclaw.json"
        )

    def test_aNamedFileMustBeThere(self):
        """
        A named file must exist, so that no other one is loaded by mistake.
        """
        self.write("etc/openclaw.yaml")
        for asked, source in (
            ({"option": "~/x.yaml"}, "the command line"),
            ({"OPENCLAW_CONFIG_PATH": "~/x.yaml"}, "OPENCLAW_CONFIG_PATH"),
        ):
            error = self.assertRaises(ConfigError, self.find, **asked)
            self.assertEqual(
                str(error),
                f"{self.folder}/home/x.yaml: does not exist (named by {source})",
            )

    def test_pathsAreAbsolute(self):
        """
        Paths are absolute, since a daemon may change its directory.
        """
        here = os.path.relpath(self.write("a.yaml"))
        self.assertEqual(self.find(here), "a.yaml")
        self.assertEqual(
            stateDirectory({"OPENCLAW_STATE_DIR": ".openclaw"}),
            Path.cwd() / ".openclaw",
        )

    def test_anUnknownHomeIsOneClearLine(self):
        """
        A path below an unknown user's home is an error without a traceback.
        """
        error = self.assertRaises(
            ConfigError, stateDirectory, {"OPENCLAW_STATE_DIR": "~no-such-user/x"}
        )
        self.assertIn("home directory", str(error))


class LoadingTests(Folder):
    """
    A file results in a configuration, or in one clear error.
    """

    def load(self, name, content, **environ):
        """
        Load a file with this content.
        """
        return loadConfig(self.write(name, content), environ)

    def errorIn(self, name, content):
        """
        Return the error about a file, without its folder.
        """
        error = self.assertRaises(ConfigError, self.load, name, content)
        return str(error).replace(f"{self.folder}/", "")

    def test_theSeedEnablesTheEndpoint(self):
        """
        The README's example works unchanged, with each extension of JSON5.
        """
        for name in ("openclaw.json", "openclaw.json5", "OPENCLAW.JSON"):
            loaded = self.load(name, SEED)
            endpoint = loaded.config.gateway.http.endpoints.chatCompletions
            self.assertIs(endpoint.enabled, True)
            self.assertEqual(loaded.warnings, ())
            self.assertEqual(loaded.path, self.folder / name)

    def test_yamlMeansTheSame(self):
        """
        The example in the other syntax results in the same configuration.
        """
        text = b"gateway: {http: {endpoints: {chatCompletions: {enabled: on}}}}"
        self.assertEqual(
            self.load("a.yml", text).config, self.load("a.json", SEED).config
        )

    def test_noFileAndAnEmptyFileAreTheDefaults(self):
        """
        No file, and an empty one, are the defaults.
        """
        self.assertEqual(loadConfig(None, {}).config, Config())
        self.assertIsNone(loadConfig(None, {}).path)
        for name in ("a.yaml", "a.json"):
            self.assertEqual(self.load(name, b"\xef\xbb\xbf\n").config, Config())

    def test_pathsStartFromTheFile(self):
        """
        A relative path starts at the directory of the configuration.
        """
        path = self.write("deep/a.yaml", b"session: {store: s.sqlite}")
        for named in (path, Path(os.path.relpath(path))):
            loaded = loadConfig(named, {})
            self.assertEqual(loaded.path, path)
            self.assertEqual(loaded.config.session.store, self.folder / "deep/s.sqlite")

    def test_theEnvironmentIsTheOneGiven(self):
        """
        Variables come from the caller, so that a process can have two gateways.
        """
        loaded = self.load(
            "a.yaml", b"agents: {defaults: {systemPrompt: '${P}'}}", P="x"
        )
        self.assertEqual(loaded.config.agents.defaults.systemPrompt, "x")

    def test_warningsAreHandedOut(self):
        """
        Unknown keys are returned as warnings.
        """
        self.assertEqual(
            self.load("a.yaml", b"gateway: {prot: 1}").warnings,
            ('gateway.prot: unknown key; did you mean "port"?',),
        )

    def test_faultsNameTheFile(self):
        """
        All errors follow one line with the file.
        """
        self.assertEqual(
            self.errorIn("a.yaml", b"gateway: {port: x}\nsession: 5").splitlines(),
            [
                "a.yaml: 2 errors:",
                "  gateway.port: expected an integer between 0 and 65535, "
                'got the string "x"',
                "  session: expected a mapping, got an integer",
            ],
        )

    def test_whatIsNoConfigurationIsOneLine(self):
        """
        Each kind of unreadable file is one line.
        """
        for name, content, text in (
            ("a.yaml", b"a: [\n", "a.yaml: line 2, column 1: "),
            ("a.json", b"{\n a: ,}", "a.json: line 2, column 5: unexpected character"),
            ("a.yaml", b"- a\n", "a.yaml: must hold a mapping of keys at its top"),
            ("a.json", b'"a"', "a.json: must hold a mapping of keys at its top"),
            ("a.yaml", b"a: \xff", "a.yaml: is not UTF-8 text (see the byte at"),
            ("a.toml", b"", "a.toml: must end in .yaml, .yml, .json or .json5"),
        ):
            error = self.errorIn(name, content)
            self.assertTrue(error.startswith(text), error)
            self.assertNotIn("\n", error)

    def test_aHugeFileIsOneLine(self):
        """
        A file over the limit is not read further.
        """
        path = self.write("huge.yaml", b"a: 1\n")
        os.truncate(path, 10 * 2**30)
        error = self.assertRaises(ConfigError, loadConfig, path, {})
        self.assertEqual(str(error), f"{path}: has more than {MAX_BYTES} bytes")

    def test_aPipeIsOneLine(self):
        """
        Pipes and devices are rejected without blocking.
        """
        os.mkfifo(self.folder / "pipe.yaml")
        (self.folder / "zero.yaml").symlink_to("/dev/zero")
        for name, why in (
            ("pipe.yaml", "is a FIFO"),
            ("zero.yaml", "is not a regular file"),
        ):
            error = self.assertRaises(ConfigError, loadConfig, self.folder / name, {})
            self.assertEqual(str(error), f"{self.folder / name}: {why}")

    def test_anUnreadableFileIsOneLine(self):
        """
        A directory in place of the file, and a missing file, are one line.
        """
        (self.folder / "b.yaml").mkdir()
        for name, why in (
            ("b.yaml", "Is a directory"),
            ("c.yaml", "No such file or directory"),
        ):
            error = self.assertRaises(ConfigError, loadConfig, self.folder / name, {})
            self.assertEqual(str(error), f"{self.folder / name}: can't be read: {why}")


class CostTests(Folder):
    """
    Loading the configuration is a small part of the start.
    """

    def test_json5IsOnlyImportedForJSON5(self):
        """
        YAML and plain JSON do not import the JSON5 parser.
        """
        script = (
            "import sys, pathlib, openclaw.config\n"
            "for name in sys.argv[1:]:\n"
            "    openclaw.config.loadConfig(pathlib.Path(name), {})\n"
            "    print('json5' in sys.modules, 'twisted' in sys.modules)\n"
        )
        names = [
            str(self.write("a.yaml", b"gateway: {port: 1}")),
            str(self.write("a.json", b'{"gateway": {"port": 1}}')),
            str(self.write("a.json5", SEED)),
        ]
        done = subprocess.run(
            [sys.executable, "-c", script, *names],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.assertEqual(
            done.stdout.splitlines(), ["False False", "False False", "True False"]
        )
