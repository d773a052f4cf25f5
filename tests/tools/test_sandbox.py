"""
Tests for L{openclaw.tools.sandbox}, with real C{bubblewrap}.
"""

import os
import socket
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from openclaw.config.tools import ExecSettings
from openclaw.interfaces import ToolError
from openclaw.tools import sandbox as sandboxes
from openclaw.tools.exec_tool import ExecTool
from openclaw.tools.sandbox import (
    NoSandbox,
    checkSandbox,
    describeSandbox,
    findSandbox,
    resolveSandbox,
)
from tests.tools.tool_case import ToolTestCase, childProcesses

PYTHON = os.path.realpath(sys.executable)


class SandboxTestCase(ToolTestCase):
    """
    A test case with C{exec} in the sandbox.
    """

    timeout = 30

    def setUp(self):
        try:
            findSandbox()
        except NoSandbox as error:
            raise SkipTest(str(error)) from error
        super().setUp()

    def tearDown(self):
        self.assertEqual(childProcesses(), [])

    def exec(self, command, **settings):
        given = {"graceSeconds": 0.2, "sandbox": "bubblewrap", **settings}
        return ExecTool().run(
            {"command": command, "timeout": 15}, self.context(settings=given)
        )


class SecretTests(SandboxTestCase):
    """
    Files and processes of the daemon, other agents and the user can't be seen.
    """

    async def test_environment(self):
        """
        The daemon's environment and memory are not there: a command sees its own
        processes only, and cannot signal others.
        """
        self.addCleanup(os.environ.pop, "OPENCLAW_GATEWAY_TOKEN")
        os.environ["OPENCLAW_GATEWAY_TOKEN"] = "hush-hush"
        told = await self.exec(
            f"cat /proc/{os.getpid()}/environ; cat /proc/*/environ | grep -ac hush;"
            f" kill -0 {os.getpid()}; ls -d /proc/[0-9]*"
        )
        self.assertIn(f"/proc/{os.getpid()}/environ: No such file", told)
        self.assertIn("\n0\n", told)
        self.assertIn("No such process", told)
        self.assertNotIn(f"/proc/{os.getpid()}\n", told)

    async def test_files(self):
        """
        Neither are files outside of the workspace, by any path.
        """
        token = self.outside / "gateway-token"
        token.write_text("hush-hush")
        other = self.workspace.parent / "other"
        other.mkdir()
        (other / "a.txt").write_text("hush-hush")
        (self.workspace / "link").symlink_to(token)
        for path in [token, other / "a.txt", "link", "../outside/gateway-token"]:
            told = await self.exec(f"cat {path}")
            self.assertIn("No such file or directory", told, path)
            self.assertTrue(told.endswith("[exit status 1]"), told)
        for path in [f"/proc/1/root{token}", f"/proc/self/root{token}", "/etc/shadow"]:
            told = await self.exec(f"cat {path}")
            self.assertNotIn("hush", told)
            self.assertTrue(told.endswith("[exit status 1]"), told)
        told = await self.exec("find / -xdev -name gateway-token 2>/dev/null")
        self.assertEqual(told, "[exit status 0]")

    async def test_home(self):
        """
        The user's home is not there.
        """
        home = Path.home()
        shown = [*self.workspace.resolve().parts, *Path(PYTHON).parts]
        names = set(os.listdir(home)) - set(shown)
        told = await self.exec(f"ls -A {home}")
        self.assertEqual(names & set(told.split("\n")), set())

    async def test_descriptors(self):
        """
        No descriptor of the daemon or of the sandbox is inherited.
        """
        with open(self.outside / "secret") as file:
            os.set_inheritable(file.fileno(), True)
            told = await self.exec("ls /proc/$$/fd")
        self.assertEqual(told, "0\n1\n2\n[exit status 0]")

    async def test_readOnlyPaths(self):
        """
        Further paths can be read if the configuration lists them, and not written.
        """
        secret = self.outside / "secret"
        told = await self.exec(
            f"cat {secret} && ! echo x >{secret}",
            readOnlyPaths=[str(self.outside), "/no/such/path"],
        )
        self.assertIn("the secret", told)
        self.assertTrue(told.endswith("[exit status 0]"), told)
        self.assertEqual(secret.read_text(), "the secret")


