"""
Tests of the init script with the real daemon, without root.
"""

import os
import re
import signal
from getpass import getuser
from pathlib import Path
from resource import RLIMIT_NOFILE, getrlimit
from shlex import quote
from typing import Any, NamedTuple

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import SkipTest

import tests
from tests.integration.daemon import TWISTD
from tests.integration.daemon_case import LOOPBACK, DaemonTestCase

SCRIPT = Path(tests.__file__).parent.parent / "etc" / "init.d" / "openclaw"
LOOKS_EACH = 0.02


class Outcome(NamedTuple):
    """
    The result of the script.

    @ivar said: Its standard output.
    @ivar complained: Its standard error.
    @ivar status: Its exit status.
    """

    said: str
    complained: str
    status: int


class InitScriptTestCase(DaemonTestCase):
    """
    An init script with settings that need no root.
    """

    if not Path("/proc/self/cmdline").exists():
        skip = "processes can't be seen in /proc"

    def setUp(self) -> None:
        """
        Write the settings file.
        """
        super().setUp()
        self.shell = f"exec /bin/sh {quote(str(SCRIPT))}"
        self.pidfile = self.folder / "openclaw.pid"
        self.logfile = self.folder / "log" / "openclaw.log"
        self.configure()
        self.writeSettings()
        self.addCleanup(self.killDaemon)

    def writeSettings(self, **changes: str) -> None:
        """
        Write the file with the script's settings.
        """
        settings = {
            "OPENCLAW_TWISTD": str(TWISTD),
            "OPENCLAW_USER": getuser(),
            "OPENCLAW_PIDFILE": str(self.pidfile),
            "OPENCLAW_LOGFILE": str(self.logfile),
            "OPENCLAW_STATE_DIR": str(self.state),
            "OPENCLAW_CONFIG_PATH": str(self.folder / "openclaw.json"),
            "OPENCLAW_OPTIONS": f"--listen {LOOPBACK}",
            **changes,
        }
        (self.folder / "default").write_text(
            "".join(f'{name}="{value}"\n' for name, value in settings.items())
        )

    async def call(self, action: str) -> Outcome:
        """
        Run the script.
        """
        environ = {"OPENCLAW_DEFAULTS": str(self.folder / "default")}
        said, complained, status = await getProcessOutputAndValue(
            "/bin/sh", ["-c", f"{self.shell} {action}"], env=environ, reactor=reactor
        )
        return Outcome(said.decode(), complained.decode(), status)

    async def succeed(self, action: str) -> str:
        """
        Run the script, which must succeed without errors.

        @return: Its output.
        """
        outcome = await self.call(action)
        self.assertEqual(outcome[1:], ("", 0), self.log())
        return outcome.said

    def pid(self) -> int:
        """
        Return the process id in the pidfile.
        """
        return int(self.pidfile.read_text())

    def log(self) -> str:
        """
        Return the daemon's log.
        """
        return self.logfile.read_text() if self.logfile.exists() else "no log"

    async def logged(self, pattern: str) -> re.Match[str]:
        """
        Wait for a log line.
        """
        while True:
            found = re.search(pattern, self.log(), re.MULTILINE)
            if found is not None:
                return found
            await deferLater(reactor, LOOKS_EACH)

    async def start(self) -> None:
        """
        Start the daemon, and wait until it is ready.
        """
        await self.succeed("start")
        self.url = (await self.logged(r"Ready at (\S+)/v1$"))[1]

    async def killDaemon(self) -> None:
        """
        Leave no daemon behind.
        """
        if self.pidfile.exists() and self.isOurs(self.pid()):
            os.kill(self.pid(), signal.SIGKILL)

    def isOurs(self, pid: int) -> bool:
        """
        Return whether a process is a daemon of this test.
        """
        command = Path(f"/proc/{pid}/cmdline")
        return command.exists() and bytes(self.pidfile) in command.read_bytes()


