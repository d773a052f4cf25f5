"""
Named tokens, added, used and revoked while the real daemon runs.
"""

import json
import sys

from openclaw.testing import ServedCall
from tests.integration.agent import calls, says
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import DaemonTestCase
from tests.integration.http_caller import Caller
from tests.integration.processes import missingProcesses

TOKEN_COMMAND = (sys.executable, "-m", "openclaw.cli.main", "token")
SESSION = "x-openclaw-session-key"


class TokenTestCase(DaemonTestCase):
    """
    A provider that replies, and the command beside the daemon.
    """

    def setUp(self) -> None:
        """
        Let the provider reply.
        """
        super().setUp()
        self.upstream.says("so")

    async def command(self, *arguments: str, status: int = 0) -> str:
        """
        Run the command.

        @return: Its standard output.
        """
        program = self.start(*TOKEN_COMMAND, *arguments)
        await program.ended
        self.assertEqual(program.status, status, program.text)
        return program.output

    async def add(self, daemon: Daemon, label: str, *options: str) -> Caller:
        """
        Return a caller with a new token.
        """
        token = (await self.command("add", label, *options)).strip()
        self.assertRegex(token, "^oct_[A-Za-z0-9_-]{43}$")
        return self.caller(daemon, token)

    async def ask(self, caller: Caller, words: str = "hi", **more: object) -> str:
        """
        Complete a request.

        @return: The key of its session.
        """
        answer = await caller.ask(words, **more)
        self.assertEqual((answer.status, await answer.words()), (200, "so"))
        return answer.header(SESSION)

    async def assertRefused(
        self, caller: Caller, status: int, code: str, **more: object
    ) -> None:
        """
        Assert that a request is rejected.
        """
        answer = await caller.ask("hi", **more)
        self.assertEqual((answer.status, await answer.code()), (status, code))


class LifeTests(TokenTestCase):
    """
    A token from its creation to its end.
    """

    async def test_endsStreams(self) -> None:
        """
        Revoking a token ends its streams and runs, including those that continue alone;
        those of the operator and of other tokens continue.
        """
        daemon = await self.startDaemon()
        self.upstream.answer = lambda call: None
        mine = await self.add(daemon, "ci")
        others = [await self.add(daemon, "cd"), self.caller(daemon)]
        streams = []
        for caller in (mine, mine, *others):
            called = self.upstream.nextCall()
            on = "continue" if len(streams) == 1 else "cancel"
            stream = await caller.connect(
                "hi", headers={"x-openclaw-on-disconnect": on}, stream=True
            )
            self.addCleanup(stream.close)
            call = await called
            call.say("One")
            await stream.until("One")
            streams.append((stream, call))
        streams[1][0].close()
        await self.command("revoke", "ci")
        received = await streams[0][0].until("[DONE]")
        self.assertIn("invalid_api_key", received)
        self.assertEqual(received.count("[DONE]"), 1)
        for _, call in streams[:2]:
            await call.gone
        for stream, call in streams[2:]:
            call.say(" two")
            call.finish()
            received = await stream.until("[DONE]")
            self.assertIn(" two", received)
            self.assertNotIn("error", received)
        await daemon.line("token revoked label=ci")

    async def test_revokedDuringUpload(self) -> None:
        """
        If a token is revoked while a request's body arrives, no run starts.
        """
        daemon = await self.startDaemon()
        mine = await self.add(daemon, "ci")
        upload = await mine.connect("hi", withhold=5, stream=True)
        self.addCleanup(upload.close)
        await self.ask(mine)  # By now the daemon has the headers of the upload, too.
        noticed = daemon.nextLine("token revoked label=ci")
        await self.command("revoke", "ci")
        await noticed
        before = len(self.upstream.calls)
        upload.finish()
        received = await upload.until("invalid_api_key")
        self.assertIn("HTTP/1.1 401 ", received)
        self.assertEqual(len(self.upstream.calls), before)

    async def test_quotaOfSameLabel(self) -> None:
        """
        The requests of an old token do not count for a new one with its label.
        """
        daemon = await self.startDaemon()
        old = await self.add(daemon, "ci", "--rpm", "1")
        await self.ask(old)
        await self.assertRefused(old, 429, "token_rate")
        await self.command("revoke", "ci")
        await self.ask(await self.add(daemon, "ci", "--rpm", "1"))

    async def test_sameLabel(self) -> None:
        """
        A new token with the label of an old one has none of its sessions and runs.
        """
        daemon = await self.startDaemon()
        old = await self.add(daemon, "ci")
        headers = {"Idempotency-Key": "again", SESSION: "talk"}
        answer = await old.ask("The word is rosebud.", headers=headers)
        run = answer.header("x-openclaw-run-id")
        self.assertEqual((await old.get(f"/v1/runs/{run}")).status, 200)
        await self.command("revoke", "ci")
        new = await self.add(daemon, "ci")
        self.assertEqual((await new.get(f"/v1/runs/{run}")).status, 404)
        answer = await new.ask("The word is rosebud.", headers=headers)
        self.assertIsNone(answer.header("idempotent-replayed"))
        key = await self.ask(new, "Which word?", headers={SESSION: "talk"})
        self.assertEqual(key, "agent:main:token:ci~2:talk")
        said = [each["content"] for each in self.upstream.calls[-1].body["messages"]]
        self.assertEqual(said.count("The word is rosebud."), 1)

    async def test_models(self) -> None:
        """
        A token may use the models of its agents, or the given ones.
        """
        models = ["words", "dear"]
        config = self.configure(
            {"models": {"providers": {"scripted": {"models": models}}}}
        )
        daemon = await self.startDaemon(config=config)
        usual = await self.add(daemon, "usual")
        rich = await self.add(daemon, "rich", "--models", "other/x,scripted/*")
        for caller, model, status in (
            (usual, "scripted/words", 200),
            (usual, "scripted/dear", 403),
            (usual, "dear", 403),
            (rich, "dear", 200),
            (self.caller(daemon), "dear", 200),
        ):
            answer = await caller.ask("hi", headers={"x-openclaw-model": model})
            self.assertEqual(answer.status, status, model)
            await answer.whole()
            if status == 403:
                self.assertEqual(await answer.code(), "model_not_allowed")
        await self.command("add", "x", "--models", "no model", status=1)

    async def test_life(self) -> None:
        """
        A token is valid as soon as it is added, and invalid when it is revoked, without
        a restart or a signal; the operator's is not affected.
        """
        daemon = await self.startDaemon()
        await self.assertRefused(
            self.caller(daemon, "oct_" + "x" * 43), 401, "invalid_api_key"
        )
        ci = await self.add(daemon, "ci")
        other = await self.add(daemon, "other")
        await self.ask(ci)
        await self.ask(ci, stream=True)
        self.assertNotIn("sha256", await self.command("list", "--json"))
        await self.command("revoke", "ci")
        await self.assertRefused(ci, 401, "invalid_api_key")
        await self.ask(other)
        await self.ask(self.caller(daemon))
        self.assertNotIn("oct_", daemon.text)
        await daemon.line("token:ci")

    async def test_runsGoOn(self) -> None:
        """
        A run in progress is not affected by other changes.
        """
        daemon = await self.startDaemon()
        ci = await self.add(daemon, "ci")
        self.upstream.answer = lambda call: call.say("first ")
        answer = await ci.ask("hi", stream=True)
        await answer.body.until("first")
        await self.command("add", "other")
        [call] = self.upstream.calls
        call.say("last")
        call.finish()
        self.assertEqual(await answer.words(), "first last")

    async def test_expiry(self) -> None:
        """
        An expired token is invalid.
        """
        daemon = await self.startDaemon()
        ci = await self.add(daemon, "ci", "--expires", "30d")
        await self.ask(ci)
        path = self.state / "tokens.json"
        document = json.loads(path.read_text())
        document["tokens"][0]["expiresAt"] = 1.0
        path.write_text(json.dumps(document))
        await self.assertRefused(ci, 401, "invalid_api_key")

    async def test_password(self) -> None:
        """
        A named token is valid in the mode C{password}, too.
        """
        auth = {"token": None, "mode": "password", "password": "open sesame"}
        config = self.configure({"gateway": {"auth": auth}})
        daemon = await self.startDaemon(config=config)
        await self.ask(await self.add(daemon, "ci"))


