"""
Tests for L{openclaw.tools.exec_tool}, with real processes.
"""

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from openclaw.config.tools import ExecSettings
from openclaw.tools.exec_tool import ExecTool, _wrap
from openclaw.tools.sandbox import NoSandbox, findSandbox, resolveSandbox
from openclaw.tools.subprocesses import BoundedOutput, scrubEnvironment
from tests.tools.tool_case import ToolTestCase, appearing, childProcesses

SLEEP = f"sleep {10_000_000 + os.getpid()}"
"""
Takes longer than any test, and is told from the sleep of others.
"""

STUBBORN = f"trap '' TERM HUP INT; while :; do {SLEEP}; done"
"""
Does not end when it is asked to.
"""


ENDLESS = f"while :; do {SLEEP}; done"

STUBBORN_DAEMON = f"sh -c \"trap '' TERM HUP INT; {ENDLESS}\""

DAEMON = """
import os, signal, time
if os.fork():
    os.wait()
    while not os.path.exists("pid"):
        time.sleep(0.01)
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for descriptor in range(10):
    try:
        os.close(descriptor)
    except OSError:
        pass
with open("pid.new", "w") as file:
    print(os.getpid(), file=file)
os.rename("pid.new", "pid")
while True:
    time.sleep(1)
"""


class ExecTestCase(ToolTestCase):
    """
    A test case with C{exec}.

    @cvar sandbox: The setting of that name.
    """

    sandbox = "none"
    timeout = 20

    def tearDown(self):
        """
        Check that no process is left.
        """
        self.assertEqual(childProcesses(), [])
        self.assertEqual(sleepers(), [])

    def exec(self, command, settings=None, **more):
        """
        Call the tool.
        """
        arguments = {"command": command, **more}
        given = {"graceSeconds": 0.2, "sandbox": self.sandbox, **(settings or {})}
        return ExecTool().run(arguments, self.context(settings=given))


class InSandbox:
    """
    The same in C{bubblewrap}.
    """

    sandbox = "bubblewrap"

    def setUp(self):
        try:
            findSandbox()
        except NoSandbox as error:
            raise SkipTest(str(error)) from error
        super().setUp()


def sleepers():
    """
    Return the processes that a test may have left.
    """
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        if command == SLEEP.replace(" ", "\0").encode() + b"\0":
            found.append(int(name))
    return found


