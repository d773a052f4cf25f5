"""
SIGHUP: a reload of the configuration does not affect streams.
"""

from collections.abc import Mapping
from typing import Any

from twisted.internet import reactor

from openclaw.testing import ServedCall
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import DaemonTestCase
from tests.integration.http_caller import Connection, streamedWords
from tests.integration.upstream import Upstream

ACCEPTED = "The configuration was reloaded"
REFUSED = "The new configuration is rejected"
SWITCH = "gateway.http.endpoints.chatCompletions.enabled"


class ReloadTestCase(DaemonTestCase):
    """
    A daemon that streams during a reload.
    """

    async def setUp(self) -> None:
        """
        Start a stream, and wait for its first text.
        """
        super().setUp()
        self.daemon = await self.startDaemon(*self.options())
        asked = self.upstream.nextCall()
        self.stream: Connection = await self.caller(self.daemon).connect(
            "hi", stream=True
        )
        self.call: ServedCall = await asked
        self.call.say("Hello")
        await self.stream.until("Hello")
        self.upstream.says("so")

    def options(self) -> list[str]:
        """
        More options for the daemon.
        """
        return []

    async def reload(self, changes: Mapping[str, Any], outcome: str = ACCEPTED) -> None:
        """
        Change the file, and reload it.
        """
        self.configure(changes)
        await self.hangUp(outcome)

    async def hangUp(self, outcome: str) -> None:
        """
        Send SIGHUP, and wait for the log line about it.
        """
        said = self.daemon.nextLine(outcome)
        self.daemon.send("HUP")
        await said

    async def assertStreamGoesOn(self) -> None:
        """
        Assert that the earlier stream ends completely.
        """
        self.call.say(" to you")
        self.call.finish()
        received = await self.stream.until("[DONE]")
        self.assertEqual(streamedWords(received), "Hello to you")
        self.stream.close()

    async def status(self, token: str | None = None, **fields: Any) -> int:
        """
        Return the status of a new request.
        """
        caller = self.caller(self.daemon, *([] if token is None else [token]))
        answer = await caller.ask("hi", **fields)
        await answer.whole()
        return answer.status


class AcceptedTests(ReloadTestCase):
    """
    A valid configuration.
    """

    async def test_token(self) -> None:
        """
        The new token is valid, and the old one is not.
        """
        await self.reload({"gateway": {"auth": {"token": "another"}}})
        self.assertEqual(await self.status(), 401)
        self.assertEqual(await self.status("another"), 200)
        await self.assertStreamGoesOn()

    async def test_agent(self) -> None:
        """
        A new agent can be used, with its prompt; it is in the list of models, and the
        log.
        """
        self.assertEqual(await self.status(model="openclaw/poet"), 400)
        poet = {"model": "scripted/words", "systemPrompt": "You are a poet."}
        logged = self.daemon.nextLine("agents: added poet")
        await self.reload({"agents": {"entries": {"main": {}, "poet": poet}}})
        await logged
        self.assertEqual(await self.status(model="openclaw/poet"), 200)
        system = self.upstream.calls[-1].body["messages"][0]
        self.assertEqual(system["role"], "system")
        self.assertIn("You are a poet.", system["content"])
        models = await (await self.caller(self.daemon).get("/v1/models")).json()
        self.assertIn("openclaw/poet", [model["id"] for model in models["data"]])
        await self.assertStreamGoesOn()

    async def test_provider(self) -> None:
        """
        A provider with a changed URL is called there; the stream from the old one ends
        normally.
        """
        moved = Upstream(reactor)
        self.addCleanup(moved.close)
        moved.says("so")
        provider = {"baseUrl": moved.url}
        await self.reload({"models": {"providers": {"scripted": provider}}})
        self.assertEqual(await self.status(), 200)
        self.assertEqual((len(self.upstream.calls), len(moved.calls)), (1, 1))
        await self.assertStreamGoesOn()

    async def test_endpoint(self) -> None:
        """
        The endpoint can be disabled, and enabled again; meanwhile the error names the
        key.
        """
        endpoints = {"chatCompletions": {"enabled": False}}
        await self.reload({"gateway": {"http": {"endpoints": endpoints}}})
        answer = await self.caller(self.daemon).ask("hi")
        self.assertEqual(answer.status, 404)
        self.assertIn(SWITCH, await answer.whole())
        self.assertEqual(await answer.code(), "endpoint_disabled")
        await self.reload({})
        self.assertEqual(await self.status(), 200)
        await self.assertStreamGoesOn()

    async def test_restartNeeded(self) -> None:
        """
        The log has the changes that require a restart.
        """
        said = self.daemon.nextLine("gateway.port changed; .* at a restart")
        await self.reload({"gateway": {"port": 1}})
        await said
        self.assertEqual(await self.status(), 200)
        await self.assertStreamGoesOn()