class AgentTests(TokenTestCase):
    """
    A token for one agent of two.
    """

    async def test_agents(self) -> None:
        """
        It can list and use only this one, by any name.
        """
        agents = {"entries": {"main": {}, "helper": {}}}
        config = self.configure({"agents": agents})
        daemon = await self.startDaemon(config=config)
        ci = await self.add(daemon, "ci", "--agent", "helper")
        listed = await (await ci.get("/v1/models")).json()
        self.assertEqual([each["id"] for each in listed["data"]], ["openclaw/helper"])
        key = await self.ask(ci, model="openclaw/helper")
        self.assertTrue(key.startswith("agent:helper:token:ci:openai:"))
        for more in (
            {"model": "openclaw"},
            {"model": "openclaw/main"},
            {"headers": {"x-openclaw-agent-id": "main"}},
            {"headers": {SESSION: "agent:main:token:ci:x"}},
        ):
            await self.assertRefused(ci, 400, "unknown_agent", **more)

    async def test_scope(self) -> None:
        """
        A token with only the scope to read can list models, and start no run.
        """
        daemon = await self.startDaemon()
        ci = await self.add(daemon, "ci", "--scope", "operator.read")
        self.assertEqual((await ci.get("/v1/models")).status, 200)
        await self.assertRefused(ci, 403, "missing_scope")


