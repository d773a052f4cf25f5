"""
Plug-ins of other distributions: the example in C{twistd-plugin} is installed with the
project in an empty environment, and a daemon uses all of it.
"""

import os
import re
import shutil
import subprocess
import sys
import venv
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest

from tests.integration.daemon import Daemon
from tests.integration.daemon_case import KEY, LOOPBACK, TOKEN, DaemonTestCase
from tests.integration.http_caller import Answer
from tests.integration.program import Program
from tests.integration.test_tools import calls, says
from tests.test_packaging import distributions

PATIENCE = 120
OFFLINE = re.compile("Retrying|connection broken|name resolution|ProxyError", re.I)
"""
The output of pip when it can't reach an index.
"""


class Installation:
    """
    A virtual environment with two distributions, the project and the example.

    @ivar bin: The directory with its programs.
    @ivar source: A copy of the example's source.
    @ivar fault: The reason why it can't be created here, or C{None}.
    """

    def __init__(self) -> None:
        built = distributions()
        # Building and testing leave files behind.
        self.source = built.root / "example-source"
        shutil.copytree(built.project / "twistd-plugin", self.source)
        out = built.root / "example"
        built.mustRun(
            "-m", "build", "--no-isolation", "--wheel", "-o", out, self.source
        )
        [self._example] = out.glob("*.whl")
        root = built.root / "with-plug-ins"
        venv.create(root, symlinks=True)
        self.bin = root / "bin"
        # Dependencies come from the network, or from pip's cache.
        done = self._pip(
            "install", "--only-binary", ":all:", "--retries", "1", built.wheel
        )
        self.fault = None
        if done.returncode != 0 and OFFLINE.search(done.stderr):
            self.fault = "no package index can be reached"
        elif done.returncode != 0:
            raise AssertionError(done.stderr)
        else:
            self.install()

    def _pip(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python", *quiet]
        return subprocess.run(
            [str(each) for each in [*pip, *arguments]],
            # With PYTHONPATH, pip would find packages outside of that environment.
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def install(self) -> None:
        """
        Install the example, whose only requirement is installed.
        """
        self._pip("install", "--no-index", self._example).check_returncode()

    def uninstall(self) -> None:
        """
        Uninstall the example.
        """
        self._pip("uninstall", "--yes", "openclaw-example").check_returncode()


@cache
def installation() -> Installation:
    """
    Return the installation for all tests.
    """
    return Installation()


class PlugInTestCase(DaemonTestCase):
    """
    A daemon that uses only the installed code.
    """

    timeout = 180

    def setUp(self) -> None:
        """
        Install the example.
        """
        self.installed = installation()
        if self.installed.fault is not None:
            raise SkipTest(self.installed.fault)
        super().setUp()

    def command(self, name: str, *arguments: str) -> list[str]:
        """
        Return the command line of an installed program.
        """
        return [str(self.installed.bin / name), *arguments]

    def spawnInstalled(self, changes: Mapping[str, Any], *options: str) -> Daemon:
        """
        Start a daemon with a changed configuration.
        """
        daemon = Daemon()
        config = str(self.configure(changes))
        where = ["--config", config, "--listen", LOOPBACK, *options]
        twistd = self.command("twistd", "-n", "--pidfile=", "openclaw", *where)
        daemon.start(reactor, twistd, self.environment())
        self.addCleanup(daemon.abandon)
        return daemon

    async def startInstalled(self, changes: Mapping[str, Any], *options: str) -> Daemon:
        """
        Start such a daemon, and wait until it is ready.
        """
        daemon = self.spawnInstalled(changes, *options)
        await daemon.ready()
        return daemon

    async def finished(self, name: str, *arguments: str) -> Program:
        """
        Run an installed program to its end.
        """
        program = self.start(*self.command(name, *arguments))
        await program.ended
        return program

    def usingTool(self) -> dict[str, Any]:
        """
        Return a configuration with the tool.
        """
        return {
            "agents": {"defaults": {"tools": {"allow": ["disk_space"]}}},
            "tools": {"plugins": {"disk_space": {"paths": [str(self.folder)]}}},
        }

    def usingProvider(self) -> dict[str, Any]:
        """
        Return a configuration with the provider.
        """
        azure = {
            "api": "azure-openai",
            "baseUrl": self.upstream.url.removesuffix("/v1"),
            "apiKey": KEY,
        }
        return {
            "agents": {"defaults": {"model": "azure/words"}},
            "models": {"providers": {"azure": azure}},
        }

    def passwords(self) -> str:
        """
        Create a password file like the example's documentation.

        @return: The option for it.
        """
        line = subprocess.run(
            self.command("python", "-m", "openclaw_example.passwords", "amy"),
            env=self.environment(),
            input="open sesame\n",
            capture_output=True,
            check=True,
            text=True,
        )
        path = self.folder / "passwords"
        path.write_text(line.stdout)
        return f"--auth=scrypt:{path}"


class InstalledTests(PlugInTestCase):
    """
    All plug-ins of the example work.
    """

    async def test_tool(self) -> None:
        """
        The model gets the tool and its result, which depends on the configuration.
        """
        daemon = await self.startInstalled(self.usingTool())
        turns = [calls("disk_space"), says("There is room.")]
        self.upstream.answer = lambda call: turns.pop(0)(call)
        answer = await self.caller(daemon).ask("Is there room?")
        self.assertEqual(await answer.words(), "There is room.")
        first, second = self.upstream.calls
        [offered] = first.body["tools"]
        self.assertEqual(offered["function"]["name"], "disk_space")
        told = second.body["messages"][-1]
        self.assertEqual(told["role"], "tool")
        self.assertRegex(
            told["content"],
            re.escape(str(self.folder)) + r": [\d.]+ GiB of [\d.]+ GiB are free",
        )
        await daemon.line("tool disk_space run=run_.* outcome=ok")

    async def test_provider(self) -> None:
        """
        The provider's model replies, with its usage, and gets the key in its own form.
        """
        daemon = await self.startInstalled(self.usingProvider())
        self.upstream.says("Hello", " to you")
        answer = await (await self.caller(daemon).ask("hi")).json()
        said = answer["choices"][0]["message"]["content"]
        self.assertEqual(said, "Hello to you")
        self.assertEqual(answer["usage"]["total_tokens"], 10)
        [call] = self.upstream.calls
        self.assertEqual(call.headers["api-key"], KEY)
        self.assertNotIn("authorization", call.headers)
        self.assertEqual(call.body["model"], "words")

    async def test_providerCancelled(self) -> None:
        """
        Its texts are streamed, and it is cancelled when the client disconnects.
        """
        daemon = await self.startInstalled(self.usingProvider())
        asked = self.upstream.nextCall()
        stream = await self.caller(daemon).connect("hi", stream=True)
        call = await asked
        call.say("Hello")
        await stream.until("Hello")
        stream.reset()
        await call.gone

    async def test_checker(self) -> None:
        """
        A user of the password file is accepted by HTTP Basic, others are not; the
        gateway's token is valid as before.
        """
        daemon = await self.startInstalled({}, self.passwords())
        self.upstream.says("Hello")

        async def asked(pair: str) -> Answer:
            basic = f"Basic {b64encode(pair.encode()).decode()}"
            caller = self.caller(daemon, None)
            return await caller.ask("hi", headers={"authorization": basic})

        self.assertEqual((await asked("amy:open sesame")).status, 200)
        for wrong in ("amy:open", "bob:open sesame", "amy:"):
            refused = await asked(wrong)
            self.assertEqual(
                (refused.status, await refused.code()), (401, "invalid_api_key")
            )
        self.assertEqual((await self.caller(daemon, TOKEN).ask("hi")).status, 200)

    async def test_brokenNeighbour(self) -> None:
        """
        A plug-in that can't be imported is logged, and does not affect the others.
        """
        [plugins] = self.installed.bin.parent.glob(
            "lib/*/site-packages/openclaw/plugins"
        )
        broken = plugins / "broken_neighbour.py"
        broken.write_text("import what_there_is_not")
        self.addCleanup(broken.unlink)
        daemon = await self.startInstalled(self.usingProvider())
        self.assertIn("No module named 'what_there_is_not'", daemon.text)
        self.upstream.says("Hello")
        answer = await self.caller(daemon).ask("hi")
        self.assertEqual(await answer.words(), "Hello")

    async def test_itsOwnTests(self) -> None:
        """
        The example's tests pass.
        """
        trial = subprocess.run(
            self.command("python", "-m", "twisted.trial", "tests"),
            cwd=self.installed.source,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        self.assertEqual(trial.returncode, 0, trial.stdout + trial.stderr)


class UninstalledTests(PlugInTestCase):
    """
    The example was uninstalled, but is still configured.
    """

    def setUp(self) -> None:
        """
        Uninstall it until the end of the test.
        """
        super().setUp()
        self.option = self.passwords()
        self.installed.uninstall()
        self.addCleanup(self.installed.install)

    async def assertRefused(self, changes: Mapping[str, Any], fault: str) -> None:
        """
        Assert that both the check and the daemon reject the configuration, with the
        reason.
        """
        daemon = self.spawnInstalled(changes)
        await daemon.ended
        path = str(self.folder / "openclaw.json")
        check = await self.finished("openclaw", "config", "check", path)
        for program in (check, daemon):
            self.assertEqual(program.status, 1, program.text)
            self.assertIn(fault, program.text)
            self.assertNotIn("Traceback", program.text)

    async def test_tool(self) -> None:
        """
        The error has the missing tool of an agent.
        """
        await self.assertRefused(
            self.usingTool(),
            'agents.defaults.tools.allow[0]: there is no tool "disk_space"; there are: '
            "edit, exec, grep, ls, read, ",
        )

    async def test_provider(self) -> None:
        """
        The error has the missing dialect of a provider.
        """
        await self.assertRefused(
            self.usingProvider(),
            'models.providers.azure.api: no plug-in has "azure-openai"; there are: '
            "anthropic-messages, ",
        )

    async def test_checker(self) -> None:
        """
        The error has the missing checker of the command line.
        """
        daemon = self.spawnInstalled({}, self.option)
        await daemon.ended
        self.assertEqual(daemon.status, 1)
        self.assertIn("Auth plugin not recognized: scrypt", daemon.text)
