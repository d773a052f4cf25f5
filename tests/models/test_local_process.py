"""
Tests for L{openclaw.models.local} with real processes, and with the real model
where it is installed.
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
Seconds after which a test has failed; none needs more than a few.
"""

ROOT = Path(openclaw.__file__).parent.parent


def missing():
    """
    Why the real model can't be run here; C{None} if it can.
    """
    try:
        Weights(modelPath=None).path()
    except ModelUnavailable as error:
        return error.message
    return None


class DeathWatch:
    """
    Tells when a process, which need not be a child, has died.

    @ivar died: Fires with C{None}.
    """

    def __init__(self, reactor, pid):
        self.died = Deferred()
        self._reactor = reactor
        self._pidfd = os.pidfd_open(pid)
        reactor.addReader(self)

    def fileno(self):
        """
        Return the descriptor that becomes readable when the process dies.
        """
        return self._pidfd

    def logPrefix(self):
        """
        A name for the reactor's log.
        """
        return "death watch"

    def doRead(self):
        """
        It died.
        """
        self._reactor.removeReader(self)
        os.close(self._pidfd)
        self.died.callback(None)

    def connectionLost(self, reason):
        """
        The reactor gives up watching.
        """


class Parent(ProcessProtocol):
    """
    L{tests.models.killable_daemon} at work.

    @ivar ended: Fires when it is reaped.
    """

    def __init__(self):
        self.ended = Deferred()
        self._splitter = LineSplitter()
        self._awaited = {}

    def line(self, accept):
        """
        Fires with the first line from now on that C{accept} says yes to.
        """
        awaited = Deferred()
        self._awaited[awaited] = accept
        return awaited

    def outReceived(self, data):
        """
        It has something to say.
        """
        for line in self._splitter.feed(data):
            text = line.decode()
            for awaited, accept in list(self._awaited.items()):
                if accept(text):
                    del self._awaited[awaited]
                    awaited.callback(text)

    def processEnded(self, reason):
        """
        It is dead.
        """
        self.ended.callback(None)


class RealProcessTestCase(TestCase):
    """
    Works with real processes, on the real reactor.
    """

    timeout = PATIENCE
    skip = missing()

    def setUp(self):
        """
        Keep what is logged.
        """
        from twisted.internet import reactor

        self.reactor = reactor
        self.events = []
        self.awaited = {}
        self.log = Logger(namespace="local", observer=self.keep)

    def keep(self, event):
        """
        Something is logged.
        """
        self.events.append(event)
        line = formatEvent(event)
        for end in [each for each in self.awaited if line.endswith(each)]:
            self.awaited.pop(end).callback(None)

    def logged(self, end):
        """
        Wait until a line is logged that ends like this; it comes by another way than
        answers do.
        """
        if any(formatEvent(event).endswith(end) for event in self.events):
            return succeed(None)
        return self.awaited.setdefault(end, Deferred())

    def fifo(self):
        """
        A model file that takes for ever to load.
        """
        path = os.path.abspath(self.mktemp())
        os.mkfifo(path)
        return path


class RealModelTests(RealProcessTestCase):
    """
    The provider starts the real model, and stops it.
    """

    def setUp(self):
        """
        The model is ready.
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
        Learn where the model is.
        """
        self.upstream = UpstreamInMemory(baseURL, key, None)
        # The provider is not yet done with this.
        self.reactor.callLater(0, self.connected.callback, None)
        return self.upstream

    async def post(self, body, key=None):
        """
        Ask the model over HTTP, with its own key if none is given.

        @return: The status and the answer.
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
        The model answers in its own words, under the name that it was given.
        """
        question = [{"role": "user", "content": "Say hello."}]
        status, answer = await self.post({"messages": question, "max_tokens": 8})
        self.assertEqual(status, 200)
        self.assertEqual(answer["model"], LOCAL_MODEL)
        self.assertTrue(answer["choices"][0]["message"]["content"].strip())

    async def test_asksForTheKey(self):
        """
        Other users of the machine can't use the model: without the key it is 401.
        """
        status, _ = await self.post({"messages": []}, key="guessed")
        self.assertEqual(status, 401)

    async def test_eachConversationHasItsShare(self):
        """
        The context that is configured is there for each conversation, and no more.
        """
        question = [{"role": "user", "content": "word " * 600}]
        status, answer = await self.post({"messages": question})
        self.assertEqual(status, 400)
        self.assertEqual(answer["error"]["n_ctx"], 512)

    async def test_keepsConfidences(self):
        """
        Messages and the key stay out of the log, also when llama.cpp itself would print
        them.
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
        Ctrl-C in the daemon's terminal, or a supervisor that signals all of its
        processes, leaves the daemon its model to drain with.
        """
        for number in IGNORED_SIGNALS:
            os.kill(self.pid, number)
        status, _ = await self.post(
            {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
        )
        self.assertEqual(status, 200)

    async def test_closeLeavesNoProcess(self):
        """
        Once it is closed there is no such process, and nothing was killed.
        """
        await self.provider.close()
        self.assertRaises(ProcessLookupError, os.kill, self.pid, 0)
        logged = [formatEvent(event) for event in self.events]
        self.assertEqual(logged[-1], "The embedded model is stopped")

    async def test_comesBackWhenKilled(self):
        """
        A model that is killed is loaded anew.
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
    The real model embeds.
    """

    def setUp(self):
        """
        Have a provider as the daemon makes it.
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
        Texts of similar meaning have similar vectors, whatever stands beside them; both
        forms say the same.
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
        Tokens are taken too; those that the model does not have are not.
        """
        reply = await self.embed([1, 2, 3])
        self.assertEqual((len(reply.vectors), reply.promptTokens), (1, 3))
        await self.assertFailure(self.embed([10**6]), UpstreamRefused)

    async def test_limits(self):
        """
        Inputs that are too long, and dimensions that the model lacks, are the caller's
        mistakes.
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
    A real process before it is ready.
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
        A file of another kind is refused, and llama.cpp's reason is in the log.
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
        A model that loads for ever can be stopped, without being killed.
        """
        process = self.spawn(self.fifo())
        process.stop()
        await process.ended
        logged = [formatEvent(event) for event in self.events]
        self.assertEqual(logged[-1], "The embedded model is stopped")
        self.assertEqual([line for line in logged if "killed" in line], [])


class OrphanTests(RealProcessTestCase):
    """
    The process does not outlive the daemon, even one that is killed.
    """

    if not hasattr(os, "pidfd_open"):
        skip = "needs pidfd_open to watch a process that is no child"

    async def killedWhen(self, state, model):
        """
        Run a daemon until it says C{state}, kill it, and wait for the end of its
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
        C{kill -9} of a daemon whose model is ready leaves no process behind.
        """
        await self.killedWhen(READY, str(Weights(modelPath=None).path()))

    async def test_killedWhileLoading(self):
        """
        Nor does it while the model loads, however long that would have taken.
        """
        await self.killedWhen(LOADING, self.fifo())
