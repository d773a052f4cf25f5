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
    Return the header for a body of this length.
    """
    return ("Content-Length", str(count))


def chunk(data):
    """
    Return a chunk of a chunked body.
    """
    return b"%x\r\n%s\r\n" % (len(data), data)


class BodyTestCase(GatewayTestCase):
    """
    A test case with a gateway with low limits, and a connection to it.
    """

    def setUp(self):
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
        Return the request in progress.
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
        Return the buffered bytes of its body.
        """
        return self.request.body()

    def wait(self, seconds):
        """
        Advance the clock.
        """
        self.gateway.clock.advance(seconds)
        self.caller.line.settle()

    def assertAnswered(self):
        """
        Assert that the request got the model's reply.
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