class CommandTests(ExecTestCase):
    """
    A command runs in the workspace, and its output is returned.
    """

    async def test_output(self):
        """
        Standard output and error are returned in order, with the exit status.
        """
        self.put("a.txt", "text")
        told = await self.exec("cat a.txt; echo; echo oops >&2; echo after; exit 3")
        self.assertEqual(told, "text\noops\nafter\n[exit status 3]")

    async def test_silent(self):
        """
        The exit status is returned without output, too.
        """
        self.assertEqual(await self.exec("true"), "[exit status 0]")

    async def test_directory(self):
        """
        The command runs in the workspace.
        """
        told = await self.exec("pwd -P")
        self.assertEqual(told, f"{self.workspace.resolve()}\n[exit status 0]")

    async def test_noInput(self):
        """
        Standard input is empty.
        """
        self.assertEqual(await self.exec("cat; wc -c"), "0\n[exit status 0]")

    async def test_signal(self):
        """
        The result names the signal that killed the command.
        """
        for name in ["SIGKILL", "SIGTERM", "SIGSEGV", "SIGHUP", "SIGPIPE", "SIGUSR1"]:
            told = await self.exec(f"kill -{name[3:]} $$")
            self.assertEqual(told, f"[ended by {name}]")

    async def test_signalNumbers(self):
        """
        A signal without a name has its number.
        """
        for number in [35, 50, 63]:
            told = await self.exec(f"kill -{number} $$")
            self.assertEqual(told, f"[ended by signal {number}]")

    async def test_stopped(self):
        """
        A command that stops itself could never go on.
        """
        told = await self.exec(f"echo x; kill -STOP $$; {SLEEP}")
        self.assertEqual(told, "x\n[stopped by SIGSTOP, and killed]")

    async def test_pipes(self):
        """
        SIGPIPE has its default action.
        """
        told = await self.exec("yes | head -n 1; trap")
        self.assertEqual(told, "y\n[exit status 0]")

    async def test_controls(self):
        """
        Control characters are returned in a readable form, whatever writes them.
        """
        told = await self.exec(
            r"printf 'a\0b\033[31mc\033]0;t\007\010d\177\302\233e\r\nf\rg\th\n'"
        )
        self.assertEqual(
            told,
            "a\\x00b\\x1b[31mc\\x1b]0;t\\x07\\x08d\\x7f\\x9be\r\nf\\rg\th\n"
            "[exit status 0]",
        )

    async def test_manyControls(self):
        """
        Their forms are bounded, too, and the end is kept.
        """
        told = await self.exec(
            "head -c 80000 /dev/zero; echo end", {"maxOutputBytes": 1_000_000}
        )
        self.assertLess(len(told), 91_000)
        self.assertIn("[... the middle is left out ...]", told)
        self.assertTrue(told.endswith("\\x00end\n[exit status 0]"), told[-50:])

    async def test_badBytes(self):
        """
        Invalid UTF-8 is replaced.
        """
        told = await self.exec(r"printf '\377ok'")
        self.assertEqual(told, "\ufffdok\n[exit status 0]")

    async def test_unicode(self):
        """
        A command may contain any script.
        """
        told = await self.exec("echo 'Füße 文件'")
        self.assertEqual(told, "Füße 文件\n[exit status 0]")

    async def test_noSuchCommand(self):
        """
        The shell's error message is returned.
        """
        told = await self.exec("no-such-command-here")
        self.assertIn("not found", told)
        self.assertTrue(told.endswith("[exit status 127]"))

    async def test_workspaceGone(self):
        """
        A missing workspace is an error.
        """
        self.workspace.rmdir()
        told = await self.failing(self.exec("echo x"))
        self.assertEqual(told, "The workspace does not exist.")

    async def test_nul(self):
        """
        A NUL character is refused.
        """
        told = await self.failing(self.exec("echo a\0b"))
        self.assertEqual(told, "A command cannot contain a NUL character.")

    async def test_noWorkspace(self):
        """
        An agent without a workspace cannot run commands.
        """
        call = ExecTool().run({"command": "id"}, self.context(workspace=None))
        self.assertEqual(await self.failing(call), "This agent has no workspace.")


class SecretsTests(ExecTestCase):
    """
    The daemon's environment is not passed on.
    """

    async def test_environment(self):
        """
        A command has the usual variables, and others only if they are configured.
        """
        self.addCleanup(os.environ.pop, "OPENCLAW_GATEWAY_TOKEN")
        self.addCleanup(os.environ.pop, "PROJECT_NAME")
        os.environ["OPENCLAW_GATEWAY_TOKEN"] = "hush"
        os.environ["PROJECT_NAME"] = "given"
        told = await self.exec("env; cat /proc/$PPID/environ", {})
        self.assertNotIn("hush", told)
        self.assertNotIn("given", told)
        self.assertIn("PATH=", told)
        told = await self.exec("env", {"environment": ["PROJECT_NAME"]})
        self.assertNotIn("hush", told)
        self.assertIn("PROJECT_NAME=given", told)

    async def test_descriptors(self):
        """
        A command has only its three standard descriptors.
        """
        with open(self.outside / "secret") as file:
            os.set_inheritable(file.fileno(), True)
            told = await self.exec("ls /proc/$$/fd")
        self.assertEqual(told, "0\n1\n2\n[exit status 0]")