class LifeTests(InitScriptTestCase):
    """
    The script starts and stops the daemon.
    """

    async def test_startAndStop(self) -> None:
        """
        After the start, the daemon responds; after the stop, nothing of it is left.
        """
        self.assertEqual((await self.call("status")).status, 3)
        await self.start()
        pid = self.pid()
        self.assertEqual((await self.caller(self.url).get("/readyz")).status, 200)
        self.assertIn(str(pid), await self.succeed("status"))
        await self.succeed("stop")
        self.assertFalse(self.isOurs(pid))
        self.assertFalse(self.pidfile.exists())
        self.assertEqual((await self.call("status")).status, 3)

    async def test_startTwice(self) -> None:
        """
        Starting a running daemon succeeds without an effect.
        """
        await self.start()
        pid = self.pid()
        self.assertIn("already", await self.succeed("start"))
        self.assertEqual(self.pid(), pid)
        self.assertTrue(self.isOurs(pid))
        self.assertEqual(self.log().count("starting up"), 1)

    async def test_openFiles(self) -> None:
        """
        The daemon has the configured limit of open files, even if the shell's is lower.
        """
        _, hard = getrlimit(RLIMIT_NOFILE)
        wanted = 1500
        if hard < wanted:
            raise SkipTest(f"no more than {hard} files may be open here")
        self.writeSettings(OPENCLAW_MAX_FILES=str(wanted))
        self.shell = f"ulimit -S -n 1024; exec /bin/sh {quote(str(SCRIPT))}"
        await self.start()
        limits = Path(f"/proc/{self.pid()}/limits").read_text()
        self.assertRegex(limits, rf"Max open files +{wanted} ")

    async def test_stopTwice(self) -> None:
        """
        Stopping without a running daemon succeeds.
        """
        await self.succeed("stop")

    async def test_restart(self) -> None:
        """
        A restart replaces the daemon's process.
        """
        await self.start()
        pid = self.pid()
        await self.succeed("restart")
        self.assertNotEqual(self.pid(), pid)
        self.assertFalse(self.isOurs(pid))
        self.assertTrue(self.isOurs(self.pid()))

    async def test_restartStarts(self) -> None:
        """
        A restart starts a daemon that did not run.
        """
        await self.succeed("restart")
        self.assertTrue(self.isOurs(self.pid()))

    async def test_logIsCut(self) -> None:
        """
        On SIGUSR1 the daemon begins a new log file, as logrotate's settings require.
        """
        await self.start()
        os.kill(self.pid(), signal.SIGUSR1)
        old = self.logfile.with_name("openclaw.log.1")
        while not old.exists():
            await deferLater(reactor, LOOKS_EACH)
        self.assertIn("Ready at", old.read_text())
        await self.succeed("stop")
        self.assertIn("Stopped", self.log())


class ReloadTests(InitScriptTestCase):
    """
    The script reloads the configuration.
    """

    async def test_reload(self) -> None:
        """
        A change takes effect, in the same process.
        """
        await self.start()
        pid = self.pid()
        agents = {"agents": {"entries": {"another": {}}}}
        self.configure(agents)
        await self.succeed("reload")
        await self.logged("The configuration was reloaded")
        self.assertEqual(self.pid(), pid)
        models = await (await self.caller(self.url).get("/v1/models")).json()
        self.assertIn("openclaw/another", [each["id"] for each in models["data"]])

    async def test_brokenConfiguration(self) -> None:
        """
        With an invalid file neither reload nor restart has an effect other than the
        error.
        """
        await self.start()
        pid = self.pid()
        self.configure({"gateway": {"port": "high"}})
        for action in ("reload", "force-reload", "restart"):
            outcome = await self.call(action)
            self.assertEqual(outcome.status, 1)
            self.assertIn("gateway.port", outcome.complained)
        self.assertEqual(self.pid(), pid)
        await self.succeed("status")
        self.assertNotIn("refused", self.log())

    async def test_notRunning(self) -> None:
        """
        Reloading a daemon that is not running fails.
        """
        self.assertEqual((await self.call("reload")).status, 7)


