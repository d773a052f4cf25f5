"""
Tests of the daemon's start and end, with twistd in the foreground and in the
background, and with twist.
"""

import os
import re
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from tests.integration.daemon import TWISTD
from tests.integration.daemon_case import LOOPBACK, DaemonTestCase
from tests.integration.program import Program

TWIST = TWISTD.with_name("twist")


class StartTestCase(DaemonTestCase):
    """
    A daemon that is started in one of these ways.
    """

    def setUp(self) -> None:
        """
        Begin without a process.
        """
        super().setUp()
        self.pidfile = self.folder / "twistd.pid"
        self.logfile = self.folder / "twistd.log"
        self.config = self.configure()

    def foreground(self) -> Sequence[str]:
        """
        Return the command for twistd in the foreground.
        """
        return [sys.executable, str(TWISTD), "-n", f"--pidfile={self.pidfile}"]

    def background(self) -> Sequence[str]:
        """
        Return the command for twistd in the background.
        """
        files = [f"--pidfile={self.pidfile}", f"--logfile={self.logfile}"]
        return [sys.executable, str(TWISTD), *files]

    def twist(self) -> Sequence[str]:
        """
        Return the command for twist.
        """
        return [sys.executable, str(TWIST), "--log-format=text"]

    def launch(self, command: Sequence[str], *options: str, **environ: str) -> Program:
        """
        Run it.

        @param options: The options after C{openclaw --config FILE}.
        """
        program = Program()
        given = ["openclaw", "--config", str(self.config), *options]
        program.start(reactor, [*command, *given], self.environment(**environ))
        self.addCleanup(program.abandon)
        return program

    async def runBackground(self, *options: str) -> int:
        """
        Start twistd in the background.

        @return: The process id in the pidfile.
        """
        starting = self.launch(self.background(), *options)
        await starting.ended
        self.assertEqual(starting.status, 0, starting.text)
        pid = int(self.pidfile.read_text())
        self.addCleanup(self.end, pid)
        return pid

    async def end(self, pid: int, number: int = signal.SIGKILL) -> None:
        """
        End a process that is not a child of this one, and wait for that.
        """
        command = Path(f"/proc/{pid}/cmdline")
        while command.exists() and command.read_bytes():
            os.kill(pid, number)
            number = 0
            await deferLater(reactor, 0.02)

    async def endNamed(self) -> None:
        """
        End the process in the pidfile, if there is one.
        """
        if self.pidfile.exists():
            await self.end(int(self.pidfile.read_text()))

    def log(self) -> str:
        """
        Return the content of the log file.
        """
        return self.logfile.read_text() if self.logfile.exists() else ""

    async def assertRefused(self, program: Program, *lines: str) -> None:
        """
        Assert that a start failed with the reason and nothing else, and left nothing
        behind.

        @param lines: Patterns of its output.
        """
        await program.ended
        self.assertEqual(program.status, 1, program.text)
        self.assertEqual(len(program.lines), len(lines), program.text)
        for line, pattern in zip(program.lines, lines, strict=True):
            self.assertRegex(line, pattern)
        self.assertFalse(self.pidfile.exists())
        self.assertEqual(self.log(), "")


