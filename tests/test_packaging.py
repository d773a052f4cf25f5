"""
Tests of the distributions, and of their installation.
"""

import shutil
import subprocess
import sys
import tarfile
import venv
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

from twisted.trial.unittest import SynchronousTestCase

import openclaw
import tests

PROJECT = Path(tests.__file__).parent.parent
LEFTOVERS = shutil.ignore_patterns(
    ".*", "_trial_temp*", "*.egg-info", "build", "dist", "node_modules", "__pycache__"
)
PLUGIN = "twisted/plugins/openclaw_plugin.py"
PATIENCE = 120


def run(*command: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """
    Run a command without the tests' environment.
    """
    return subprocess.run(
        [str(each) for each in command],
        cwd=folder,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "PIP_CONFIG_FILE": "/dev/null",
        },
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


class Distributions:
    """
    A copy of the project, and its distributions.

    @ivar folder: An empty directory.
    @ivar wheel: Built from the source distribution.
    @ivar direct: A wheel built from the project itself.
    """

    def __init__(self) -> None:
        self._kept = TemporaryDirectory()
        self.root = root = Path(self._kept.name).resolve()
        self.folder = root / "elsewhere"
        self.folder.mkdir()
        self.project = root / "project"
        shutil.copytree(PROJECT, self.project, ignore=LEFTOVERS)
        [self.sdist] = self._build("sdist", "--sdist", "*.tar.gz")
        # Without --wheel it is built from a source distribution.
        [self.wheel] = self._build("both", "--no-isolation", "*.whl")
        [self.direct] = self._build("wheel", "--wheel", "*.whl")

    def _build(self, name: str, kind: str, pattern: str) -> list[Path]:
        out = self.root / name
        self.mustRun("-m", "build", "--no-isolation", kind, "-o", out, self.project)
        return list(out.glob(pattern))

    def mustRun(self, *arguments: object) -> None:
        """
        Run this Python successfully.
        """
        done = run(sys.executable, *arguments, folder=self.folder)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)

    def install(self, name: str, *what: object) -> Path:
        """
        Install it in an otherwise empty environment with its dependencies.

        @return: The directory with the programs.
        """
        root = self.root / name
        venv.create(root, symlinks=True)
        [site] = root.glob("lib/python*/site-packages")
        # .pth files found there have no effect: the tested project stays hidden.
        packages = [path for path in sys.path if path.endswith("-packages")]
        (site / "dependencies.pth").write_text("\n".join(packages))
        python = root / "bin" / "python"
        quiet = ["--quiet", "--disable-pip-version-check", "--ignore-installed"]
        offline = ["--no-index", "--no-deps", "--no-build-isolation"]
        self.mustRun(
            "-m", "pip", "--python", python, "install", *quiet, *offline, *what
        )
        return root / "bin"


@cache
def distributions() -> Distributions:
    """
    Build the distributions once for all tests; they are removed when the process ends.
    """
    return Distributions()


@cache
def installed(kind: str) -> Path:
    """
    Install the project once for all tests.

    @param kind: C{wheel} or C{editable}.

    @return: The directory with the programs.
    """
    built = distributions()
    what = [built.wheel] if kind == "wheel" else ["--editable", built.project]
    return built.install(kind + "-installed", *what)


