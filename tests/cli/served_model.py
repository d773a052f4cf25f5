"""
A model on the network, to whose calls tests reply, and a state directory with its
configuration.
"""

from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.trial.unittest import TestCase
from twisted.web.server import Site

from openclaw.testing import ScriptedModelServer, ServedCall


class Connections(WrappingFactory):
    """
    A factory that tracks its connections.

    @ivar allGone: Fires after C{close}, when all connections are closed.
    """

    noisy = False

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.allGone: Deferred[None] = Deferred()
        self._closing = False

    def close(self) -> Deferred[None]:
        """
        Abort the open connections.
        """
        self._closing = True
        for connection in list(self.protocols):
            connection.transport.abortConnection()
        self._check()
        return self.allGone

    def unregisterProtocol(self, connection: ProtocolWrapper) -> None:
        super().unregisterProtocol(connection)
        self._check()

    def _check(self) -> None:
        if self._closing and not self.protocols and not self.allGone.called:
            self.allGone.callback(None)


class ServedTestCase(TestCase):
    """
    A test case with a model server.

    @ivar model: The model server.
    @ivar state: A state directory, with a configuration for that model.
    @ivar environ: An environment with this state directory.
    """

    def setUp(self) -> None:
        """
        Serve the model, and write a configuration.
        """
        self.model = ScriptedModelServer()
        self.baseURL = self.serve(self.model)
        self.state = Path(self.mktemp()).absolute()
        self.state.mkdir()
        self.environ = {"OPENCLAW_STATE_DIR": str(self.state), "HOME": str(self.state)}
        self.configure()

    def serve(self, model: ScriptedModelServer) -> str:
        """
        Serve a model on a separate port until the end of the test.

        @return: The base URL of its API.
        """
        connections = Connections(Site(model))
        port = reactor.listenTCP(0, connections, interface="127.0.0.1")

        async def stop(port: IListeningPort = port) -> None:
            await port.stopListening()
            await connections.close()

        self.addCleanup(lambda: Deferred.fromCoroutine(stop()))
        return f"http://127.0.0.1:{port.getHost().port}/v1"

    def configure(self, more: str = "") -> Path:
        """
        Write the configuration.

        @param more: Further keys, in YAML.
        """
        path = self.state / "openclaw.yaml"
        path.write_text(
            "agents:\n"
            "  list: [{id: main}, {id: ops, systemPrompt: Be brief.}]\n"
            "  defaults: {model: served/m1}\n"
            f"models: {{providers: {{served: {{baseUrl: '{self.baseURL}'}}}}}}\n"
            f"{more}"
        )
        return path

    def answering(self, text: str) -> None:
        """
        Let the model reply to each call immediately.
        """

        def answer(call: ServedCall) -> None:
            call.say(*text.partition(" "))
            call.finish(usage={"prompt_tokens": 5, "completion_tokens": 2})

        self.model.answer = answer


__all__ = ["Connections", "ServedTestCase"]