class WriteTests(SandboxTestCase):
    """
    Only the workspace and temporary directories can be written.
    """

    async def test_workspace(self):
        """
        Files in the workspace are written, as the daemon's user.
        """
        told = await self.exec("mkdir d && echo x >d/a && rm -f b && cat d/a && pwd")
        self.assertEqual(told, f"x\n{self.workspace.resolve()}\n[exit status 0]")
        written = self.workspace / "d" / "a"
        self.assertEqual(written.read_text(), "x\n")
        self.assertEqual(written.stat().st_uid, os.geteuid())

    async def test_system(self):
        """
        Nothing else of the system can be.
        """
        for path in ["/x", "/usr/x", "/etc/x", "/dev/x", "/run/x", "/var/x", "/home/x"]:
            told = await self.exec(f"echo x >{path}")
            self.assertRegex(told, "Read-only file system|nonexistent|No such", path)
        told = await self.exec(
            "echo x >/etc/passwd; chmod 777 /usr/bin/env; mount -t tmpfs t /mnt"
        )
        self.assertNotIn("[exit status 0]", told)

    async def test_temporary(self):
        """
        Temporary files can be written, up to a size, and do not outlive the command.
        """
        told = await self.exec(
            "echo x >/tmp/openclaw-a && echo x >/dev/shm/a && echo $TMPDIR $HOME"
            " && cat /tmp/openclaw-a"
        )
        self.assertEqual(told, "/tmp /tmp\nx\n[exit status 0]")
        self.assertEqual(
            await self.exec("ls -A /tmp /dev/shm | grep -c a"), "0\n[exit status 1]"
        )
        self.assertFalse(os.path.exists("/tmp/openclaw-a"))
        for path in ["/tmp/large", "/dev/shm/large"]:
            told = await self.exec(f"head -c 300M /dev/zero >{path}")
            self.assertIn("No space left on device", told)


class NetworkTests(SandboxTestCase):
    """
    There is no network unless it is allowed.
    """

    def setUp(self):
        super().setUp()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.server.close)
        port = self.server.getsockname()[1]
        self.put(
            "connect.py",
            "import socket\n"
            "try:\n"
            f"    socket.create_connection(('127.0.0.1', {port}), 5)\n"
            "    print('connected')\n"
            "except OSError as error:\n"
            "    print(error.strerror)\n",
        )

    async def test_without(self):
        """
        Not even the machine's own ports are reached, and there is one interface.
        """
        told = await self.exec(f"{PYTHON} -I -S connect.py; grep -c : /proc/net/dev")
        self.assertEqual(told, "Connection refused\n1\n[exit status 0]")

    async def test_with(self):
        """
        They are if the configuration allows it.
        """
        told = await self.exec(f"{PYTHON} -I -S connect.py", network=True)
        self.assertEqual(told, "connected\n[exit status 0]")


class LimitTests(SandboxTestCase):
    """
    The processes, the memory and the disk space of a command are limited.
    """

    async def test_forkBomb(self):
        """
        A fork bomb is ended.
        """
        call = self.exec("b() { b | b & b; }; b; sleep 10000", maxProcesses=60)
        try:
            told = await call
        except ToolError as error:
            stopped = str(error).endswith("[stopped: it used too much: processes]")
            self.assertTrue(stopped, error)
        else:
            # The system has refused to fork before the reaper looked.
            self.assertIn("Cannot fork", told)

    async def test_memory(self):
        """
        So is a command that takes too much memory, in one process or in several.
        """
        self.put(
            "eat.py", "import sys, time; x = b'x' * int(sys.argv[1]); time.sleep(99)"
        )
        told = await self.exec(
            f"{PYTHON} -I -S eat.py 200000000", maxMemoryBytes=100_000_000
        )
        self.assertIn("MemoryError", told)
        one = f"{PYTHON} -I -S eat.py 40000000"
        told = await self.failing(
            self.exec(f"{one} & {one} & {one}", maxMemoryBytes=100_000_000)
        )
        self.assertTrue(told.endswith("[stopped: it used too much: memory]"), told)

    async def test_fileSize(self):
        """
        A file can't become too large.
        """
        told = await self.exec(
            "head -c 3000000 /dev/zero >a; ls -s --block-size=1 a",
            maxFileBytes=1_000_000,
        )
        self.assertIn(
            "File size limit exceeded" if "limit" in told else "File too large", told
        )
        self.assertEqual((self.workspace / "a").stat().st_size, 1_000_000)

    async def test_disk(self):
        """
        Neither can many files fill the disk.
        """
        told = await self.failing(
            self.exec(
                "i=0; while :; do i=$((i+1)); head -c 5M /dev/urandom >f$i; done",
                maxDiskBytes=50_000_000,
            )
        )
        self.assertTrue(told.endswith("[stopped: it used too much: disk space]"), told)
        written = sum(path.stat().st_size for path in self.workspace.iterdir())
        self.assertLess(written, 500_000_000)

    async def test_within(self):
        """
        A command within its limits is not stopped.
        """
        told = await self.exec(
            f"{PYTHON} -c 'print(sum(range(10**6)))' | cat", maxProcesses=20
        )
        self.assertEqual(told, "499999500000\n[exit status 0]")


