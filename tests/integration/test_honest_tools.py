"""
The agents' tools in the real daemon: what they tell the model, and what a command can't
reach.
"""

from typing import Any

from twisted.trial.unittest import SkipTest

from openclaw.tools.sandbox import NoSandbox, findSandbox
from tests.integration.agent import AgentTestCase, calls, says
from tests.integration.daemon import Daemon


class HonestToolTests(AgentTestCase):
    """
    A model that follows the notes of the tools gets all of a file, and is told of its
    errors.
    """

    async def ask(self, daemon: Daemon, *turns: Any) -> list[str]:
        """
        Let the model call tools.

        @return: The results.
        """
        self.plays(*turns, says("Done."))
        answer = await self.caller(daemon).ask("Go on.")
        self.assertEqual(answer.status, 200)
        await answer.whole()
        return [content for _, content in self.told()]

    async def test_files(self) -> None:
        """
        A file in another encoding with CRLF is read in parts, edited and searched, with
        arguments as models write them.
        """
        daemon = await self.startAgent()
        path = self.workspace / "a.txt"
        path.write_bytes("caf\u00e9\r\nx = 1\r\ncr\u00e8me\r\n".encode("cp1252"))
        read, rest, ambiguous, edited, found, refused = await self.ask(
            daemon,
            calls("read", path="a.txt", offset=None, limit="1"),
            calls("read", path="a.txt", offset=2.0, limit=None),
            calls("edit", path="a.txt", oldText="\n", newText="\n\n"),
            calls("edit", path="a.txt", oldText="x = 1\n", newText="y = 2\nz = 3\n"),
            calls(
                "grep", pattern="^cr[[:alpha:]\u00e8]+$", include=["*.{md,txt}", "!b*"]
            ),
            calls("read", path="a.txt", offset="two"),
        )
        self.assertEqual(
            read,
            "caf\u00e9\r\n[lines 1 to 1; go on with offset 2; the file has 20 bytes;"
            " the file is in windows-1252; it is shown decoded]",
        )
        self.assertTrue(rest.startswith("x = 1\r\ncr\u00e8me\r\n["), rest)
        self.assertIn("oldText occurs 3 times", ambiguous)
        self.assertEqual(edited, "Changed a.txt: replaced once.")
        self.assertEqual(found, "a.txt:4:cr\u00e8me")
        self.assertIn('offset must be integer, and is the string "two"', refused)
        self.assertEqual(
            path.read_bytes(),
            "caf\u00e9\r\ny = 2\r\nz = 3\r\ncr\u00e8me\r\n".encode("cp1252"),
        )

    async def test_sandbox(self) -> None:
        """
        The log says that there is a sandbox, and a command in it reaches neither the
        daemon's secrets nor the network.
        """
        try:
            findSandbox()
        except NoSandbox as error:
            raise SkipTest(str(error)) from error
        daemon = await self.startAgent({"tools": {"exec": {"sandbox": "bubblewrap"}}})
        await daemon.line(
            r"exec runs commands in a sandbox \(bubblewrap\), without network"
        )
        other = self.workspace.parent / "another"
        other.mkdir()
        (other / "a.txt").write_text("of another agent")
        inside, outside, network, written = await self.ask(
            daemon,
            calls(
                "exec", command="cat /proc/*/environ /proc/*/cmdline | tr '\\0' '\\n'"
            ),
            calls(
                "exec",
                command="find / -name gateway-token -o -name '*.sqlite' 2>/dev/null;"
                f" cat {other}/a.txt",
            ),
            calls("exec", command="cat /proc/net/route | wc -l; ls /sys 2>&1"),
            calls("exec", command="printf 'a\\033[1mb' | tee b.txt"),
        )
        self.assertNotIn("OPENCLAW_STATE_DIR", inside)
        self.assertNotIn("twistd", inside)
        self.assertNotIn("gateway-token", outside)
        self.assertNotIn("sqlite", outside)
        self.assertIn("No such file or directory", outside)
        self.assertTrue(network.startswith("1\n"), network)
        self.assertEqual(written, "a\\x1b[1mb\n[exit status 0]")
        self.assertEqual((self.workspace / "b.txt").read_bytes(), b"a\x1b[1mb")

    async def test_none(self) -> None:
        """
        The log says if there is none.
        """
        daemon = await self.startAgent({"tools": {"exec": {"sandbox": "none"}}})
        await daemon.line("exec runs commands without a sandbox")
        [told] = await self.ask(daemon, calls("exec", command="echo $HOME"))
        self.assertNotEqual(told, "/tmp\n[exit status 0]")
