"""
Tests for L{openclaw.models.local} with real processes, and with the real model if it is
installed.
"""

import os
import signal
import sys
from operator import mul
from pathlib import Path

from treq.client import HTTPClient
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, LogLevel, formatEvent
from twisted.trial.unittest import TestCase
from twisted.web.client import Agent

import openclaw
from openclaw.config import LOCAL_MODEL, Config, LocalModel, Models
from openclaw.errors import (
    ContextTooLong,
    InvalidRequest,
    ModelUnavailable,
    UpstreamRefused,
)
from openclaw.interfaces import EmbeddingRequest
from openclaw.models.embedding_calls import unpackVector
from openclaw.models.local.engine_main import IGNORED_SIGNALS
from openclaw.models.local.engine_messages import EngineOrder
from openclaw.models.local.engine_process import ModelProcess
from openclaw.models.local.llama_log import LineSplitter
from openclaw.models.local.local_provider import LocalModelProvider
from openclaw.models.local.weights import Weights
from openclaw.models.registry import Providers
from tests.models.killable_daemon import LOADING, READY
from tests.models.local_doubles import UpstreamInMemory

PATIENCE = 60
"""
The time limit of waits, in seconds; none should need more than a few.
"""

ROOT = Path(openclaw.__file__).parent.parent


def missing():
    """
    Return the reason why the real model can't run here; C{None} if it can.
    """
    try:
        Weights(modelPath=None).path()
    except ModelUnavailable as error:
        return error.message
    return None


class DeathWatch:
    """
    A watch on a process, which need not be a child.

    @ivar died: Fires with C{None}.
    """

    def __init__(self, reactor, pid):
        self.died = Deferred()
        self._reactor = reactor
        self._pidfd = os.pidfd_open(pid)
        reactor.addReader(self)

    def fileno(self):
        """
        Return a descriptor that becomes readable when the process dies.
        """
        return self._pidfd

    def logPrefix(self):
        """
        Return a name for the reactor's log.
        """
        return "death watch"

    def doRead(self):
        self._reactor.removeReader(self)
        os.close(self._pidfd)
        self.died.callback(None)

    def connectionLost(self, reason):
        """
        Do nothing.
        """


class Parent(ProcessProtocol):
    """
    A process of L{tests.models.killable_daemon}.

    @ivar ended: Fires when it is reaped.
    """

    def __init__(self):
        self.ended = Deferred()
        self._splitter = LineSplitter()
        self._awaited = {}

    def line(self, accept):
        """
        Return a Deferred for the first later line that C{accept} accepts.
        """
        awaited = Deferred()
        self._awaited[awaited] = accept
        return awaited

    def outReceived(self, data):
        for line in self._splitter.feed(data):
            text = line.decode()
            for awaited, accept in list(self._awaited.items()):
                if accept(text):
                    del self._awaited[awaited]
                    awaited.callback(text)

    def processEnded(self, reason):
        self.ended.callback(None)


class RealProcessTestCase(TestCase):
    """
    A test case with real processes, on the real reactor.
    """

    timeout = PATIENCE
    skip = missing()

    def setUp(self):
        """
        Record the log.
        """
        from twisted.internet import reactor

        self.reactor = reactor
        self.events = []
        self.awaited = {}
        self.log = Logger(namespace="local", observer=self.keep)

    def keep(self, event):
        """
        Record a log event.
        """
        self.events.append(event)
        line = formatEvent(event)
        for end in [each for each in self.awaited if line.endswith(each)]:
            self.awaited.pop(end).callback(None)

    def logged(self, end):
        """
        Wait for a log line with this end, which may arrive later than a response.
        """
        if any(formatEvent(event).endswith(end) for event in self.events):
            return succeed(None)
        return self.awaited.setdefault(end, Deferred())

    def fifo(self):
        """
        Return a model file that never finishes loading.
        """
        path = os.path.abspath(self.mktemp())
        os.mkfifo(path)
        return path


