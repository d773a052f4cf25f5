"""
A model on the network, played by the test, and a state directory that names it.
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
    Knows the connections of a server.

    @ivar allGone: Fires, once C{close} was called, when there is none any more.
    """

    noisy = False

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self.allGone: Deferred[None] = Deferred()
        self._closing = False

    def close(self) -> Deferred[None]:
        """
        Break the connections that are still there.
        """
        self._closing = True
        for connection in list(self.protocols):
            connection.transport.abortConnection()
        self._check()
        return self.allGone

    def unregisterProtocol(self, connection: ProtocolWrapper) -> None:
        """
        A connection is gone.
        """
        super().unregisterProtocol(connection)
        self._check()

    def _check(self) -> None:
        if self._closing and not self.protocols and not self.allGone.called:
            self.allGone.callback(None)


class ServedTestCase(TestCase):
    """
    A test case with a served model.

    @ivar model: The model.
    @ivar state: A state directory, with a configuration for that model.
    @ivar environ: An environment that names it.
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
        Serve a model on a port of its own until the end of the test.

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

        @param more: More of it, in YAML.
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
        Have the model answer each question at once.
        """

        def answer(call: ServedCall) -> None:
            call.say(*text.partition(" "))
            call.finish(usage={"prompt_tokens": 5, "completion_tokens": 2})

        self.model.answer = answer


__all__ = ["Connections", "ServedTestCase"]