class SessionTests(TokenTestCase):
    """
    Sessions of several callers.
    """

    async def test_apart(self) -> None:
        """
        The same user and the same name are different sessions for another caller; each
        can be continued by name and by the key in the response.
        """
        daemon = await self.startDaemon()
        ci = await self.add(daemon, "ci")
        cd = await self.add(daemon, "cd")
        for more in ({"user": "ann"}, {"headers": {SESSION: "notes"}}):
            keys = [
                await self.ask(caller, f"from {name}", **more)
                for caller, name in (
                    (ci, "ci"),
                    (cd, "cd"),
                    (self.caller(daemon), "op"),
                )
            ]
            self.assertEqual(len(set(keys)), 3)
            for again in (more, {"headers": {SESSION: keys[0]}}):
                await self.ask(ci, "again", **again)
                heard = [text for role, text in self.upstream.heard() if role == "user"]
                self.assertEqual(heard[:2], ["from ci", "again"])

    async def test_others(self) -> None:
        """
        No caller can continue another's session, whether it exists or not; the operator
        can.
        """
        daemon = await self.startDaemon()
        ci, operator = await self.add(daemon, "ci"), self.caller(daemon)
        cd = await self.add(daemon, "cd")
        theirs = await self.ask(cd, "a secret", headers={SESSION: "notes"})
        owners = await self.ask(operator, "a secret", user="ann")
        before = len(self.upstream.calls)
        for key in (theirs, owners, "agent:main:nothing", "agent:main:token:cd:no"):
            headers = {SESSION: key}
            await self.assertRefused(ci, 403, "session_not_yours", headers=headers)
        self.assertEqual(len(self.upstream.calls), before)
        await self.ask(operator, "go on", headers={SESSION: theirs})
        self.assertEqual(self.upstream.heard()[0], ("user", "a secret"))

    async def test_tools(self) -> None:
        """
        An agent that lists sessions gets those of its caller.
        """
        tools = {"defaults": {"tools": {"allow": ["sessions_list"]}}}
        config = self.configure({"agents": tools})
        daemon = await self.startDaemon(config=config)
        ci, operator = await self.add(daemon, "ci"), self.caller(daemon)
        await self.ask(operator, user="ann")
        own = await self.ask(ci, user="bob")

        def answer(call: ServedCall) -> None:
            last = call.body["messages"][-1]
            if last["role"] == "tool":
                says(last["content"])(call)
            else:
                calls("sessions_list")(call)

        self.upstream.answer = answer
        told = await (await ci.ask("list", user="bob")).words()
        self.assertIn(own, told)
        self.assertNotIn("ann", told)
        told = await (await operator.ask("list")).words()
        self.assertIn(own, told)
        self.assertIn("agent:main:openai-user:ann", told)


class QuotaTests(TokenTestCase):
    """
    Tokens with limits.
    """

    async def test_rate(self) -> None:
        """
        A request over the limit per minute is rejected with the time until a retry.
        """
        daemon = await self.startDaemon()
        ci = await self.add(daemon, "ci", "--rpm", "2")
        await self.ask(ci)
        self.assertEqual((await ci.get("/v1/models")).status, 200)
        answer = await ci.ask("hi")
        self.assertEqual((answer.status, await answer.code()), (429, "token_rate"))
        self.assertTrue(50 < int(answer.header("retry-after") or 0) <= 60)
        await self.ask(self.caller(daemon))

    async def test_concurrency(self) -> None:
        """
        A concurrent run over the limit is rejected, streaming or not, until one has
        ended, also by a disconnect; others are not affected.
        """
        daemon = await self.startDaemon()
        ci = await self.add(daemon, "ci", "--max-concurrent", "1")
        self.upstream.answer = lambda call: call.say("so")
        answer = await ci.ask("one", stream=True)
        await answer.body.until("so")
        for streaming in (False, True):
            await self.assertRefused(ci, 429, "token_concurrency", stream=streaming)
        self.upstream.calls[0].finish()
        await answer.whole()
        connection = await ci.connect("two", stream=True)
        await connection.until("so")
        await self.assertRefused(ci, 429, "token_concurrency")
        gone = daemon.nextLine("outcome=run_cancelled")
        connection.reset()
        await gone
        self.upstream.says("so")
        await self.ask(ci, "three")
        await self.ask(self.caller(daemon))


class WorkerTests(TokenTestCase):
    """
    A daemon with two workers.
    """

    skip = missingProcesses()
    workers = 2

    async def test_revoked(self) -> None:
        """
        The streams end in both, and the change is one line of the audit log.
        """
        audit = self.folder / "audit.log"
        config = self.configure({"logging": {"auditFile": str(audit)}})
        daemon = await self.startDaemon(config=config)
        added = daemon.nextLine("token added label=ci")
        mine = await self.add(daemon, "ci")
        await added
        self.upstream.answer = lambda call: call.say("One")
        streams = []
        for _ in range(8):
            stream = await mine.connect("hi", {"Connection": "close"}, stream=True)
            self.addCleanup(stream.close)
            await stream.until("One")
            streams.append(stream)
        revoked = daemon.nextLine("token revoked label=ci")
        await self.command("revoke", "ci")
        for stream in streams:
            self.assertIn("invalid_api_key", await stream.until("[DONE]"))
        await revoked
        await self.assertRefused(mine, 401, "invalid_api_key")
        lines = [line for line in audit.read_text().splitlines() if "token " in line]
        kept = [line.partition(" ")[2] for line in lines if "refused" not in line]
        self.assertEqual(
            kept,
            [
                "token added label=ci scopes=operator.write agents=all",
                "token revoked label=ci",
            ],
        )