class BoundsTests(ExecTestCase):
    """
    Time and output of a command are limited.
    """

    async def test_longOutput(self):
        """
        The beginning and the end of long output are kept.
        """
        told = await self.exec("seq 1 100000", {"maxOutputBytes": 20})
        self.assertEqual(
            told,
            "1\n2\n3\n4\n5\n\n[... 588875 bytes left out ...]\n99\n100000\n"
            "[exit status 0]",
        )

    async def test_flood(self):
        """
        A command that writes too much is stopped.
        """
        told = await self.failing(self.exec("yes", {"maxOutputBytes": 4}))
        self.assertTrue(told.endswith("[stopped: it wrote too much]"), told)

    async def test_timeout(self):
        """
        A command that takes too long is stopped; its output is returned.
        """
        told = await self.failing(self.exec(f"echo x; {SLEEP}", timeout=0.3))
        self.assertEqual(told, "x\n[stopped: it took longer than 0.3 s]")

    async def test_timeoutBound(self):
        """
        The model's time-out is limited by the configuration.
        """
        told = await self.failing(
            self.exec(SLEEP, {"maxTimeoutSeconds": 0.2}, timeout=9999)
        )
        self.assertEqual(told, "[stopped: it took longer than 0.2 s]")

    async def test_stubborn(self):
        """
        A command that ignores SIGTERM is killed.
        """
        told = await self.failing(self.exec(STUBBORN, timeout=0.3))
        self.assertEqual(told, "[stopped: it took longer than 0.3 s]")

    async def test_politeEnd(self):
        """
        A stopped command can clean up after SIGTERM.
        """
        command = "trap 'echo tidy; exit' TERM; echo x; while :; do sleep 0.01; done"
        told = await self.failing(self.exec(command, {"graceSeconds": 5}, timeout=2))
        self.assertIn("tidy", told)


