"""
A model provider on the network, to whose calls tests reply.
"""

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import Clock
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.server import Site

from openclaw.testing import ScriptedModelServer, ServedCall


class _Connections(WrappingFactory):
    """
    A site that tracks its connections.
    """

    noisy = False

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._awaitingNone: list[Deferred[None]] = []

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        super().unregisterProtocol(p)
        if not self.protocols:
            awaiting, self._awaitingNone = self._awaitingNone, []
            for none in awaiting:
                none.callback(None)

    def none(self) -> "Deferred[None]":
        """
        Wait until no connection is open.
        """
        if not self.protocols:
            return succeed(None)
        awaiting: Deferred[None] = Deferred()
        self._awaitingNone.append(awaiting)
        return awaiting

    def closeAll(self) -> "Deferred[None]":
        """
        Abort the connections.
        """
        for protocol in list(self.protocols):
            protocol.abortConnection()
        return self.none()


class Upstream(ScriptedModelServer):
    """
    A listening L{ScriptedModelServer}.

    @ivar url: Its base URL for a configuration.
    """

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        # By this clock no connection is idle for too long.
        self._connections = _Connections(Site(self, reactor=Clock()))
        self._port: IListeningPort = reactor.listenTCP(
            0, self._connections, interface="127.0.0.1"
        )
        self.url = f"http://127.0.0.1:{self._port.getHost().port}/v1"

    def says(self, *texts: str) -> None:
        """
        From now on reply to each call immediately with these pieces.
        """

        def answer(call: ServedCall) -> None:
            call.say(*texts)
            call.finish(usage={"prompt_tokens": 7, "completion_tokens": 3})

        self.answer = answer

    def heard(self, index: int = -1) -> Sequence[tuple[str, str]]:
        """
        Return the conversation of a call, without the system prompt: roles and texts.
        """
        return [
            (message["role"], message["content"])
            for message in self.calls[index].body["messages"]
            if message["role"] != "system"
        ]

    def left(self) -> "Deferred[None]":
        """
        Wait until no client is connected.
        """
        return self._connections.none()

    def close(self) -> "Deferred[object]":
        """
        Stop listening and close all connections.
        """
        return gatherResults([self._port.stopListening(), self._connections.closeAll()])


__all__ = ["Upstream"]
