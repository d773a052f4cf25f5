"""
Disconnects of clients in all phases of a run with tools: nothing of the run is left,
and the next client is served.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.integration.agent import AgentTestCase, calls, says, wants
from tests.integration.daemon import Daemon
from tests.integration.http_caller import Connection
from tests.integration.processes import Watch, children, missingProcesses, sockets

CHECK_SECONDS = 0.02
"""
The interval of checks, since the closing of another process's socket causes no event.
"""

FILE_BYTES = 256 * 1024
FILES = 60


class Silent(Protocol):
    """
    A web server that sends an incomplete response.

    @ivar gone: Fires when the client has closed the connection.
    """

    def __init__(self, beginning: bytes) -> None:
        self.asked: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self._beginning = beginning

    def dataReceived(self, data: bytes) -> None:
        if not self.asked.called:
            self.transport.write(self._beginning)
            self.asked.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.gone.callback(None)


class GoneCallerTests(AgentTestCase):
    """
    Each phase, with and without streaming and sessions.
    """

    skip = missingProcesses()

    async def startAgent(self, *arguments: Any, **defaults: Any) -> Daemon:
        """
        Start the daemon, and complete one run, so that persistent connections are open.
        """
        daemon = await super().startAgent(*arguments, **defaults)
        await self.assertServes(daemon)
        self._sockets = sockets(daemon.pid)
        return daemon

    async def assertServes(self, daemon: Daemon) -> None:
        """
        Assert that others get replies, and that the session can be continued.
        """
        self.upstream.answer = says("still here")
        for fields in ({}, {"user": "ann"}):
            answer = await self.caller(daemon).ask("hi", **fields)
            self.assertEqual(await answer.words(), "still here")

    def leaving(
        self, daemon: Daemon
    ) -> Iterator[tuple[Callable[..., Any], Callable[[Connection], None]]]:
        """
        Return the ways to send a request and to disconnect.
        """
        caller = self.caller(daemon)
        yield lambda: caller.connect("hi", stream=True), Connection.close
        yield lambda: caller.connect("hi", user="ann"), Connection.reset

    async def leave(
        self,
        daemon: Daemon,
        connection: Connection,
        way: Callable[[Connection], None],
        tool: str | None = None,
    ) -> None:
        """
        Disconnect, and assert that nothing is left.

        @param tool: The running tool.
        """
        cancelled = [daemon.nextLine(" session=.* outcome=run_cancelled")]
        if tool is not None:
            cancelled.append(daemon.nextLine(f"tool {tool} run=.* outcome=cancelled"))
        way(connection)
        await gatherResults(cancelled)
        self.assertEqual(children(daemon.pid), [])
        self.assertEqual(list(self.workspace.rglob(".openclaw*")), [])
        self.assertEqual(list(self.workspace.rglob("*.tmp")), [])
        asked = len(self.upstream.calls)
        await self.assertServes(daemon)
        # The model was not called for the cancelled run.
        self.assertEqual(len(self.upstream.calls), asked + 2)
        while sockets(daemon.pid) > self._sockets:
            await deferLater(reactor, CHECK_SECONDS)

    async def test_whileTheModelIsWaitedFor(self) -> None:
        """
        The model has a tool result and has not replied yet: its connection is closed.
        """
        daemon = await self.startAgent()
        for ask, way in self.leaving(daemon):
            waiting: Deferred[Any] = Deferred()
            self.plays(calls("ls"), waiting.callback)
            connection = await ask()
            call = await waiting
            await self.leave(daemon, connection, way)
            await call.gone

    async def test_whileTheAnswerComes(self) -> None:
        """
        The model replies after the tools: its connection is closed.
        """
        daemon = await self.startAgent()
        for ask, way in self.leaving(daemon):
            speaking: Deferred[Any] = Deferred()
            self.plays(calls("ls", "I look."), speaking.callback)
            connection = await ask()
            call = await speaking
            call.say("There ", "is")
            await self.leave(daemon, connection, way)
            await call.gone

    async def test_whileACommandRuns(self) -> None:
        """
        The command is ended with all of its processes, including those that left its
        process group.
        """
        # In the sandbox the command would see other numbers of processes.
        daemon = await self.startAgent({"tools": {"exec": {"sandbox": "none"}}})
        ready = self.workspace / "ready"
        os.mkfifo(ready)
        command = (
            "sleep 600 & child=$!; setsid sleep 600 &"
            f" echo $$ $child $! > {ready.name}; wait"
        )
        for ask, way in self.leaving(daemon):
            self.plays(calls("exec", command=command))
            reading = self.start("cat", str(ready))
            connection = await ask()
            told = await reading.line(r"^(\d+) (\d+) (\d+)$")
            watches = [Watch(reactor, int(pid)) for pid in told.groups()]
            for watch in watches:
                self.addCleanup(watch.stop)
            await self.leave(daemon, connection, way, "exec")
            await gatherResults([watch.ended for watch in watches])

    async def test_whileFilesAreWritten(self) -> None:
        """
        Each file is complete or missing, and later calls are not made.
        """
        daemon = await self.startAgent()
        content = "x" * FILE_BYTES
        names = [f"{number}.txt" for number in range(FILES)]
        turn = wants(*(("write", {"path": n, "content": content}) for n in names))
        for ask, way in self.leaving(daemon):
            self.plays(turn)
            first = daemon.nextLine("tool write run=.* outcome=ok")
            connection = await ask()
            await first
            await self.leave(daemon, connection, way, "write")
            written = list(self.workspace.iterdir())
            self.assertTrue(0 < len(written) < FILES, written)
            for path in written:
                self.assertEqual(path.stat().st_size, FILE_BYTES, path.name)
                path.unlink()

    async def test_betweenTwoTools(self) -> None:
        """
        Of the calls of a turn, later ones are not made.
        """
        daemon = await self.startAgent()
        ready = self.workspace / "ready"
        os.mkfifo(ready)
        turn = wants(
            ("exec", {"command": "true"}),
            ("exec", {"command": f"echo so > {ready.name}; sleep 600"}),
            ("write", {"path": "third.txt", "content": "third"}),
        )
        for ask, way in self.leaving(daemon):
            self.plays(turn)
            reading = self.start("cat", str(ready))
            connection = await ask()
            await reading.line("so")
            await self.leave(daemon, connection, way, "exec")
            self.assertEqual(list(self.workspace.iterdir()), [ready])

    async def test_whileAPageIsFetched(self) -> None:
        """
        The connection to the web server is closed, before or during its response.
        """
        served: list[Silent] = []

        def serve(address: object) -> Silent:
            served.append(Silent(beginnings.pop(0)))
            connected.pop(0).callback(served[-1])
            return served[-1]

        begun = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nsome"
        beginnings = [b"", begun]
        connected: list[Deferred[Silent]] = [Deferred(), Deferred()]
        awaited = list(connected)
        factory = Factory()
        factory.buildProtocol = serve
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number = port.getHost().port
        fetch = {"allowPrivate": True, "ports": [number]}
        daemon = await self.startAgent({"tools": {"web": {"fetch": fetch}}})
        for ask, way in self.leaving(daemon):
            self.plays(calls("web_fetch", url=f"http://127.0.0.1:{number}/"))
            connection = await ask()
            server = await awaited.pop(0)
            await server.asked
            await self.leave(daemon, connection, way, "web_fetch")
            await server.gone