class NothingLeftTests(ExecTestCase):
    """
    No process is left when a command has ended.  The tearDown checks it.
    """

    async def test_background(self):
        """
        Background processes of the shell are killed.
        """
        told = await self.exec(f"{SLEEP} & echo $!")
        self.assertRegex(told, r"^\d+\n\[exit status 0\]$")

    async def test_daemons(self):
        """
        So are processes that have left the group and session and hold no pipe.
        """
        told = await self.exec(
            f"mkfifo ready; setsid sh -c '({SLEEP} >/dev/null 2>&1 & echo $! >ready)'"
            " & cat ready"
        )
        self.assertRegex(told, r"^\d+\n\[exit status 0\]$")

    async def test_stubbornDaemons(self):
        """
        So are those that ignore SIGTERM.
        """
        told = await self.exec(
            "mkfifo ready; setsid sh -c"
            f" \"trap '' TERM; echo x >ready; while :; do {SLEEP}; done\""
            " & cat ready"
        )
        self.assertEqual(told, "x\n[exit status 0]")

    async def test_killedParent(self):
        """
        A command that kills its parent is killed, too, with those that have left the
        group and hold the output.
        """
        for left in ["", f"setsid {SLEEP} & ", f"(setsid {STUBBORN_DAEMON} &); "]:
            told = await self.exec(f"echo x; {left}kill -9 $PPID; {SLEEP}")
            self.assertEqual(told, "x\n[ended by SIGKILL]")

    async def test_stoppedParent(self):
        """
        So is one that stops its parent.
        """
        told = await self.exec(
            f"echo x; setsid {SLEEP} & echo y; kill -STOP $PPID; {SLEEP}"
        )
        self.assertEqual(told, "x\ny\n[stopped by SIGSTOP, and killed]")

    async def test_killedGroup(self):
        """
        So is one that kills its whole group.
        """
        for group in ["0", "-$PPID"]:
            told = await self.exec(f"echo x; setsid {SLEEP} & kill -9 {group}; {SLEEP}")
            self.assertEqual(told, "x\n[ended by SIGKILL]")

    async def test_killedReaper(self):
        """
        So is one that kills the reaper itself.
        """
        reaper = "$(cut -d' ' -f4 /proc/$PPID/stat)"
        told = await self.exec(f"echo x; setsid {SLEEP} & kill -9 {reaper}; {SLEEP}")
        self.assertEqual(told, "x\n[ended by SIGKILL]")

    async def test_doubleFork(self):
        """
        A daemon that has forked twice, closed its files and left its session is killed.
        """
        self.put("daemon.py", DAEMON)
        told = await self.exec(f"{os.path.realpath(sys.executable)} daemon.py; cat pid")
        self.assertRegex(told, r"^\d+\n\[exit status 0\]$")

    async def test_stoppedChild(self):
        """
        A process that is stopped is killed.
        """
        told = await self.exec(f"{SLEEP} & kill -STOP $!; echo x")
        self.assertEqual(told, "x\n[exit status 0]")

    async def test_wholeGroup(self):
        """
        A command may signal its own group.
        """
        told = await self.exec(f"{SLEEP} & kill 0; wait")
        self.assertEqual(told, "[ended by SIGTERM]")

    async def test_cancelAtOnce(self):
        """
        A command that is cancelled before it starts leaves nothing.
        """
        await self.cancelling(self.exec(SLEEP))

    async def test_cancelRunning(self):
        """
        A cancelled call ends after the command and its children have ended.
        """
        for command in [SLEEP, f"{SLEEP} | cat", f"({STUBBORN}) & wait"]:
            call = self.exec(command)
            await appearing(sleepers)
            await self.cancelling(call)
            self.assertEqual(sleepers(), [])
            self.assertEqual(childProcesses(), [])

    async def test_cancelTwice(self):
        """
        A second cancellation does not end the wait.
        """
        call = self.exec(STUBBORN)
        await appearing(sleepers)
        ended = []
        call.addErrback(ended.append)
        call.cancel()
        self.assertEqual(ended, [])
        await call
        self.assertEqual(sleepers(), [])

    async def test_daemonDies(self):
        """
        If the daemon is killed, its commands are, too.
        """
        script = (
            "import subprocess, sys, os, signal\n"
            "child = subprocess.Popen(['/bin/sh', '-c', 'exec \"$@\" 3>/dev/null',"
            " 'sh', *sys.argv[1:]], stdin=subprocess.PIPE)\n"
            "sys.stdin.read(1)\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        settings = ExecSettings(graceSeconds=0.2, sandbox=self.sandbox)
        arguments = _wrap(SLEEP, self.workspace, resolveSandbox(settings), settings)
        daemon = subprocess.Popen(
            [sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE
        )
        await appearing(sleepers)
        daemon.communicate(b"x")
        await appearing(lambda: not sleepers())


class SandboxedCommandTests(InSandbox, CommandTests):
    pass


class SandboxedSecretsTests(InSandbox, SecretsTests):
    pass


class SandboxedBoundsTests(InSandbox, BoundsTests):
    pass


class SandboxedNothingLeftTests(InSandbox, NothingLeftTests):
    async def test_killedReaper(self):
        """
        Nothing in the sandbox can kill or stop the reaper, or what is outside.
        """
        told = await self.exec("kill -9 1; kill -STOP 1; echo x")
        self.assertEqual(told, "x\n[exit status 0]")
        told = await self.exec(f"setsid {SLEEP} & kill -9 -1; {SLEEP}")
        self.assertEqual(told, "[ended by SIGKILL]")


class OutputTests(SynchronousTestCase):
    """
    The beginning and the end of output are kept, in any chunks.
    """

    @given(st.lists(st.binary(max_size=20)), st.integers(1, 40))
    def test_bounded(self, pieces, limit):
        """
        No more than the limit is kept, in order.
        """
        output = BoundedOutput(limit)
        for piece in pieces:
            output.add(bytes(byte & 0x7F or 1 for byte in piece))
        whole = bytes(byte & 0x7F or 1 for byte in b"".join(pieces)).decode()
        if len(whole) <= limit:
            self.assertEqual(output.text(), whole)
            return
        tail = limit // 2
        head = limit - tail
        self.assertEqual(
            output.text(),
            f"{whole[:head]}\n[... {len(whole) - limit} bytes left out ...]\n"
            f"{whole[len(whole) - tail :]}",
        )

    @given(
        st.dictionaries(
            st.sampled_from(["PATH", "LC_ALL", "AWS_SECRET_ACCESS_KEY", "path", "LC"]),
            st.text(),
        )
    )
    def test_scrubbed(self, environ):
        """
        Only the listed variables are passed on.
        """
        self.assertLessEqual(set(scrubEnvironment(environ)), {"PATH", "LC_ALL"})
