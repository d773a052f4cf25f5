"""
The test case of request bodies.
"""

import msgspec

from tests.server.memory_gateway import COMPLETIONS, HELLO, GatewayTestCase, configOf

WRONG = ("Authorization", "Bearer wrong")
CHUNKED = ("Transfer-Encoding", "chunked")
EXPECT = ("Expect", "100-continue")
BODY = msgspec.json.encode(HELLO)
LIMIT = 2048
BODY_SECONDS = 10


def length(count):
    """
    The header for a body of so many bytes.
    """
    return ("Content-Length", str(count))


def chunk(data):
    """
    A chunk of a chunked body.
    """
    return b"%x\r\n%s\r\n" % (len(data), data)


class BodyTestCase(GatewayTestCase):
    """
    A gateway with small limits, and a connection to it.
    """

    def setUp(self):
        """
        Connect.
        """
        super().setUp()
        self.gateway = self.start(
            config=configOf(
                endpoint={"maxBodyBytes": LIMIT, "bodyTimeoutSeconds": BODY_SECONDS}
            )
        )
        self.caller = self.gateway.connect()

    def begin(self, *headers, path=COMPLETIONS):
        """
        Send the head of a request whose body comes later.
        """
        self.caller.ask("POST", path, headers)

    @property
    def request(self):
        """
        The request in progress.
        """
        [request] = [
            request
            for connection in self.gateway.site.connections
            if connection.transport is self.caller.line
            for request in connection.requests
        ]
        return request

    @property
    def buffered(self):
        """
        The bytes of its body that the gateway keeps.
        """
        return self.request.body()

    def wait(self, seconds):
        """
        Let time pass.
        """
        self.gateway.clock.advance(seconds)
        self.caller.line.settle()

    def assertAnswered(self):
        """
        Assert that the request was answered with the model's words.
        """
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertEqual(self.caller.answer.status, 200)
        self.assertEqual(self.caller.answer.text, "Yes?")


__all__ = [
    "BODY",
    "BODY_SECONDS",
    "CHUNKED",
    "EXPECT",
    "LIMIT",
    "WRONG",
    "BodyTestCase",
    "chunk",
    "length",
]
