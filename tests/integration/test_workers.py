"""
A daemon with two workers, which looks like one process to clients.
"""

import os
import signal
from collections.abc import Mapping
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from openclaw.testing import ServedCall
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import TOKEN, DaemonTestCase
from tests.integration.http_caller import Caller, Connection, streamedWords
from tests.integration.processes import Watch, missingProcesses, workers
from tests.integration.test_metrics import samples

TRIES = 200
"""
The limit of connections that a test makes until one reaches a certain worker.
"""


class WorkersTestCase(DaemonTestCase):
    """
    A daemon with two workers.
    """

    skip = missingProcesses()
    workers = 2

    async def begin(self, **gateway: Any) -> tuple[Daemon, Caller]:
        """
        Start the daemon, and return a client.
        """
        config = self.configure({"gateway": gateway})
        daemon = await self.startDaemon(config=config)
        return daemon, self.caller(daemon)

    async def askAt(
        self,
        caller: Caller,
        worker: int,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> tuple[Connection, ServedCall, str]:
        """
        Start a stream with a certain worker.

        @return: The client's connection, the model call, and the run's id.
        """
        for _ in range(TRIES):
            asked = self.upstream.nextCall()
            connection = await caller.connect(
                "hi",
                {"Connection": "close", **(headers or {})},
                **{"stream": True, **fields},
            )
            call = await asked
            call.say("Hello")
            head = await connection.until("Hello")
            [runID] = [
                line.split()[1]
                for line in head.splitlines()
                if line.lower().startswith("x-openclaw-run-id:")
            ]
            if parseWorkerNumber(runID) == worker:
                self.addCleanup(self.leave, connection)
                return connection, call, runID
            call.finish()
            await connection.lost
        raise AssertionError(f"worker {worker} takes no connections")

    async def oneEach(
        self, caller: Caller, **fields: Any
    ) -> list[tuple[Connection, ServedCall, str]]:
        """
        Start a stream with each worker.
        """
        return [await self.askAt(caller, number, **fields) for number in (0, 1)]

    async def leave(self, connection: Connection) -> None:
        """
        Close a connection, unless it is closed.
        """
        connection.reset()
        await connection.lost

    async def whole(self, caller: Caller) -> None:
        """
        Wait until both workers are ready.
        """
        while (await samples(caller))["openclaw_workers", ""] < 2:
            await self.pause()

    def pids(self, daemon: Daemon) -> list[int]:
        """
        Return the process ids of the workers.
        """
        return workers(daemon.pid)

    async def pause(self, seconds: float = 0.05) -> None:
        """
        Wait a little, since the awaited event is in another process.
        """
        await deferLater(reactor, seconds)

    async def gone(self, pid: int) -> None:
        """
        Wait until a process has ended.
        """
        watch = Watch(reactor, pid)
        self.addCleanup(watch.stop)
        await watch.ended


def parseWorkerNumber(runID: str) -> int:
    """
    Return the worker's number in a run's id.
    """
    return int(runID[-2:], 16)


class ServingTests(WorkersTestCase):
    """
    Any connection reaches the same gateway.
    """

    async def test_bothServe(self) -> None:
        """
        Both accept connections, and requests for the runs of both work in each:
        listing, inspecting, and cancelling.
        """
        _, caller = await self.begin()
        held = await self.oneEach(caller)
        self.assertTrue(held)
        for _ in range(10):
            listed = (await (await caller.get("/v1/runs")).json())["data"]
            self.assertEqual(
                sorted(run["id"] for run in listed), sorted(run for *_, run in held)
            )
            for _, _, runID in held:
                found = await (await caller.get(f"/v1/runs/{runID}")).json()
                self.assertEqual(found["status"], "in_progress")
        for _, call, runID in held:
            stopped = await caller.post(f"/v1/runs/{runID}/cancel")
            self.assertEqual((await stopped.json())["status"], "cancelled")
            await call.gone

    async def test_numbersAddUp(self) -> None:
        """
        A scrape has the sum of all workers, from any of them.
        """
        _, caller = await self.begin()
        held = await self.oneEach(caller)
        for connection, call, _ in held:
            call.finish(usage={"prompt_tokens": 5, "completion_tokens": 2})
            await connection.until("[DONE]")
        still = await self.askAt(caller, 1)
        kind = ("openclaw_tokens_total", "agent=main,kind=prompt")
        # Those of the two answers, and estimates for calls without usage.
        counted = (await samples(caller))[kind]
        self.assertGreaterEqual(counted, 10)
        for _ in range(10):
            found = await samples(caller)
            self.assertEqual(found["openclaw_workers", ""], 2)
            self.assertEqual(found["openclaw_runs_in_progress", ""], 1)
            ended = found["openclaw_runs_total", "agent=main,outcome=stop"]
            self.assertEqual(ended, len(self.upstream.calls) - 1)
            self.assertEqual(found[kind], counted)
        still[0].close()

    async def test_unknownRun(self) -> None:
        """
        An unknown run is not found by any worker.
        """
        _, caller = await self.begin()
        for end in ("00", "01", "02", "zz"):
            answer = await caller.get(f"/v1/runs/run_0123456789abcdef012345{end}")
            self.assertEqual(answer.status, 404)
            self.assertEqual(await answer.code(), "run_not_found")

    async def test_forgedCaller(self) -> None:
        """
        No client can forge the headers by which workers forward a caller.
        """
        daemon, _ = await self.begin()
        stranger = self.caller(daemon, None)
        answer = await stranger.get(
            "/v1/models", headers={"x-openclaw-passport": f"{TOKEN}.e30="}
        )
        self.assertEqual(answer.status, 401)


class AgainTests(WorkersTestCase):
    """
    Repeated requests on two connections.
    """

    async def test_sameKey(self) -> None:
        """
        The same key is the same run, in any worker.
        """
        _, caller = await self.begin()
        coming = self.upstream.nextCall()
        key = {"Idempotency-Key": "order-17"}
        asking = [
            Deferred.fromCoroutine(caller.ask("Hello.", headers=key, stream=True))
            for _ in range(6)
        ]
        call = await coming
        call.say("One ")
        answers = [await each for each in asking]
        call.say("two.")
        call.finish()
        said = {await answer.words() for answer in answers}
        runs = {answer.header("x-openclaw-run-id") for answer in answers}
        self.assertEqual((said, len(runs)), ({"One two."}, 1))
        self.assertEqual(len(self.upstream.calls), 1)
        later = await caller.ask("Hello.", headers=key, stream=True)
        self.assertEqual(await later.words(), "One two.")

    async def test_libraryTriesAgain(self) -> None:
        """
        A client library's retry without a key finds its run in another worker.
        """
        _, caller = await self.begin()
        first = {"x-stainless-retry-count": "0"}
        _, call, runID = await self.askAt(caller, 0, headers=first)
        calls = len(self.upstream.calls)
        again = {"x-stainless-retry-count": "1"}
        answers = [
            await caller.ask("hi", headers=again, stream=True) for _ in range(10)
        ]
        call.finish()
        for answer in answers:
            self.assertEqual(answer.header("x-openclaw-run-id"), runID)
            self.assertEqual(await answer.words(), "Hello")
        self.assertEqual(len(self.upstream.calls), calls)

    async def test_callerOfAPassedOnStreamLeaves(self) -> None:
        """
        When the only client disconnects, the model call is cancelled, also if the run
        is another worker's.
        """
        daemon, caller = await self.begin()
        for number in range(6):
            asked = self.upstream.nextCall()
            connection = await caller.connect(
                "hi", {"Idempotency-Key": f"key-{number}"}, stream=True
            )
            call = await asked
            call.say("Hello")
            await connection.until("Hello")
            connection.reset()
            await call.gone
        self.assertNotIn("Traceback", daemon.text)

    async def test_followed(self) -> None:
        """
        The events of a run can be followed on any connection.
        """
        _, caller = await self.begin()
        alone = {"x-openclaw-on-disconnect": "continue"}
        connection, call, runID = await self.askAt(caller, 1, headers=alone)
        connection.reset()
        following = [await caller.get(f"/v1/runs/{runID}/events") for _ in range(6)]
        call.say(" again")
        call.finish()
        for answer in following:
            self.assertEqual(await answer.words(), "Hello again")


class SessionTests(WorkersTestCase):
    """
    Turns of one session, with several workers.
    """

    async def test_inOrder(self) -> None:
        """
        They are serialised, and each gets all messages before it.
        """
        # One worker's share suffices, if nearly all of them arrive there.
        config = self.configure({"session": {"maxWaiting": 32}})
        caller = self.caller(await self.startDaemon(config=config))
        self.upstream.says("so")
        workers: set[int] = set()
        turns = 0
        # On a busy machine a worker may be slow to accept its first connection.
        while len(workers) < 2:
            asking = [
                Deferred.fromCoroutine(caller.ask("again", user="ann"))
                for _ in range(12)
            ]
            for each in asking:
                answer = await each
                self.assertEqual(await answer.words(), "so")
                workers.add(parseWorkerNumber(answer.header("x-openclaw-run-id")))
            turns += len(asking)
        lengths = [len(self.upstream.heard(index)) for index in range(turns)]
        self.assertEqual(lengths, list(range(1, 2 * turns, 2)))


class DeathTests(WorkersTestCase):
    """
    A killed process.
    """

    async def test_ofAWorker(self) -> None:
        """
        Only its own streams are lost.  Its session is free immediately, and another
        process replaces it.
        """
        daemon, caller = await self.begin()
        first = await self.askAt(caller, 0, user="ann")
        second = await self.askAt(caller, 1, user="bob")
        dying, staying = self.pids(daemon)
        os.kill(dying, signal.SIGKILL)
        await self.gone(dying)
        await daemon.line("Worker 0 has ended")
        await first[0].lost
        second[1].say(" again")
        second[1].finish()
        await second[0].until("[DONE]")
        self.assertEqual(streamedWords(second[0].received), "Hello again")
        answers = await self.askAt(caller, 1, user="ann")
        answers[1].finish()
        await self.whole(caller)
        self.assertIn(staying, self.pids(daemon))
        new = await self.askAt(caller, 0)
        new[1].finish()
        await new[0].until("[DONE]")

    async def test_whoBelongsToIt(self) -> None:
        """
        Until then, its requests get 503 with a time for a retry; afterwards they are
        served.
        """
        daemon, caller = await self.begin()
        self.upstream.says("so")
        os.kill(self.pids(daemon)[0], signal.SIGKILL)
        await daemon.line("Worker 0 has ended")
        statuses = set()
        for number in range(TRIES):
            key = {"Idempotency-Key": f"key-{number}"}
            answer = await caller.ask("hi", headers=key)
            if answer.status != 200:
                self.assertEqual(answer.status, 503)
                self.assertEqual(await answer.code(), "worker_unavailable")
                self.assertEqual(answer.header("retry-after"), "1")
            statuses.add(answer.status)
            if (await samples(caller))["openclaw_workers", ""] == 2:
                break
        self.assertIn(200, statuses)
        for number in range(10):
            key = {"Idempotency-Key": f"later-{number}"}
            answer = await caller.ask("hi", headers=key)
            self.assertEqual(await answer.words(), "so")

    async def test_noneCanBeStarted(self) -> None:
        """
        If no worker can be replaced, the daemon exits with the reason and a status.
        """
        config = self.configure()
        daemon = await self.startDaemon(config=config)
        config.write_text("{")
        for pid in self.pids(daemon):
            os.kill(pid, signal.SIGKILL)
        await daemon.ended
        self.assertEqual(daemon.status, 1, daemon.text)
        self.assertIn(f"Worker 0 can't be started: {config}: ", daemon.text)
        self.assertIn("No worker can be started; stopping the daemon", daemon.text)
        self.assertIn("Stopped", daemon.text)
        self.assertNotIn("Traceback", daemon.text)

    async def test_ofTheDaemon(self) -> None:
        """
        If the daemon is killed, no process is left.
        """
        daemon, caller = await self.begin()
        await self.oneEach(caller)
        pids = self.pids(daemon)
        await daemon.stop("KILL")
        for pid in pids:
            try:
                await self.gone(pid)
            except ProcessLookupError:
                pass


class SignalTests(WorkersTestCase):
    """
    Signals to the daemon apply to all workers.
    """

    async def test_drain(self) -> None:
        """
        Streams of all workers can end; meanwhile no run starts.
        """
        daemon, caller = await self.begin(drainSeconds=30)
        held = await self.oneEach(caller)
        daemon.send("TERM")
        await daemon.line("Draining: 1 runs")
        connection, call, _ = held.pop()
        call.finish()
        await connection.until("[DONE]")
        for _ in range(6):
            self.assertEqual((await caller.ask("me too")).status, 503)
        connection, call, _ = held.pop()
        call.say(" you")
        call.finish()
        await connection.until("[DONE]")
        self.assertEqual(streamedWords(connection.received), "Hello you")
        await daemon.ended
        self.assertEqual(daemon.signal, signal.SIGTERM)
        self.assertNotIn("Traceback", daemon.text)

    async def test_hurry(self) -> None:
        """
        The second SIGTERM ends them.
        """
        daemon, caller = await self.begin(drainSeconds=30)
        held = await self.oneEach(caller)
        daemon.send("TERM")
        await daemon.line("Draining: 1 runs")
        await self.pause()
        daemon.send("TERM")
        self.assertTrue(held)
        for connection, _, _ in held:
            self.assertIn("server_shutting_down", await connection.until("[DONE]"))
        await daemon.ended

    async def test_reload(self) -> None:
        """
        A new configuration applies to all; an invalid one to none.
        """
        daemon, caller = await self.begin()
        self.upstream.says("so")
        path = self.folder / "openclaw.json"
        path.write_text('{"gateway": {"port": "high"}}')
        daemon.send("HUP")
        await daemon.line("The new configuration is rejected")
        for _ in range(6):
            self.assertEqual(await (await caller.ask("hi")).words(), "so")
        agents = {"entries": {"main": {}, "other": {}}}
        self.configure({"agents": agents})
        daemon.send("HUP")
        await daemon.line("The configuration was reloaded")
        for _ in range(10):
            answer = await caller.ask("hi", headers={"x-openclaw-agent-id": "other"})
            self.assertEqual(await answer.words(), "so")


__all__ = ["WorkersTestCase", "parseWorkerNumber"]
