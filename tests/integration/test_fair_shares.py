"""
A greedy and a polite caller without configured limits: the polite one is served while
the greedy one holds everything that it can get.
"""

import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.web.server import NOT_DONE_YET, Site

from openclaw.testing import ServedCall
from tests.integration.agent import calls
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import DaemonTestCase
from tests.integration.http_caller import Caller, Connection
from tests.integration.test_images import Pictures, pictures

TOKEN_COMMAND = (sys.executable, "-m", "openclaw.cli.main", "token", "add")
PLACES = 8
DETACHED = {"x-openclaw-on-disconnect": "continue"}


class FairShareTests(DaemonTestCase):
    """
    Eight slots for runs, and two callers with their own tokens.
    """

    async def begin(self, **changes: Any) -> Daemon:
        """
        Start a daemon.
        """
        agents = {"defaults": {"maxConcurrent": PLACES, **changes.pop("defaults", {})}}
        daemon = await self.startDaemon(
            "--workers", "1", config=self.configure({"agents": agents, **changes})
        )
        self.greedy = await self.add(daemon, "greedy")
        self.bounded = await self.add(daemon, "bounded", "--max-concurrent", "1")
        self.polite = await self.add(daemon, "polite")
        return daemon

    async def add(self, daemon: Daemon, label: str, *options: str) -> Caller:
        """
        Return a caller with a new token.
        """
        program = self.start(*TOKEN_COMMAND, label, *options)
        await program.ended
        return self.caller(daemon, program.output.strip())

    async def open(self, caller: Caller, **more: Any) -> Connection:
        """
        Open a stream without waiting.
        """
        stream = await caller.connect("hi", stream=True, **more)
        self.addCleanup(stream.close)
        return stream

    async def assertServed(self) -> None:
        """
        Assert that the polite caller gets a reply immediately.
        """
        called = self.upstream.nextCall()
        asking = Deferred.fromCoroutine(self.polite.ask("A word, please."))
        call: ServedCall = await called
        call.say("Gladly.")
        call.finish()
        answer = await asking
        self.assertEqual((answer.status, await answer.words()), (200, "Gladly."))

    async def test_runs(self) -> None:
        """
        Streams and runs that continue alone take neither all slots nor the whole queue.
        """
        await self.begin()
        share = PLACES * 3 // 4
        for number in range(40):
            headers = DETACHED if number % 2 else {}
            stream = await self.open(self.greedy, headers=headers)
            if headers:
                stream.close()
        while len(self.upstream.calls) < share:
            await deferLater(reactor, 0.02)
        await self.assertServed()
        self.assertEqual(len(self.upstream.calls), share + 1)

    async def test_bounded(self) -> None:
        """
        A run that continues alone counts towards the limit of its token, also after the
        disconnect.
        """
        await self.begin()
        called = self.upstream.nextCall()
        stream = await self.open(self.bounded, headers=DETACHED)
        call = await called
        stream.close()
        answer = await self.bounded.ask("hi")
        self.assertEqual(
            (answer.status, await answer.code()), (429, "token_concurrency")
        )
        await self.assertServed()
        call.finish()

    async def test_images(self) -> None:
        """
        Images that never arrive do not delay those of others; and they count towards
        the limit of a token.
        """
        images = Pictures()
        images.coming = Deferred()
        site = Site(images, reactor=Clock())
        listening: Any = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        port = listening.getHost().port
        endpoint = {"enabled": True, "images": {"allowUrl": True}}
        await self.begin(
            gateway={"http": {"endpoints": {"chatCompletions": endpoint}}},
            tools={"web": {"fetch": {"allowPrivate": True, "ports": [port]}}},
        )
        images.render_GET = self.neverButOne(images)
        never = pictures(f"http://127.0.0.1:{port}/hangs")
        bounded = await self.open(self.bounded, messages=never)
        for _ in range(30):
            await self.open(self.greedy, messages=never)
        while len(images.asked) < 12:
            await deferLater(reactor, 0.02)
        answer = await self.bounded.ask("hi")
        self.assertEqual(await answer.code(), "token_concurrency")
        self.upstream.says("A cat.")
        answer = await self.polite.ask(
            "", messages=pictures(f"http://127.0.0.1:{port}/a.png")
        )
        self.assertEqual((answer.status, await answer.words()), (200, "A cat."))
        bounded.close()

    def neverButOne(self, images: Pictures) -> Any:
        """
        Respond for one image only.
        """
        usual = images.render_GET

        def render(request: Any) -> int | bytes:
            if request.path == b"/a.png":
                return usual(request)
            images.asked.append(request)
            return NOT_DONE_YET

        return render

    async def test_tools(self) -> None:
        """
        Long tool calls do not delay those of others.
        """
        workspace = self.folder / "workspace"
        workspace.mkdir()
        (workspace / "a.txt").write_text("Here.\n")
        await self.begin(
            defaults={
                "workspace": str(workspace),
                "tools": {"profile": "coding"},
                "maxConcurrent": 200,
            }
        )
        self.upstream.answer = calls("exec", command="mktemp began.XXXXXX; sleep 30")
        for _ in range(80):
            await self.open(self.greedy)
        while len(list(workspace.glob("began.*"))) < 48:
            await deferLater(reactor, 0.02)
        self.upstream.answer = lambda call: None
        called = self.upstream.nextCall()
        asking = Deferred.fromCoroutine(self.polite.ask("Read it."))
        call = await called
        called = self.upstream.nextCall()
        calls("read", path="a.txt")(call)
        call = await called
        self.assertIn("Here.", call.body["messages"][-1]["content"])
        call.say("It says so.")
        call.finish()
        self.assertEqual(await (await asking).words(), "It says so.")
