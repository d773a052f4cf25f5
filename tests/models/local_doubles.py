"""
Doubles for the tests of L{openclaw.models.local}: a reactor's processes, and the
provider at the other end, in memory.
"""

from importlib.machinery import ModuleSpec
from pathlib import Path

import msgspec
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import (
    ProcessDone,
    ProcessExitedAlready,
    ProcessTerminated,
)
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from openclaw.config import LOCAL_MODEL, LocalModel, Secret
from openclaw.errors import RunCancelled
from openclaw.events import ModelListener
from openclaw.interfaces import (
    EmbeddingReply,
    EmbeddingRequest,
    IEmbedder,
    IModelCall,
    IModelProvider,
    ModelReply,
    ModelRequest,
)
from openclaw.messages import NO_USAGE, UserMessage
from openclaw.models.local.engine_messages import (
    RESPONSE,
    STDERR,
    EngineListening,
    EngineOrder,
    EngineRefused,
)
from openclaw.models.local.local_provider import LocalModelProvider
from openclaw.models.local.weights import ENGINE, WEIGHTS, WEIGHTS_FILE
from openclaw.testing import ScriptedEmbedding

QUESTION = ModelRequest(model=LOCAL_MODEL, system="", messages=[UserMessage("Hello.")])
REPLY = ModelReply(text="Hi.", finishReason="stop", usage=NO_USAGE)


@implementer(IProcessTransport)
class ChildInMemory:
    """
    A process as the daemon sees it.  What it does, the test says.

    @ivar signals: Those it was sent.
    @ivar stdinOpen: Does the daemon still hold the other end of its stdin?
    """

    pid = 4711

    def __init__(self, protocol, args, env, childFDs):
        self.protocol = protocol
        self.args = args
        self.env = env
        self.childFDs = childFDs
        self.written = b""
        self.signals = []
        self.stdinOpen = True
        self.closedFDs = []
        self.ended = False

    def write(self, data):
        """
        The daemon writes to stdin.
        """
        self.written += data

    def writeToChild(self, childFD, data):
        """
        The daemon writes to a descriptor.
        """
        raise NotImplementedError

    def closeStdin(self):
        """
        The daemon lets go of stdin.
        """
        self.stdinOpen = False

    def closeChildFD(self, descriptor):
        """
        The daemon lets go of a descriptor.
        """
        self.closedFDs.append(descriptor)

    def closeStdout(self):
        """
        Not done by the daemon.
        """
        raise NotImplementedError

    def closeStderr(self):
        """
        Not done by the daemon.
        """
        raise NotImplementedError

    def loseConnection(self):
        """
        Not done by the daemon.
        """
        raise NotImplementedError

    def signalProcess(self, signalID):
        """
        The daemon sends a signal.
        """
        if self.ended:
            raise ProcessExitedAlready()
        self.signals.append(signalID)

    def order(self):
        """
        Return the order that the process got.
        """
        return msgspec.json.decode(self.written, type=EngineOrder)

    def says(self, data):
        """
        Write to the descriptor for the answer.
        """
        self.protocol.childDataReceived(RESPONSE, data)

    def listens(self, address="http://127.0.0.1:9"):
        """
        Tell the daemon that the model is loaded.
        """
        self.says(msgspec.json.encode(EngineListening(address)) + b"\n")

    def refuses(self, reason="It is broken."):
        """
        Tell the daemon that the model can't be run.
        """
        self.says(msgspec.json.encode(EngineRefused(reason)) + b"\n")

    def prints(self, text, childFD=STDERR):
        """
        Write to the log.
        """
        self.protocol.childDataReceived(childFD, text)

    def ends(self, status=0, signal=None):
        """
        End, and be reaped.
        """
        self.ended = True
        well = status == 0 and signal is None
        reason = ProcessDone(0) if well else ProcessTerminated(status, signal)
        self.protocol.processEnded(Failure(reason))


@implementer(IReactorProcess)
class ProcessesInMemory:
    """
    Starts L{ChildInMemory}s.

    @ivar children: Those it has started, oldest first.
    @ivar error: What the operating system says instead, if anything.
    """

    def __init__(self):
        self.children = []
        self.error = None

    def spawnProcess(
        self,
        processProtocol,
        executable,
        args=(),
        env=None,
        path=None,
        uid=None,
        gid=None,
        usePTY=False,
        childFDs=None,
    ):
        """
        Start one.
        """
        if self.error is not None:
            raise self.error
        child = ChildInMemory(processProtocol, args, env, childFDs)
        self.children.append(child)
        processProtocol.makeConnection(child)
        return child


