"""
The real embedded model in the daemon.
"""

import os
import signal
from collections.abc import Mapping
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater

from openclaw.models.local.weights import Weights
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import DaemonTestCase, merged
from tests.integration.http_caller import Answer, frames
from tests.integration.processes import Watch, children, missingProcesses
from tests.integration.requirements import missingModel

MODEL = "local/smollm2-135m-instruct"
TOKENS = 12


class ModelTestCase(DaemonTestCase):
    """
    A daemon whose agent uses the embedded model.
    """

    def document(self, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """
        Return a configuration with one thread, which other programs do not slow down.
        """
        ours = {
            "agents": {"defaults": {"model": MODEL}},
            "models": {"local": {"threads": 1, "start": "atOnce"}},
        }
        return merged(super().document(ours), changes or {})

    async def ask(self, daemon: Daemon, **fields: Any) -> Answer:
        """
        Request a short reply.
        """
        return await self.caller(daemon).ask("Say hello.", max_tokens=TOKENS, **fields)

    async def assertAnswers(self, daemon: Daemon) -> None:
        """
        Assert that the model sends some text.
        """
        self.assertTrue((await (await self.ask(daemon)).words()).strip())

    async def watchModel(self, daemon: Daemon) -> tuple[int, Watch]:
        """
        Wait for the model's process.
        """
        await daemon.line("embedded model .* is ready")
        [pid] = children(daemon.pid)
        watch = Watch(reactor, pid)
        self.addCleanup(watch.stop)
        return pid, watch


class AnswerTests(ModelTestCase):
    """
    Replies of the embedded model.
    """

    skip = missingModel()

    async def test_wholeAndStreamed(self) -> None:
        """
        The model replies, plain and streamed, with its usage.
        """
        daemon = await self.startDaemon()
        completion = await (await self.ask(daemon)).json()
        self.assertTrue(completion["choices"][0]["message"]["content"].strip())
        self.assertIn(completion["choices"][0]["finish_reason"], ("stop", "length"))
        self.assertLessEqual(completion["usage"]["completion_tokens"], TOKENS)
        self.assertGreater(completion["usage"]["prompt_tokens"], 0)

        usage = {"include_usage": True}
        stream = await self.ask(daemon, stream=True, stream_options=usage)
        *chunks, last, end = frames(await stream.whole())
        pieces = [chunk["choices"][0]["delta"].get("content") for chunk in chunks]
        self.assertGreater(len([piece for piece in pieces if piece]), 1)
        self.assertGreater(last["usage"]["completion_tokens"], 1)
        self.assertEqual(end, "[DONE]")


class LifeTests(ModelTestCase):
    """
    The model's process.
    """

    skip = missingModel() or missingProcesses()

    async def test_startedAgain(self) -> None:
        """
        When it dies, another one is started, and replies.
        """
        daemon = await self.startDaemon()
        pid, watch = await self.watchModel(daemon)
        said = daemon.nextLine("embedded model's process has ended")
        os.kill(pid, signal.SIGKILL)
        await watch.ended
        await said
        await self.assertAnswers(daemon)
        [another] = children(daemon.pid)
        self.assertNotEqual(another, pid)

    async def test_endsWithTheDaemon(self) -> None:
        """
        It ends with the daemon by SIGTERM.
        """
        daemon = await self.startDaemon()
        _, watch = await self.watchModel(daemon)
        await daemon.stop()
        await watch.ended
        self.assertEqual(daemon.signal, signal.SIGTERM)

    async def test_endsWithAKilledDaemon(self) -> None:
        """
        It ends with the daemon by SIGKILL, even during a reply.
        """
        daemon = await self.startDaemon()
        _, watch = await self.watchModel(daemon)
        speaking = await self.caller(daemon).connect("Count to 1000.", stream=True)
        await speaking.until('"delta":{"content":')
        await daemon.stop("KILL")
        await watch.ended
        await speaking.lost


class BrokenTests(ModelTestCase):
    """
    Weights that can't be loaded.
    """

    async def healths(self, daemon: Daemon) -> set[tuple[Any, ...]]:
        """
        Return the statuses on some connections, which reach all workers.
        """
        found = set()
        for path in ("/readyz", "/startupz") * 5:
            answer = await self.caller(daemon).get(path)
            document = await answer.json()
            found.add((answer.status, *document.get("failing", ())))
        return found

    async def test_atStart(self) -> None:
        """
        With C{atOnce}, the daemon is not ready until the model can be loaded.
        """
        weights = self.folder / "weights.gguf"
        weights.write_bytes(b"These are no weights." * 1000)
        local = {"modelPath": str(weights), "start": "atOnce"}
        config = self.configure({"models": {"local": local}})
        daemon = await self.startDaemon(config=config)
        broken = {(503, "the embedded model can't be run")}
        while await self.healths(daemon) != broken:
            await deferLater(reactor, 0.1)
        # It is started again and again, and not ready in between.
        for _ in range(20):
            self.assertEqual(await self.healths(daemon), broken)
            await deferLater(reactor, 0.1)
        sound = self.folder / "sound.gguf"
        sound.symlink_to(Weights(modelPath=None).path())
        sound.replace(weights)
        while await self.healths(daemon) != {(200,)}:
            await deferLater(reactor, 0.1)


class BrokenWorkersTests(BrokenTests):
    """
    The same with workers, which share the model.
    """

    workers = 2


class MissingTests(ModelTestCase):
    """
    A machine without the weights.
    """

    async def test_saysSo(self) -> None:
        """
        The daemon starts and logs what is missing in one line; requests to agents with
        the model fail, and others do not.
        """
        local = {"modelPath": str(self.folder / "nowhere.gguf")}
        away = {"away": {"model": "scripted/words"}}
        config = self.configure(
            {"models": {"local": local}, "agents": {"entries": {"main": {}, **away}}}
        )
        daemon = await self.startDaemon(config=config)
        for streaming in (False, True):
            answer = await self.ask(daemon, stream=streaming)
            self.assertEqual(answer.status, 503)
            self.assertEqual(await answer.code(), "model_unavailable")
        warnings = [line for line in daemon.lines if "#warn]" in line]
        self.assertEqual(len(warnings), 1, daemon.text)
        self.assertIn("The embedded model needs", warnings[0])
        self.assertNotIn("nowhere.gguf", await answer.whole())
        ready = await (await self.caller(daemon).get("/readyz")).json()
        self.assertEqual(ready["failing"], ["the embedded model can't be run"])
        self.upstream.says("so")
        self.assertEqual(
            await (await self.ask(daemon, model="openclaw/away")).words(), "so"
        )