class _RefusedStartTests:
    """
    Errors are reported in one clear line, before anything is started.

    @cvar misused: The exit status for an invalid command line.
    """

    misused = 1

    def command(self) -> Sequence[str]:
        """
        Return the command that starts the daemon.
        """
        raise NotImplementedError

    async def refused(self, options: Sequence[str], *lines: str) -> None:
        """
        Assert that a start with these options is refused.
        """
        await self.assertRefused(self.launch(self.command(), *options), *lines)

    async def test_brokenConfiguration(self) -> None:
        """
        All errors in the configuration are shown.
        """
        self.configure({"gateway": {"port": "high"}, "agents": {"list": 7}})
        await self.refused(
            [],
            r"^openclaw: \S+openclaw.json: 2 errors:$",
            r"^  gateway.port: ",
            r"^  agents.list: ",
        )

    async def test_missingConfiguration(self) -> None:
        """
        A named file must exist.
        """
        self.config = self.folder / "nothing.yaml"
        await self.refused([], r"^openclaw: \S+/nothing.yaml: does not exist")

    async def test_busyPort(self) -> None:
        """
        A port in use is named.
        """
        port = self.upstream.url.split(":")[2].removesuffix("/v1")
        await self.refused(
            ["--listen", f"tcp:{port}:interface=127.0.0.1"],
            rf"^openclaw: Can't listen on .*127.0.0.1:{port}: .*Address already in use",
        )
        self.configure({"gateway": {"port": int(port), "bind": "loopback"}})
        await self.refused(
            [],
            rf"^openclaw: Can't listen on '127.0.0.1:{port}': \[Errno \d+\] Address"
            r" already in use\."
            r" Stop the program that has it, or set another gateway\.port\.",
        )

    async def test_unknownEndpoint(self) -> None:
        """
        An invalid endpoint is shown.
        """
        await self.refused(
            ["--listen", "pigeon:7"], r"^openclaw: Can't listen on 'pigeon:7': Unknown"
        )

    async def test_certificateMissing(self) -> None:
        """
        A missing certificate is named.
        """
        tls = {"certPath": "/nowhere/cert.pem", "keyPath": "/nowhere/key.pem"}
        self.configure({"gateway": {"tls": tls}})
        program = self.launch(self.command())
        await self.assertRefused(program, r"^openclaw: .*/nowhere/cert.pem")

    async def test_certificateBroken(self) -> None:
        """
        An invalid certificate is named.
        """
        path = self.folder / "cert.pem"
        path.write_text("This is no certificate.")
        tls = {"certPath": str(path), "keyPath": str(path)}
        self.configure({"gateway": {"tls": tls}})
        program = self.launch(self.command())
        await self.assertRefused(program, rf"^openclaw: .*{path}")

    async def test_stateDirectory(self) -> None:
        """
        A state directory that can't be created is named.
        """
        path = self.config / "state"
        program = self.launch(self.command(), OPENCLAW_STATE_DIR=str(path))
        await self.assertRefused(
            program,
            rf"^openclaw: The state directory {path} can't be created: Not a dir",
        )

    async def test_unknownOption(self) -> None:
        """
        An unknown option is named, after the usage.
        """
        program = self.launch(self.command(), "--frobnicate")
        await program.ended
        self.assertEqual(program.status, self.misused)
        self.assertIn("option --frobnicate not recognized", program.text)
        self.assertNotIn("Traceback", program.text)

    async def test_passwordFile(self) -> None:
        """
        The callers' password file must exist.
        """
        program = self.launch(self.command(), "--auth", "file:/nowhere/passwords")
        await program.ended
        self.assertEqual(program.status, self.misused)
        self.assertIn("the file /nowhere/passwords can't be read", program.text)


class ForegroundRefusalTests(_RefusedStartTests, StartTestCase):
    """
    With C{twistd -n}.
    """

    command = StartTestCase.foreground


class BackgroundRefusalTests(_RefusedStartTests, StartTestCase):
    """
    With C{twistd}: the shell gets the error.
    """

    command = StartTestCase.background


class TwistRefusalTests(_RefusedStartTests, StartTestCase):
    """
    With C{twist}.
    """

    command = StartTestCase.twist
    misused = os.EX_USAGE


class UserTests(StartTestCase):
    """
    A daemon that root starts with another user.
    """

    if os.geteuid() != 0:
        skip = "only root can become somebody else"

    async def test_stateOfAnother(self) -> None:
        """
        Root can write the state directory, but the daemon's user can't.
        """
        place = Path(mkdtemp())
        self.addCleanup(rmtree, place)
        place.chmod(0o755)
        self.state = place / "state"
        self.state.mkdir(mode=0o700)
        program = self.launch([*self.background(), "--uid=65534", "--gid=65534"])
        await self.assertRefused(
            program, rf"^openclaw: .*{self.state} can't be written by"
        )
        self.assertEqual(list(self.state.iterdir()), [])


class ForegroundTests(StartTestCase):
    """
    The daemon in the foreground.
    """

    async def test_twistd(self) -> None:
        """
        twistd's pidfile exists as long as the daemon.
        """
        program = self.launch(self.foreground(), "--listen", LOOPBACK)
        url = (await program.line(r"Ready at (\S+)/v1$"))[1]
        self.assertEqual(self.pidfile.read_text(), str(program.pid))
        self.assertEqual((await self.caller(url).get("/healthz")).status, 200)
        await program.stop()
        self.assertEqual(program.signal, signal.SIGTERM)
        self.assertFalse(self.pidfile.exists())

    async def test_twist(self) -> None:
        """
        twist works, too.
        """
        program = self.launch(self.twist(), "--listen", LOOPBACK)
        url = (await program.line(r"Ready at (\S+)/v1$"))[1]
        self.assertEqual((await self.caller(url).get("/healthz")).status, 200)
        await program.stop()
        self.assertIn("Stopped", program.text)

    async def assertTooFew(self, limit: int, before: str = "") -> None:
        """
        Assert that a daemon with two workers exits for lack of descriptors, with that
        reason.

        @param before: A shell command that starts it.
        """
        command = [*self.foreground(), "openclaw", "--config", str(self.config)]
        command += ["--workers", "2", "--listen", LOOPBACK]
        program = self.start(
            "/bin/bash",
            "-c",
            f"{before} ulimit -n {limit}; exec {shlex.join(command)}",
        )
        await program.ended
        self.assertEqual(program.status, 1, program.text)
        self.assertIn(f"too many open files (limit {limit})", program.text)
        self.assertIn(f"may open only {limit} files", program.text)
        self.assertNotIn("Bad file descriptor", program.text)
        self.assertNotIn("Ready at", program.text)
        self.assertNotIn("Traceback", program.text)

    async def test_fewFiles(self) -> None:
        """
        If workers can't be started, the daemon exits with the reason.
        """
        await self.assertTooFew(20)

    async def test_descriptorBeyondLimit(self) -> None:
        """
        The same applies if it inherits a descriptor beyond its limit.
        """
        await self.assertTooFew(128, before="exec 251>/dev/null;")

    async def test_brokenStore(self) -> None:
        """
        If the store can't be opened, the daemon exits with one line.
        """
        self.state.mkdir()
        (self.state / "sessions.sqlite").write_text("This is no database." * 99)
        program = self.launch(self.foreground(), "--listen", LOOPBACK)
        await program.ended
        self.assertEqual(program.status, 1)
        self.assertRegex(program.text, "openclaw#critical.*sessions.sqlite")
        self.assertNotIn("Traceback", program.text)
        self.assertFalse(self.pidfile.exists())


