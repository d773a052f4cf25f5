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
A provider's key, such as no pattern would know for one.
"""


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
"""
The beginning of an answer, as a L{RawServer} has to write it.
"""

HELLO = b'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n'
"""
The first word of one.
"""

DONE = b"data: [DONE]\n\n"
"""
The end of one.
"""

COUNTED = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}\n\n'
"""
The usage of one, as it comes before the end.
"""


class ProviderTestCase(SynchronousTestCase):
    """
    A provider, and the model's server at the other end of a L{Network}.

    @ivar model: The server, whom the test plays.
    @ivar events: What the listener was told.
    @ivar logged: What was logged, formatted.
    """

    timeouts = Timeouts(connect=10, idle=60)

    def setUp(self) -> None:
        """
        Put a provider and a model into a network.
        """
        self.network = Network()
        self.model = ScriptedModelServer()
        self.network.listen(80, siteOf(self.model))
        self.events: list[ModelEvent] = []
        self.logged: list[str] = []
        self.provider = self.makeProvider()

    def tearDown(self) -> None:
        """
        Whatever happened, the key was not logged.
        """
        self.assertNotIn(KEY, "\n".join(self.logged))

    def makeProvider(self, url: str = "http://model.test/v1") -> IModelProvider:
        """
        A provider with connections of its own.
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
        Have a server from now on that does nothing by itself.
        """
        server = RawServer()
        self.network.listen(80, server)
        return server

    def ask(self, listener: ModelListener | None = None) -> IModelCall:
        """
        Ask the model.  Nothing has moved yet.
        """
        question = ModelRequest("some-model", "", [UserMessage("Hello?")])
        return self.provider.ask(question, listener or self.events.extend)

    def asked(self, listener: ModelListener | None = None) -> IModelCall:
        """
        Ask the model, and let the question arrive.
        """
        call = self.ask(listener)
        self.network.flush()
        return call

    @property
    def served(self) -> ServedCall:
        """
        The latest call as the model sees it.
        """
        return self.model.calls[-1]

    @property
    def text(self) -> str:
        """
        The answer so far, as it was told.
        """
        return "".join(event.text for event in self.events)

    def failureOf(
        self, call: IModelCall, kind: type[OpenClawError] = OpenClawError
    ) -> OpenClawError:
        """
        The error of a call, which names the provider but never its key.
        """
        error = self.failureResultOf(call.done, kind).value
        self.assertIs(type(error), kind)
        self.assertNotIn(KEY, error.message)
        return error

    def assertNothingLeft(self) -> None:
        """
        Assert that every socket is closed and no call is delayed.
        """
        self.network.flush()
        self.assertEqual(self.network.open, [])
        self.assertEqual(self.network.getDelayedCalls(), [])

    def assertCloses(self) -> None:
        """
        Assert that the provider lets go of everything when it is told to.
        """
        closing = self.provider.close()
        self.network.flush()
        self.successResultOf(closing)
        self.assertNothingLeft()


__all__ = ["COUNTED", "DONE", "HEAD", "HELLO", "KEY", "ProviderTestCase"]
