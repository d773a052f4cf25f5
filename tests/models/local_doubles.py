"""
Doubles for the tests of L{openclaw.models.local}: a reactor's processes, and the
provider that calls them, in memory.
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
    A process as the daemon sees it, controlled by the test.

    @ivar signals: The signals that it got.
    @ivar stdinOpen: Whether the daemon's end of its stdin is open.
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
        Record data for stdin.
        """
        self.written += data

    def writeToChild(self, childFD, data):
        """
        Record data for a descriptor.
        """
        raise NotImplementedError

    def closeStdin(self):
        """
        Record the closing of stdin.
        """
        self.stdinOpen = False

    def closeChildFD(self, descriptor):
        """
        Record the closing of a descriptor.
        """
        self.closedFDs.append(descriptor)

    def closeStdout(self):
        """
        Not used by the daemon.
        """
        raise NotImplementedError

    def closeStderr(self):
        """
        Not used by the daemon.
        """
        raise NotImplementedError

    def loseConnection(self):
        """
        Not used by the daemon.
        """
        raise NotImplementedError

    def signalProcess(self, signalID):
        """
        Record a signal.
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
        Write to the descriptor for replies.
        """
        self.protocol.childDataReceived(RESPONSE, data)

    def listens(self, address="http://127.0.0.1:9"):
        """
        Report that the model is loaded.
        """
        self.says(msgspec.json.encode(EngineListening(address)) + b"\n")

    def refuses(self, reason="It is broken.", missingLibrary=None):
        """
        Report that the model can't be loaded.
        """
        self.says(msgspec.json.encode(EngineRefused(reason, missingLibrary)) + b"\n")

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
    A reactor that starts L{ChildInMemory}s.

    @ivar children: The started ones, oldest first.
    @ivar error: The error of the operating system, if any.
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
        if self.error is not None:
            raise self.error
        child = ChildInMemory(processProtocol, args, env, childFDs)
        self.children.append(child)
        processProtocol.makeConnection(child)
        return child


@implementer(IModelCall)
class CallInMemory:
    """
    A call in progress.

    @ivar paused: Whether it is paused.
    @ivar cancelled: Whether it was cancelled.
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
        self.cancelled = True
        if not self.done.called:
            self.done.errback(RunCancelled("Cancelled."))

    def pauseProducing(self):
        self.paused = True

    def resumeProducing(self):
        self.paused = False

    def stopProducing(self):
        self.cancel()


@implementer(IModelProvider, IEmbedder)
class UpstreamInMemory:
    """
    The provider that calls a process.

    @ivar calls: All model calls.
    @ivar embeddings: All calls for embeddings.
    @ivar error: The next exception of C{ask}, if any.
    @ivar closed: Whether it was closed.
    @ivar closing: The result of C{close}.
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
        Make a call, or raise the exception once.
        """
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        call = CallInMemory(request, listener)
        self.calls.append(call)
        return call

    def embed(self, request: EmbeddingRequest) -> "Deferred[EmbeddingReply]":
        call = ScriptedEmbedding(request)
        self.embeddings.append(call)
        return call.done

    def close(self):
        self.closed = True
        return self.closing


class LocalModelTestCase(SynchronousTestCase):
    """
    A test case with a provider of the embedded model in memory.

    @ivar upstreams: One for each process that became ready.
    @ivar missing: The packages that are not installed.
    @ivar bug: The exception of each process's first call, if any.
    """

    def setUp(self):
        """
        Install the engine and the weights without starting a process.
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
        Return a provider with these settings.
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
        Return an upstream in place of the provider of the process's API.
        """
        upstream = UpstreamInMemory(baseURL, key, self.bug)
        self.upstreams.append(upstream)
        return upstream

    def findSpec(self, name):
        """
        Find a package in the simulated installation.
        """
        if name in self.missing:
            return None
        self.assertIn(name, (ENGINE, WEIGHTS))
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations.append(str(self.packages))
        return spec

    def ask(self, provider, request=QUESTION):
        """
        Make a call without reading its events or errors.
        """
        call = provider.ask(request, lambda events: None)
        self.addCleanup(call.done.addErrback, lambda failure: None)
        return call

    @property
    def child(self):
        """
        Return the latest process.
        """
        return self.processes.children[-1]

    @property
    def upstream(self):
        """
        Return the provider of the latest process that became ready.
        """
        return self.upstreams[-1]

    def lines(self, *levels):
        """
        Return the log lines of these levels (by default all).
        """
        return [
            formatEvent(event)
            for event in self.events
            if not levels or event["log_level"].name in levels
        ]