class ModeTests(SynchronousTestCase):
    """
    The configuration decides, and the log says what is used.
    """

    def setUp(self):
        self.patch(sandboxes, "_found", {})

    def without(self):
        """
        Hide C{bwrap}.
        """
        self.patch(sandboxes, "PROGRAM", "no-such-bwrap")

    def broken(self, script):
        """
        Put another program in the place of C{bwrap}.
        """
        path = Path(self.mktemp()).absolute()
        path.mkdir()
        (path / "bwrap").write_text(f"#!/bin/sh\n{script}\n")
        (path / "bwrap").chmod(0o755)
        self.patch(sandboxes, "PROGRAM", str(path / "bwrap"))

    def test_none(self):
        """
        With C{none} there is no sandbox.
        """
        self.assertIsNone(resolveSandbox(ExecSettings(sandbox="none")))
        self.assertIn(
            "as tools.exec.sandbox says", describeSandbox(ExecSettings(sandbox="none"))
        )

    def test_missing(self):
        """
        Without C{bwrap}, C{auto} has none and says so, and C{bubblewrap} is refused.
        """
        self.without()
        self.assertIsNone(resolveSandbox(ExecSettings()))
        self.assertEqual(
            describeSandbox(ExecSettings()),
            "exec runs commands without a sandbox: bwrap is not installed (Debian's"
            " package bubblewrap)",
        )
        self.assertRaises(NoSandbox, resolveSandbox, ExecSettings(sandbox="bubblewrap"))

    def test_checked(self):
        """
        A sandbox that is required and does not work is an error of the configuration.
        """
        self.without()
        self.assertEqual(
            checkSandbox(ExecSettings(sandbox="bubblewrap")),
            [
                "tools.exec.sandbox: bwrap is not installed (Debian's package"
                " bubblewrap)"
            ],
        )
        for mode in ("auto", "none"):
            self.assertEqual(checkSandbox(ExecSettings(sandbox=mode)), [])

    def test_notPermitted(self):
        """
        The same if it does not work, with its reason.
        """
        self.broken("echo 'bwrap: No permissions to create new namespace' >&2; exit 1")
        self.assertIsNone(resolveSandbox(ExecSettings()))
        self.assertIn("bwrap: No permissions", describeSandbox(ExecSettings()))
        error = self.assertRaises(
            NoSandbox, resolveSandbox, ExecSettings(sandbox="bubblewrap")
        )
        self.assertIn("No permissions to create new namespace", str(error))

    def test_older(self):
        """
        A version without some options is used without them.
        """
        self.broken(
            'for a; do [ "$a" != --disable-userns ] || { echo bad >&2; exit 1; }; done;'
            " exit 0"
        )
        self.assertEqual(findSandbox().options, ())

    def test_works(self):
        """
        The log says where it works.
        """
        try:
            findSandbox()
        except NoSandbox as error:
            raise SkipTest(str(error)) from error
        self.assertEqual(
            describeSandbox(ExecSettings()),
            "exec runs commands in a sandbox (bubblewrap), without network",
        )
        self.assertIn("with the network", describeSandbox(ExecSettings(network=True)))