@implementer(IModelCall)
class CallInMemory:
    """
    A call under way.

    @ivar paused: Is it paused?
    @ivar cancelled: Was it cancelled?
    """

    def __init__(self, request, listener):
        self.done = Deferred()
        self.usage = NO_USAGE
        self.ignoredParams = ()
        self.request = request
        self.listener = listener
        self.paused = False
        self.cancelled = False

    def cancel(self):
        """
        Give up.
        """
        self.cancelled = True
        if not self.done.called:
            self.done.errback(RunCancelled("Cancelled."))

    def pauseProducing(self):
        """
        Pause.
        """
        self.paused = True

    def resumeProducing(self):
        """
        Go on.
        """
        self.paused = False

    def stopProducing(self):
        """
        Give up.
        """
        self.cancel()


@implementer(IModelProvider, IEmbedder)
class UpstreamInMemory:
    """
    The provider that talks to a process.

    @ivar calls: All that were made.
    @ivar embeddings: All that were made for embeddings.
    @ivar error: What C{ask} raises the next time, if anything.
    @ivar closed: Was it told to close?
    @ivar closing: What C{close} returns.
    """

    name = "local"

    def __init__(self, baseURL, key, error):
        self.baseURL = baseURL
        self.key = key
        self.calls = []
        self.embeddings = []
        self.error = error
        self.closed = False
        self.closing = succeed(None)

    def ask(self, request: ModelRequest, listener: ModelListener) -> IModelCall:
        """
        Make a call, or raise the error once.
        """
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        call = CallInMemory(request, listener)
        self.calls.append(call)
        return call

    def embed(self, request: EmbeddingRequest) -> "Deferred[EmbeddingReply]":
        """
        Make a call for embeddings.
        """
        call = ScriptedEmbedding(request)
        self.embeddings.append(call)
        return call.done

    def close(self):
        """
        Close.
        """
        self.closed = True
        return self.closing


class LocalModelTestCase(SynchronousTestCase):
    """
    Makes a provider of the embedded model, with all that it needs in memory.

    @ivar upstreams: One for each process that became ready.
    @ivar missing: The packages that are not installed.
    @ivar bug: What the first call of each process raises, if anything.
    """

    def setUp(self):
        """
        The engine and the weights are installed; nothing runs.
        """
        self.clock = Clock()
        self.processes = ProcessesInMemory()
        self.upstreams = []
        self.events = []
        self.missing = set()
        self.bug = None
        self.packages = Path(self.mktemp())
        self.packages.mkdir()
        self.weights = self.packages / WEIGHTS_FILE
        self.weights.write_bytes(b"GGUF")

    def makeProvider(self, **settings):
        """
        A provider with these settings.
        """
        return LocalModelProvider(
            settings=LocalModel(**settings),
            reactor=self.processes,
            clock=self.clock,
            connect=self.connect,
            environment={"PATH": "/bin", "OPENCLAW_GATEWAY_TOKEN": "t0p"},
            log=Logger(namespace="local", observer=self.events.append),
            findSpec=self.findSpec,
            retryPolicy=lambda failures: 10.0 * (failures + 1),
        )

    def connect(self, baseURL: str, key: Secret) -> UpstreamInMemory:
        """
        Stands in for the real provider of the process's API.
        """
        upstream = UpstreamInMemory(baseURL, key, self.bug)
        self.upstreams.append(upstream)
        return upstream

    def findSpec(self, name):
        """
        Find a package in the pretended installation.
        """
        if name in self.missing:
            return None
        self.assertIn(name, (ENGINE, WEIGHTS))
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations.append(str(self.packages))
        return spec

    def ask(self, provider, request=QUESTION):
        """
        Ask, with no interest in the events.  A failure that a test does not look
        at is none of its business.
        """
        call = provider.ask(request, lambda events: None)
        self.addCleanup(call.done.addErrback, lambda failure: None)
        return call

    @property
    def child(self):
        """
        The latest process.
        """
        return self.processes.children[-1]

    @property
    def upstream(self):
        """
        The provider that talks to the latest process that became ready.
        """
        return self.upstreams[-1]

    def lines(self, *levels):
        """
        The log's lines of these levels (all, if none is named).
        """
        return [
            formatEvent(event)
            for event in self.events
            if not levels or event["log_level"].name in levels
        ]
