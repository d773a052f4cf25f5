"""
The metrics and the log of a running daemon.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families as parse
from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.integration.daemon import TWISTD, Daemon
from tests.integration.daemon_case import KEY, LOOPBACK, TOKEN, DaemonTestCase, merged
from tests.integration.http_caller import Caller

WORDS = "a-word-that-only-the-caller-knows"
JSON_LOG = {"logging": {"format": "json"}}


async def samples(caller: Caller) -> Mapping[tuple[str, str], float]:
    """
    Scrape, and return the values by name and labels, as C{a=x,b=y}.
    """
    answer = await caller.get("/metrics")
    text = await answer.whole()
    assert answer.status == 200, text
    return {
        (
            sample.name,
            ",".join(f"{name}={value}" for name, value in sample.labels.items()),
        ): sample.value
        for family in parse(text)
        for sample in family.samples
    }


class ScrapeTests(DaemonTestCase):
    """
    Scrapes of the metrics.
    """

    async def test_numbers(self) -> None:
        """
        They have finished runs, runs in progress and failures, under the names of
        agents and providers, and nothing from callers.
        """
        caller = self.caller(await self.startDaemon())
        self.upstream.says("so")
        for streaming in (False, True):
            answer = await caller.ask(WORDS, stream=streaming, user="ann")
            await answer.whole()
        self.upstream.answer = lambda call: call.refuse(400)
        await (await caller.ask(WORDS)).whole()
        self.upstream.answer = lambda call: None
        asked = self.upstream.nextCall()
        connection = await caller.connect("hi", stream=True)
        call = await asked

        found = await samples(caller)
        self.assertEqual(found["openclaw_runs_total", "agent=main,outcome=stop"], 2)
        self.assertEqual(
            found["openclaw_runs_total", "agent=main,outcome=upstream_refused"], 1
        )
        self.assertEqual(found["openclaw_runs_in_progress", ""], 1)
        self.assertEqual(found["openclaw_runs_queued", ""], 0)
        self.assertEqual(found["openclaw_tokens_total", "agent=main,kind=prompt"], 14)
        self.assertEqual(
            found[
                "openclaw_upstream_errors_total",
                "code=upstream_refused,provider=scripted",
            ],
            1,
        )
        self.assertEqual(found["openclaw_run_duration_seconds_count", ""], 3)
        self.assertEqual(found["openclaw_time_to_first_token_seconds_count", ""], 2)
        self.assertGreater(found["openclaw_connections", ""], 0)
        for _, labels in found:
            for word in (WORDS, TOKEN, KEY, "ann"):
                self.assertNotIn(word, labels)

        connection.close()
        await call.gone

    async def test_lag(self) -> None:
        """
        From the first scrape on they have the reactor's lag.
        """
        caller = self.caller(await self.startDaemon())
        await samples(caller)
        await deferLater(reactor, 1.2)
        found = await samples(caller)
        lag = found["openclaw_reactor_lag_seconds", ""]
        self.assertGreater(lag, 0.0)
        self.assertLess(lag, 1.0)

    async def test_whoMayRead(self) -> None:
        """
        The token is required, unless the endpoint is open.
        """
        daemon = await self.startDaemon()
        answer = await self.caller(daemon, token=None).get("/metrics")
        self.assertEqual((answer.status, await answer.code()), (401, "invalid_api_key"))
        endpoints = {"metrics": {"open": True}}
        config = self.configure({"gateway": {"http": {"endpoints": endpoints}}})
        opened = await self.startDaemon(config=config)
        found = await samples(self.caller(opened, token=None))
        self.assertIn(("openclaw_connections", ""), found)


class TextLogTests(DaemonTestCase):
    """
    The text log, which is the default.
    """

    async def test_run(self) -> None:
        """
        Each run has a line, which the response's headers identify.
        """
        daemon = await self.startDaemon()
        self.upstream.says("so")
        answer = await self.caller(daemon).ask(WORDS, user="ann")
        await answer.whole()
        line = (await daemon.line(r"run=run_\w+ .*"))[0]
        run, request = answer.header("x-openclaw-run-id"), answer.header("x-request-id")
        self.assertIn(f"run={run} request={request} caller=operator agent=main", line)
        self.assertIn(" session=agent:main:openai-user:ann model=scripted/words ", line)
        self.assertRegex(
            line,
            r"outcome=stop gone=no queue_ms=\d+\.\d first_ms=\d+\.\d total_ms=\d+\.\d"
            r" tokens_in=7 tokens_out=3$",
        )

    async def test_goneCaller(self) -> None:
        """
        After a disconnect the line has the usage that the provider has reported by
        then.
        """
        daemon = await self.startDaemon()
        asked = self.upstream.nextCall()
        connection = await self.caller(daemon).connect("hi", stream=True)
        call = await asked
        call.chunk(choices=[], usage={"prompt_tokens": 9, "completion_tokens": 1})
        call.say("some", " words")
        await connection.until('" words"')
        connection.close()
        line = (await daemon.line("outcome=run_cancelled .*"))[0]
        self.assertIn(" gone=yes ", line)
        self.assertIn(" tokens_in=9 tokens_out=1 ", line)

    async def test_processingTime(self) -> None:
        """
        The response has the processing time in whole milliseconds.
        """
        caller = self.caller(await self.startDaemon())
        self.upstream.says("so")
        for streaming in (False, True):
            answer = await caller.ask(WORDS, stream=streaming)
            await answer.whole()
            took = answer.header("openai-processing-ms")
            self.assertRegex(str(took), r"^\d+$")
            self.assertLess(int(str(took)), 10_000)


class JSONLogTests(DaemonTestCase):
    """
    The JSON log.
    """

    def read(self, lines: list[str]) -> list[Any]:
        """
        Read the log; each line must be an object with the standard members.
        """
        found = [json.loads(line) for line in lines]
        self.assertTrue(found)
        for each in found:
            for name in ("time", "level", "namespace", "message"):
                self.assertIn(name, each)
        return found

    async def converse(self, daemon: Daemon) -> str | None:
        """
        Wait until the daemon is ready, complete a run, and stop it.

        @return: The run's id.
        """
        greeting = json.loads((await daemon.line(r".*Ready at .*"))[0])
        url = greeting["message"].split("Ready at ")[1].split("/v1")[0]
        self.upstream.says("so")
        answer = await self.caller(url).ask(WORDS)
        await answer.whole()
        await daemon.stop()
        return answer.header("x-openclaw-run-id")

    def assertTold(self, found: list[Any], runID: str | None) -> None:
        """
        Assert that the log has the run with its fields, and the first and last of
        twistd's own lines.
        """
        (run,) = [each for each in found if each["message"] == "run ended"]
        self.assertEqual((run["run"], run["outcome"]), (runID, "stop"))
        self.assertEqual((run["tokens_in"], run["tokens_out"]), (7, 3))
        self.assertEqual((run["namespace"], run["level"]), ("openclaw", "info"))
        self.assertGreater(run["total_ms"], 0)
        messages = [each["message"] for each in found]
        self.assertTrue(any("starting up" in message for message in messages))
        self.assertEqual(found[-1]["message"], "Server Shut Down.")
        self.assertNotIn(WORDS, json.dumps(found))

    async def test_standardOutput(self) -> None:
        """
        In the foreground each line of standard output is an object, including twistd's
        own.
        """
        daemon = self.spawn(config=self.configure(JSON_LOG))
        runID = await self.converse(daemon)
        self.assertTold(self.read(daemon.lines), runID)

    async def test_file(self) -> None:
        """
        Each line of twistd's log file is an object, also after SIGUSR1 has begun a new
        one.
        """
        log = self.folder / "openclaw.log"
        daemon = Daemon()
        code = self.environment()
        command = [sys.executable, str(TWISTD), "-n", "--pidfile=", f"--logfile={log}"]
        config = self.configure(JSON_LOG)
        command += ["openclaw", "--config", str(config), "--listen", LOOPBACK]
        daemon.start(reactor, command, code)
        self.addCleanup(daemon.abandon)
        url = await self.urlIn(log)
        self.upstream.says("so")
        await (await self.caller(url).ask(WORDS)).whole()
        os.kill(daemon.pid, signal.SIGUSR1)
        rotated = Path(f"{log}.1")
        while not rotated.exists():
            await deferLater(reactor, 0.02)
        answer = await self.caller(url).ask(WORDS)
        await answer.whole()
        await daemon.stop()
        self.assertEqual(daemon.lines, [])
        before = self.read(rotated.read_text().splitlines())
        after = self.read(log.read_text().splitlines())
        self.assertEqual(before[-1]["message"], "run ended")
        self.assertTold([*before[:-1], *after], answer.header("x-openclaw-run-id"))

    async def urlIn(self, log: Path) -> str:
        """
        Wait for the daemon's URL in a log file.
        """
        while not log.exists() or "Ready at " not in log.read_text():
            await deferLater(reactor, 0.02)
        return log.read_text().split("Ready at ")[1].split("/v1")[0]

    async def test_background(self) -> None:
        """
        The log file of a daemon in the background is the same.
        """
        log, pidfile = self.folder / "openclaw.log", self.folder / "openclaw.pid"
        command = [sys.executable, str(TWISTD), f"--pidfile={pidfile}"]
        command += [f"--logfile={log}", f"--rundir={self.folder}"]
        config = self.configure(JSON_LOG)
        command += ["openclaw", "--config", str(config), "--listen", LOOPBACK]
        program = self.start(*command)
        await program.ended
        self.assertEqual(program.status, 0, program.text)
        url = await self.urlIn(log)
        pid = int(pidfile.read_text())
        self.addCleanup(self.killDaemon, pid)
        self.upstream.says("so")
        answer = await self.caller(url).ask(WORDS)
        await answer.whole()
        os.kill(pid, signal.SIGTERM)
        while pidfile.exists():
            await deferLater(reactor, 0.02)
        found = self.read(log.read_text().splitlines())
        self.assertTold(found, answer.header("x-openclaw-run-id"))

    def killDaemon(self, pid: int) -> None:
        """
        Leave no daemon behind.
        """
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    async def test_twist(self) -> None:
        """
        twist has its own log options, and the daemon logs that the key has no effect.
        """
        config = self.configure(JSON_LOG)
        twist = [sys.executable, str(TWISTD.with_name("twist")), "--log-format=text"]
        program = self.start(
            *twist, "openclaw", "--config", str(config), "--listen", LOOPBACK
        )
        await program.line("logging.format has no effect")
        await program.stop()

    async def test_reload(self) -> None:
        """
        A changed format takes effect at a restart, which is logged.
        """
        config = self.configure()
        daemon = await self.startDaemon(config=config)
        config.write_text(json.dumps(merged(self.document(), JSON_LOG)))
        daemon.send("HUP")
        await daemon.line("logging.format changed; this takes effect at a restart")