class BackgroundTests(StartTestCase):
    """
    The daemon in the background.
    """

    if not Path("/proc/self/cmdline").exists():
        skip = "processes can't be seen in /proc"

    async def test_serves(self) -> None:
        """
        The port that was opened before the fork responds.
        """
        pid = await self.runBackground("--listen", LOOPBACK)
        while "Ready at" not in self.log():
            await deferLater(reactor, 0.02)
        url = self.log().split("Ready at ")[1].split("/v1")[0]
        self.upstream.says("Hello.")
        answer = await self.caller(url).ask("Hi.")
        self.assertEqual(await answer.words(), "Hello.")
        await self.end(pid, signal.SIGTERM)
        self.assertFalse(self.pidfile.exists())
        self.assertIn("Stopped", self.log())

    def socket(self) -> str:
        """
        Return a short path of a socket.
        """
        return os.path.relpath(self.folder / "s")

    async def assertAnswers(self, path: str) -> None:
        """
        Assert that a process listens on a socket.
        """
        endpoint = UNIXClientEndpoint(reactor, path)
        connection = await endpoint.connect(Factory.forProtocol(Protocol))
        connection.transport.abortConnection()

    async def test_unixSocket(self) -> None:
        """
        A daemon can't take over the socket of a running one.
        """
        path = self.socket()
        await self.runBackground("--listen", f"unix:{path}")
        await self.assertAnswers(path)
        self.pidfile = self.folder / "second.pid"
        self.logfile = self.folder / "second.log"
        second = self.launch(self.background(), "--listen", f"unix:{path}")
        self.addCleanup(self.endNamed)
        await second.ended
        self.assertEqual(second.status, 1)
        self.assertIn("Can't listen on 'unix:", second.text)
        self.assertRegex(self.log(), "openclaw: Can't listen on .*acquire lock")
        self.assertNotIn("Traceback", self.log())
        self.assertFalse(self.pidfile.exists())
        await self.assertAnswers(path)


class HangupTests(StartTestCase):
    """
    SIGHUP, which would end a process without a handler.
    """

    async def test_whileStarting(self) -> None:
        """
        During the start: the daemon continues, and reloads its configuration.
        """
        program = self.launch(self.foreground(), "--listen", LOOPBACK)
        while not self.catches(program.pid, signal.SIGHUP):
            await deferLater(reactor, 0.005)
        self.assertNotIn("Ready", program.text)
        program.send("HUP")
        await program.line("Ready at")
        await program.line("The configuration was reloaded")
        await program.stop()
        self.assertEqual(program.signal, signal.SIGTERM)

    def catches(self, pid: int, number: int) -> bool:
        """
        Return whether a process has a handler for a signal.
        """
        status = Path(f"/proc/{pid}/status").read_text()
        caught = re.search(r"^SigCgt:\s*(\w+)", status, re.M)
        assert caught is not None
        return bool(int(caught[1], 16) >> (number - 1) & 1)

    async def test_whileDraining(self) -> None:
        """
        While draining: the daemon does not reload, and continues to drain.
        """
        program = self.launch(self.foreground(), "--listen", LOOPBACK)
        url = (await program.line(r"Ready at (\S+)/v1$"))[1]
        asking = Deferred.fromCoroutine(self.caller(url).ask("Wait for it."))
        while not self.upstream.calls:
            await deferLater(reactor, 0.02)
        program.send("TERM")
        await program.line("Draining: 1 runs")
        program.send("HUP")
        self.upstream.calls[0].say("Here it is.")
        self.upstream.calls[0].finish()
        answer = await asking
        self.assertEqual(await answer.words(), "Here it is.")
        await program.ended
        self.assertEqual(program.signal, signal.SIGTERM)