class RealModelTests(RealProcessTestCase):
    """
    The provider with the real model.
    """

    def setUp(self):
        """
        Load the model.
        """
        super().setUp()
        self.connected = Deferred()
        self.provider = LocalModelProvider(
            settings=LocalModel(contextSize=512, threads=1, start="atOnce"),
            reactor=self.reactor,
            clock=self.reactor,
            connect=self.connect,
            environment=os.environ,
            log=self.log,
        )
        self.addCleanup(self.provider.close)
        self.http = HTTPClient(Agent(self.reactor))
        self.provider.start()
        self.pid = self.provider._chatEngine.process.transport.pid
        return self.connected

    def connect(self, baseURL, key):
        """
        Record the address of the model.
        """
        self.upstream = UpstreamInMemory(baseURL, key, None)
        # The provider still uses this.
        self.reactor.callLater(0, self.connected.callback, None)
        return self.upstream

    async def post(self, body, key=None):
        """
        Send an HTTP request to the model, by default with its key.

        @return: The status and the response.
        """
        key = self.upstream.key.reveal() if key is None else key
        response = await self.http.post(
            f"{self.upstream.baseURL}/chat/completions",
            json=body,
            headers={"Authorization": f"Bearer {key}"},
        )
        return response.code, await response.json()

    async def test_answers(self):
        """
        The model replies under the configured name.
        """
        question = [{"role": "user", "content": "Say hello."}]
        status, answer = await self.post({"messages": question, "max_tokens": 8})
        self.assertEqual(status, 200)
        self.assertEqual(answer["model"], LOCAL_MODEL)
        self.assertTrue(answer["choices"][0]["message"]["content"].strip())

    async def test_asksForTheKey(self):
        """
        Without the key, requests get 401.
        """
        status, _ = await self.post({"messages": []}, key="guessed")
        self.assertEqual(status, 401)

    async def test_eachConversationHasItsShare(self):
        """
        Each conversation has the configured context, and no more.
        """
        question = [{"role": "user", "content": "word " * 600}]
        status, answer = await self.post({"messages": question})
        self.assertEqual(status, 400)
        self.assertEqual(answer["error"]["n_ctx"], 512)

    async def test_keepsConfidences(self):
        """
        Messages and the key are not logged, even if llama.cpp would print them.
        """
        said = {"content": "xyzzy"}
        schema = {"type": "object", "properties": {"a": {"pattern": "xyzzy(("}}}
        wanted = {"type": "json_schema", "json_schema": {"schema": schema}}
        good = {"messages": [{"role": "user", **said}], "max_tokens": 1}
        bodies = [good, {"messages": [said]}, {**good, "response_format": wanted}]
        statuses = [(await self.post(body))[0] for body in bodies]
        self.assertEqual(statuses, [200, 500, 200])
        await self.logged("got exception")
        await self.provider.close()
        self.assertNotIn("xyzzy", repr(self.events))
        self.assertNotIn(self.upstream.key.reveal(), repr(self.events))

    async def test_isNotStoppedBySignalsToAll(self):
        """
        Ctrl-C in the daemon's terminal, and signals of a supervisor to all processes,
        do not end the model, which the daemon needs to drain.
        """
        for number in IGNORED_SIGNALS:
            os.kill(self.pid, number)
        status, _ = await self.post(
            {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
        )
        self.assertEqual(status, 200)

    async def test_closeLeavesNoProcess(self):
        """
        After closing the process has ended without being killed.
        """
        await self.provider.close()
        self.assertRaises(ProcessLookupError, os.kill, self.pid, 0)
        logged = [formatEvent(event) for event in self.events]
        self.assertEqual(logged[-1], "The embedded model is stopped")

    async def test_comesBackWhenKilled(self):
        """
        A killed process is restarted.
        """
        self.connected = Deferred()
        os.kill(self.pid, signal.SIGKILL)
        await self.connected
        self.assertNotEqual(self.provider._chatEngine.process.transport.pid, self.pid)
        status, _ = await self.post(
            {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
        )
        self.assertEqual(status, 200)


class RealEmbeddingTests(RealProcessTestCase):
    """
    The real model's embeddings.
    """

    def setUp(self):
        """
        Create a provider like the daemon.
        """
        super().setUp()
        providers = Providers(self.reactor, os.environ, self.log)
        local = LocalModel(contextSize=256, threads=1)
        providers.configure(Config(models=Models(local=local)))
        self.provider = providers.local
        self.addCleanup(self.provider.close)

    def embed(self, *inputs, **more):
        """
        Embed texts.
        """
        return self.provider.embed(EmbeddingRequest(LOCAL_MODEL, inputs, **more))

    async def test_meaning(self):
        """
        Texts of similar meaning have similar vectors, independent of the other texts;
        both formats are equivalent.
        """
        texts = [
            "The cat sleeps.",
            "A kitten is napping.",
            "Stock markets fell on Monday.",
        ]
        reply = await self.embed(*texts)
        self.assertGreater(reply.promptTokens, 8)
        cat, kitten, markets = map(unpackVector, reply.vectors)
        self.assertEqual(len(cat), 576)
        self.assertAlmostEqual(dot(cat, cat), 1, places=3)
        self.assertGreater(dot(cat, kitten), dot(cat, markets) + 0.05)
        coded = (await self.embed(texts[0], base64=True)).vectors[0]
        self.assertIsInstance(coded, bytes)
        self.assertGreater(dot(unpackVector(coded), cat), 0.999)

    async def test_tokens(self):
        """
        Tokens are accepted as inputs, except for unknown ones.
        """
        reply = await self.embed([1, 2, 3])
        self.assertEqual((len(reply.vectors), reply.promptTokens), (1, 3))
        await self.assertFailure(self.embed([10**6]), UpstreamRefused)

    async def test_limits(self):
        """
        Inputs that are too long, and other dimensions, are the caller's errors.
        """
        await self.assertFailure(self.embed("word " * 300), ContextTooLong)
        await self.assertFailure(self.embed("a", dimensions=64), InvalidRequest)
        reply = await self.embed("word " * 200, dimensions=576)
        self.assertEqual(len(reply.vectors), 1)


def dot(one, other):
    """
    Return the similarity of two vectors of length 1.
    """
    return sum(map(mul, one, other))


class RealStartTests(RealProcessTestCase):
    """
    Real processes before they are ready.
    """

    def spawn(self, model):
        """
        Start a process for this model.
        """
        order = EngineOrder(
            model=model,
            name="m",
            key="k",
            contextSize=512,
            maxTokens=64,
            packaged=False,
            parallel=1,
            threads=1,
        )
        process = ModelProcess(order=order, clock=self.reactor, log=self.log)
        process.spawn(self.reactor, os.environ)
        return process

    async def test_aFileThatIsNoModel(self):
        """
        A file of another kind is rejected, with llama.cpp's reason in the log.
        """
        process = self.spawn(__file__)
        self.assertIsNone(await process.listening)
        await process.ended
        errors = [
            formatEvent(event)
            for event in self.events
            if event["log_level"] is LogLevel.error
        ]
        self.assertIn("The embedded model can't be run: ", "".join(errors))
        self.assertIn(f"failed to load model, '{__file__}'", "".join(errors))

    async def test_stopsWhileItLoads(self):
        """
        A process that never finishes loading can be stopped without being killed.
        """
        process = self.spawn(self.fifo())
        process.stop()
        await process.ended
        logged = [formatEvent(event) for event in self.events]
        self.assertEqual(logged[-1], "The embedded model is stopped")
        self.assertEqual([line for line in logged if "killed" in line], [])


class OrphanTests(RealProcessTestCase):
    """
    The process ends with the daemon, even if that is killed.
    """

    if not hasattr(os, "pidfd_open"):
        skip = "needs pidfd_open to watch a process that is no child"

    async def killedWhen(self, state, model):
        """
        Run a daemon until it prints C{state}, kill it, and wait for the end of its
        model's process.
        """
        parent = Parent()
        begun, reached = parent.line(str.isdigit), parent.line(state.__eq__)
        self.reactor.spawnProcess(
            parent,
            sys.executable,
            [sys.executable, "-m", "tests.models.killable_daemon", model],
            env=os.environ,
            path=str(ROOT),
            childFDs={0: "w", 1: "r", 2: 2},
        )
        watch = DeathWatch(self.reactor, int(await begun))
        await reached
        self.assertFalse(watch.died.called)
        parent.transport.signalProcess("KILL")
        await DeferredList([parent.ended, watch.died])

    async def test_killedWhenReady(self):
        """
        After C{kill -9} of a daemon with a loaded model.
        """
        await self.killedWhen(READY, str(Weights(modelPath=None).path()))

    async def test_killedWhileLoading(self):
        """
        After C{kill -9} during loading.
        """
        await self.killedWhen(LOADING, self.fifo())