class RefusalTests(InitScriptTestCase):
    """
    A failed start has a reason.
    """

    async def assertRefused(self, status: int, why: str) -> None:
        """
        Assert that a start fails, and leaves nothing behind.
        """
        outcome = await self.call("start")
        self.assertEqual(outcome.status, status)
        self.assertIn(why, outcome.complained)
        self.assertNotIn("Traceback", outcome.complained + self.log())
        self.assertEqual((await self.call("status")).status, 3)

    async def test_brokenConfiguration(self) -> None:
        """
        The error has the invalid key.
        """
        self.configure({"gateway": {"port": "high"}})
        await self.assertRefused(1, "gateway.port: expected an integer")

    async def test_busyPort(self) -> None:
        """
        The error has the port in use.
        """
        port = self.upstream.url.split(":")[2].removesuffix("/v1")
        self.writeSettings(OPENCLAW_OPTIONS=f"--listen tcp:{port}:interface=127.0.0.1")
        await self.assertRefused(1, f"127.0.0.1:{port}: [Errno 98] Address already")

    async def test_notInstalled(self) -> None:
        """
        The error has the path of the missing twistd.
        """
        self.writeSettings(OPENCLAW_TWISTD="/nowhere/twistd")
        await self.assertRefused(5, "/nowhere/twistd does not exist")

    async def test_brokenStore(self) -> None:
        """
        A daemon that ends directly after its start is a failure.
        """
        self.state.mkdir()
        (self.state / "sessions.sqlite").write_text("This is no database." * 99)
        await self.assertRefused(1, str(self.logfile))

    async def test_unknownAction(self) -> None:
        """
        An unknown command prints the usage.
        """
        outcome = await self.call("begin")
        self.assertEqual(outcome.status, 2)
        self.assertIn("start|stop|restart|reload", outcome.complained)


class PidfileTests(InitScriptTestCase):
    """
    A pidfile without its daemon.
    """

    async def test_numberOfAnother(self) -> None:
        """
        Another process with the same id is not affected.
        """
        self.pidfile.write_text(str(os.getpid()))
        outcome = await self.call("status")
        self.assertEqual(outcome.status, 1)
        await self.succeed("stop")
        self.assertFalse(self.pidfile.exists())

    async def test_startAnyway(self) -> None:
        """
        The daemon starts in spite of the pidfile of a killed one.
        """
        await self.start()
        os.kill(self.pid(), signal.SIGKILL)
        while self.isOurs(self.pid()):
            await deferLater(reactor, LOOKS_EACH)
        self.assertEqual((await self.call("status")).status, 1)
        await self.succeed("start")
        self.assertTrue(self.isOurs(self.pid()))

    async def test_nonsense(self) -> None:
        """
        An invalid pidfile is ignored.
        """
        self.pidfile.write_text("-1")
        self.assertEqual((await self.call("status")).status, 1)
        await self.succeed("start")


class DrainTests(InitScriptTestCase):
    """
    Stopping waits for runs in progress.
    """

    def ask(self) -> Deferred[Any]:
        """
        Send a request to which the model does not reply yet.
        """
        return Deferred.fromCoroutine(self.caller(self.url).ask("Wait for it."))

    async def asked(self) -> Any:
        """
        Wait for the model call.
        """
        while not self.upstream.calls:
            await deferLater(reactor, LOOKS_EACH)
        return self.upstream.calls[0]

    async def test_waits(self) -> None:
        """
        The client gets the reply of the run in progress.
        """
        await self.start()
        asking = self.ask()
        call = await self.asked()
        stopping = Deferred.fromCoroutine(self.succeed("stop"))
        await self.logged("Draining: 1 runs")
        call.say("Here it is.")
        call.finish()
        answer = await asking
        self.assertEqual(answer.status, 200)
        self.assertEqual(await answer.words(), "Here it is.")
        await stopping

    async def test_losesPatience(self) -> None:
        """
        A daemon that does not end in time is killed.
        """
        self.writeSettings(OPENCLAW_STOP_SECONDS="1")
        await self.start()
        pid = self.pid()
        asking = self.ask()
        await self.asked()
        outcome = await self.call("stop")
        self.assertEqual(outcome.status, 0)
        self.assertIn("killed", outcome.complained)
        self.assertFalse(self.isOurs(pid))
        asking.addErrback(lambda failure: None)
        await asking