class ContentTests(SynchronousTestCase):
    """
    The content of the distributions.
    """

    def files(self, folder: str) -> set[str]:
        """
        Return the files of the project in one of its directories.
        """
        return {
            str(path.relative_to(distributions().project))
            for path in distributions().project.joinpath(folder).rglob("*")
            if path.is_file()
            and "__pycache__" not in path.parts
            # Twisted's plug-in cache, created at the first use.
            and path.name != "dropin.cache"
        }

    def test_wheel(self) -> None:
        """
        A wheel has the whole package, with its SQL and C{py.typed}, and the plug-in;
        and nothing else, such as tests.
        """
        with ZipFile(distributions().wheel) as wheel:
            found = {name for name in wheel.namelist() if ".dist-info/" not in name}
        self.assertEqual(found, self.files("openclaw") | {PLUGIN})
        self.assertIn("openclaw/py.typed", found)
        self.assertIn("openclaw/sessions/store/schema/0001_sessions.sql", found)

    def test_sourceDistribution(self) -> None:
        """
        The source distribution has the tests and the files for servers.
        """
        with tarfile.open(distributions().sdist) as sdist:
            found = {name.partition("/")[2] for name in sdist.getnames()}
        grafted = ("tests", "benchmarks", "docs", "etc", "twistd-plugin")
        for folder in ("openclaw", *grafted):
            self.assertEqual(self.files(folder) - found, set())
        self.assertLessEqual({"Makefile", "LICENSE", "README.md", PLUGIN}, found)

    def test_sameWheel(self) -> None:
        """
        The source distribution has everything that a wheel needs.
        """
        with (
            ZipFile(distributions().wheel) as one,
            ZipFile(distributions().direct) as other,
        ):
            checks = [
                {each.filename: each.CRC for each in wheel.infolist()}
                for wheel in (one, other)
            ]
        self.assertEqual(*checks)


class _InstalledTests:
    """
    An installation is complete.

    @cvar kind: See L{installed}.
    """

    kind: str

    @property
    def bin(self) -> Path:
        """
        Return the directory with its programs.
        """
        return installed(self.kind)

    def python(self, *command: object) -> str:
        """
        Run a program of the installation successfully.

        @return: Its output.
        """
        done = run(self.bin / "python", *command, folder=distributions().folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def twisted(self, name: str) -> Path:
        """
        Return a program of Twisted, run by the installation's Python.
        """
        return Path(sys.executable).with_name(name)

    def test_twistd(self) -> None:
        """
        twistd lists the daemon and its options.
        """
        self.assertRegex(
            self.python(self.twisted("twistd"), "--help"), r"\n +openclaw "
        )
        options = self.python(self.twisted("twistd"), "openclaw", "--help")
        self.assertIn("--listen", options)

    def test_twist(self) -> None:
        """
        twist lists the daemon, too.
        """
        self.assertRegex(self.python(self.twisted("twist"), "--help"), r"\n +openclaw ")
        options = self.python(self.twisted("twist"), "openclaw", "--help")
        self.assertIn("--listen", options)

    def test_listingImportsNothing(self) -> None:
        """
        Listing plug-ins imports neither our code nor a reactor.
        """
        twistd = str(self.twisted("twistd"))
        code = (
            "import runpy, sys\n"
            f"sys.argv = [{twistd!r}, '--help']\n"
            "try:\n"
            f"    runpy.run_path({twistd!r}, run_name='__main__')\n"
            "except SystemExit:\n"
            "    pass\n"
            "print('loaded:', *sys.modules)\n"
        )
        listing, _, loaded = self.python("-c", code).partition("loaded:")
        self.assertIn("openclaw", listing)
        names = set(loaded.split())
        self.assertIn("twisted.plugins", names)
        self.assertEqual([name for name in names if name.startswith("openclaw")], [])
        self.assertNotIn("twisted.internet.reactor", names)

    def test_command(self) -> None:
        """
        The command is installed.
        """
        said = self.python(self.bin / "openclaw", "--version")
        self.assertEqual(said.strip(), openclaw.__version__)

    def test_import(self) -> None:
        """
        Programs can import the package, which finds its SQL.
        """
        said = self.python(
            "-c",
            "import openclaw.service, openclaw.sessions.store.schema as schema\n"
            "print(openclaw.__file__, len(schema.schemaSteps()))",
        )
        path, steps = said.split()
        self.assertTrue(Path(path).is_relative_to(distributions().root), path)
        self.assertGreater(int(steps), 0)


class WheelTests(_InstalledTests, SynchronousTestCase):
    """
    A wheel was installed.
    """

    kind = "wheel"


class EditableTests(_InstalledTests, SynchronousTestCase):
    """
    An editable installation.
    """

    kind = "editable"
