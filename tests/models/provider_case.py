"""
The test case of providers and of their codecs.
"""

from twisted.logger import Logger, eventAsText
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from openclaw.config import Secret
from openclaw.errors import OpenClawError
from openclaw.events import ModelEvent, ModelListener
from openclaw.interfaces import IModelCall, IModelProvider, ModelRequest
from openclaw.messages import UserMessage
from openclaw.models.call_phases import Timeouts
from openclaw.models.dialects.openai_completions.response import OpenAICompletions
from openclaw.models.provider import HTTPModelProvider
from openclaw.net.http_pool import HTTPPool
from openclaw.testing import ScriptedModelServer, ServedCall
from tests.models.memory_network import Network, RawServer, siteOf

KEY = "hush-7/4+b=="
"""
A provider's key that matches no pattern.
"""


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
"""
The head of a response, for a L{RawServer}.
"""

HELLO = b'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n'
"""
The first text of a reply.
"""

DONE = b"data: [DONE]\n\n"
"""
The end of a reply.
"""

COUNTED = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'
"""
The usage of a reply, which precedes the end.
"""


class ProviderTestCase(SynchronousTestCase):
    """
    A provider, and the model's server at the other end of a L{Network}.

    @ivar model: The server, to whose calls the test replies.
    @ivar events: The events that the listener got.
    @ivar logged: The formatted log.
    """

    timeouts = Timeouts(connect=10, idle=60)

    def setUp(self) -> None:
        self.network = Network()
        self.model = ScriptedModelServer()
        self.network.listen(80, siteOf(self.model))
        self.events: list[ModelEvent] = []
        self.logged: list[str] = []
        self.provider = self.makeProvider()

    def tearDown(self) -> None:
        """
        Assert that the key was not logged.
        """
        self.assertNotIn(KEY, "\n".join(self.logged))

    def makeProvider(self, url: str = "http://model.test/v1") -> IModelProvider:
        """
        Return a provider with separate connections.
        """
        dialect = OpenAICompletions()
        return HTTPModelProvider(
            name="vendor",
            baseURL=url,
            dialect=dialect,
            headers=Headers(
                {name: [value] for name, value in dialect.headers(Secret(KEY))}
            ),
            agent=HTTPPool(self.network),
            timeouts=self.timeouts,
            reactor=self.network,
            log=Logger(observer=lambda event: self.logged.append(eventAsText(event))),
        )

    def serveRaw(self) -> RawServer:
        """
        Replace the server by a L{RawServer}.
        """
        server = RawServer()
        self.network.listen(80, server)
        return server

    def ask(self, listener: ModelListener | None = None) -> IModelCall:
        """
        Make a call without delivering any data.
        """
        question = ModelRequest("some-model", "", [UserMessage("Hello?")])
        return self.provider.ask(question, listener or self.events.extend)

    def asked(self, listener: ModelListener | None = None) -> IModelCall:
        """
        Make a call, and deliver the request.
        """
        call = self.ask(listener)
        self.network.flush()
        return call

    @property
    def served(self) -> ServedCall:
        """
        Return the latest call at the server.
        """
        return self.model.calls[-1]

    @property
    def text(self) -> str:
        """
        Return the text of all events.
        """
        return "".join(event.text for event in self.events)

    def failureOf(
        self, call: IModelCall, kind: type[OpenClawError] = OpenClawError
    ) -> OpenClawError:
        """
        Return the error of a call, which has the provider's name and not its key.
        """
        error = self.failureResultOf(call.done, kind).value
        self.assertIs(type(error), kind)
        self.assertNotIn(KEY, error.message)
        return error

    def assertNothingLeft(self) -> None:
        """
        Assert that every socket is closed and no delayed call is left.
        """
        self.network.flush()
        self.assertEqual(self.network.open, [])
        self.assertEqual(self.network.getDelayedCalls(), [])

    def assertCloses(self) -> None:
        """
        Assert that closing the provider closes everything.
        """
        closing = self.provider.close()
        self.network.flush()
        self.successResultOf(closing)
        self.assertNothingLeft()


__all__ = ["COUNTED", "DONE", "HEAD", "HELLO", "KEY", "ProviderTestCase"]
