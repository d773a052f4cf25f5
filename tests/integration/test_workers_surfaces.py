"""
Ports and limits of a daemon with two workers.
"""

from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS

from tests.integration.certificates import writeCertificate
from tests.integration.daemon_case import LOOPBACK, TOKEN
from tests.integration.http_caller import Caller
from tests.integration.test_tokens import TOKEN_COMMAND
from tests.integration.test_workers import WorkersTestCase, parseWorkerNumber


class ListeningTests(WorkersTestCase):
    """
    All kinds of ports can be shared.
    """

    async def assertBothAnswer(self, caller: Caller) -> None:
        """
        Assert that each worker serves.
        """
        self.upstream.says("so")
        seen = set()
        for _ in range(200):
            answer = await caller.ask("hi")
            self.assertEqual(await answer.words(), "so")
            seen.add(parseWorkerNumber(answer.header("x-openclaw-run-id")))
            if len(seen) == 2:
                return
        self.fail(f"only {seen} serve")

    async def test_tls(self) -> None:
        """
        TLS from the configuration.
        """
        certPath, keyPath = writeCertificate(self.folder)
        tls = {"certPath": str(certPath), "keyPath": str(keyPath)}
        config = self.configure({"gateway": {"port": 0, "tls": tls}})
        daemon = await self.startDaemon(config=config, listen=())
        self.assertTrue(daemon.url.startswith("https://"))
        root = Certificate.loadPEM(certPath.read_bytes())
        policy = BrowserLikePolicyForHTTPS(trustRootFromCertificates([root]))
        agent = Agent(reactor, policy)
        await self.assertBothAnswer(Caller(reactor, daemon.url, TOKEN, agent))

    async def test_socket(self) -> None:
        """
        A UNIX socket beside a port: its file keeps its mode as long as the daemon
        lives, even if a worker dies.
        """
        path = self.folder / "s"
        daemon = await self.startDaemon(listen=[LOOPBACK, f"unix:{path}:mode=640"])
        endpoint = UNIXClientEndpoint(reactor, str(path))

        class Always:
            def endpointForURI(self, uri: object) -> Any:
                return endpoint

        agent = Agent.usingEndpointFactory(reactor, Always())
        caller = Caller(reactor, "http://localhost", TOKEN, agent)
        await self.assertBothAnswer(caller)
        await self.assertBothAnswer(self.caller(daemon))
        self.assertEqual(path.stat().st_mode & 0o777, 0o640)
        await daemon.stop()
        self.assertFalse(path.exists())

    async def test_haproxy(self) -> None:
        """
        A port with the PROXY protocol requires it in both workers.
        """
        daemon = await self.startDaemon(
            listen=[LOOPBACK, "haproxy:tcp:0:interface=127.0.0.1"]
        )
        await self.assertBothAnswer(self.caller(daemon))

    async def test_twoNumbers(self) -> None:
        """
        The option takes precedence over the configuration.
        """
        config = self.configure({"gateway": {"workers": 3}})
        daemon = await self.startDaemon("--workers", "2", config=config)
        self.assertEqual(len(self.pids(daemon)), 2)

    async def test_senseless(self) -> None:
        """
        Zero workers are rejected.
        """
        program = self.spawn("--workers", "0")
        await program.ended
        self.assertEqual(program.status, 1)

    async def test_cantStart(self) -> None:
        """
        An error that prevents the start of a worker prevents that of the daemon, with
        one line.
        """
        self.state.mkdir()
        (self.state / "sessions.sqlite").write_text("This is no database. " * 100)
        program = self.spawn()
        await program.ended
        self.assertEqual(program.status, 1)
        self.assertIn("session", program.text)
        self.assertNotIn("restarting it in", program.text)


class CallerTests(WorkersTestCase):
    """
    Limits of callers apply to all workers together.
    """

    async def tokenFor(self, *options: str) -> str:
        """
        Add a token.
        """
        made = self.start(*TOKEN_COMMAND, "add", "ci", *options)
        await made.ended
        return made.output.strip()

    async def test_revoked(self) -> None:
        """
        A revoked token is invalid in all.
        """
        daemon, _ = await self.begin()
        self.upstream.says("so")
        caller = self.caller(daemon, await self.tokenFor())
        for _ in range(6):
            self.assertEqual((await caller.ask("hi")).status, 200)
        await self.start(*TOKEN_COMMAND, "revoke", "ci").ended
        for _ in range(6):
            self.assertEqual((await caller.ask("hi")).status, 401)

    async def test_perMinute(self) -> None:
        """
        A caller with ten requests per minute has ten in total.
        """
        daemon, _ = await self.begin()
        self.upstream.says("so")
        caller = self.caller(daemon, await self.tokenFor("--rpm", "10"))
        statuses = []
        for number in range(20):
            headers = {"Idempotency-Key": str(number)} if number % 2 else {}
            answer = await caller.ask("hi", headers=headers)
            await answer.whole()
            statuses.append(answer.status)
        self.assertEqual(statuses, [200] * 10 + [429] * 10)

    async def test_atOnce(self) -> None:
        """
        A caller with one concurrent run has one in total.
        """
        daemon, _ = await self.begin()
        caller = self.caller(daemon, await self.tokenFor("--max-concurrent", "1"))
        asked = self.upstream.nextCall()
        connection = await caller.connect("hi", stream=True)
        self.addCleanup(self.leave, connection)
        call = await asked
        call.say("so")
        for _ in range(8):
            answer = await caller.ask("hi")
            self.assertEqual(answer.status, 429)
            self.assertEqual(await answer.code(), "token_concurrency")
        call.finish()
        await connection.until("[DONE]")

    async def test_guesses(self) -> None:
        """
        The limit of guesses is for all workers together.
        """
        limits = {"exemptLoopback": False, "maxAttempts": 4}
        daemon, _ = await self.begin(auth={"rateLimit": limits})
        wrong = self.caller(daemon, "wrong")
        statuses = []
        for _ in range(12):
            statuses.append((await wrong.get("/v1/models")).status)
            await self.pause()
        self.assertEqual(statuses, [401] * 4 + [429] * 8)