class RefusedTests(ReloadTestCase):
    """
    An invalid configuration.
    """

    async def assertNothingChanged(self, daemon: Daemon) -> None:
        """
        Assert that the old configuration is used.
        """
        self.assertEqual(await self.status(), 200)
        await self.assertStreamGoesOn()
        self.assertNotIn(ACCEPTED, daemon.text)

    async def test_faults(self) -> None:
        """
        All errors are logged with their keys; the old configuration stays, including
        valid parts.
        """
        faults = {
            "gateway": {"port": "many", "auth": {"token": "another"}},
            "agents": {"defaults": {"model": "nobody/words"}},
        }
        lines = [self.daemon.nextLine(r"gateway\.port: .*many")]
        lines.append(self.daemon.nextLine(r"agents\.defaults\.model: .*nobody"))
        await self.reload(faults, REFUSED)
        for line in lines:
            await line
        await self.assertNothingChanged(self.daemon)

    async def test_notInstalled(self) -> None:
        """
        A missing tool and a missing dialect are errors.
        """
        missing = {
            "agents": {"defaults": {"tools": {"deny": ["exce"]}}},
            "models": {"providers": {"scripted": {"api": "gopher"}}},
        }
        tool = r"agents\.defaults\.tools\.deny\[0\]: .*exce"
        lines = [self.daemon.nextLine(tool)]
        lines.append(
            self.daemon.nextLine(r"models\.providers\.scripted\.api: .*gopher")
        )
        await self.reload(missing, REFUSED)
        for line in lines:
            await line
        await self.assertNothingChanged(self.daemon)

    async def test_syntax(self) -> None:
        """
        A truncated file, as during a write, is rejected.
        """
        path = self.configure()
        path.write_text(path.read_text()[:-20])
        await self.hangUp(REFUSED)
        await self.assertNothingChanged(self.daemon)

    async def test_empty(self) -> None:
        """
        An empty file is rejected, as during a write, or on a full disk.
        """
        path = self.configure()
        empty = path.with_suffix(".yaml")
        texts = ("", "\n  \n", "# Written in a moment\n", "\ufeff", "---\n...\n")
        for text in (*texts, "{}", "null", "gateway:\n", "gateway: {http: {}}\n"):
            empty.write_text(text)
            empty.replace(path)
            await self.hangUp(REFUSED)
            self.assertEqual(await self.status("another"), 401)
        await self.assertNothingChanged(self.daemon)

    async def test_noFile(self) -> None:
        """
        A missing file is rejected.
        """
        self.configure().unlink()
        await self.hangUp(REFUSED)
        await self.assertNothingChanged(self.daemon)


class OpenPortTests(ReloadTestCase):
    """
    A daemon that other machines can reach.
    """

    def options(self) -> list[str]:
        """
        Listen on all interfaces, too.
        """
        return ["--listen", "tcp:0:interface=0.0.0.0"]

    async def test_staysClosed(self) -> None:
        """
        A reload can't remove the token.
        """
        for auth in ({"mode": "none"}, {"token": None}):
            await self.reload({"gateway": {"auth": auth}}, REFUSED)
            self.assertEqual(await self.status("a guess"), 401)
            self.assertEqual(await self.status(), 200)
        await self.assertStreamGoesOn()
