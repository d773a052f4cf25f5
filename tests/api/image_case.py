"""
A gateway that fetches images from an Internet in memory.
"""

from base64 import b64encode

from openclaw.messages import ImagePart
from tests.api.test_request_images import URL, body
from tests.models.memory_network import RawServer
from tests.server.memory_gateway import GatewayTestCase, configOf
from tests.server.memory_internet import Internet

PICTURE = "http://site.example/a.png"
SECOND = "messages[0].content[2].image_url.url"
WORDS = "Invalid `{}`: the image can't be downloaded."


def partOf(data, kind="image/png"):
    """
    Return an image as the model gets it.
    """
    return ImagePart(kind, b64encode(data).decode())


def page(data, status="200 OK", **headers):
    """
    Return an HTTP response.
    """
    given = {"content_type": "image/png", "content_length": len(data), **headers}
    lines = "".join(
        f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items()
    )
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + data


class RemoteTestCase(GatewayTestCase):
    """
    A gateway that fetches images, and an Internet with a server.

    @ivar net: The Internet.
    @ivar server: The server, whose responses come from the test.
    """

    images: dict[str, object] = {}
    fetch: dict[str, object] = {}

    def setUp(self):
        super().setUp()
        self.fetching(**self.images)

    def fetching(self, **images):
        """
        Start a gateway with this configuration.
        """
        self.net = Internet()
        self.server = RawServer()
        self.net.listen(80, self.server)
        config = configOf(
            endpoint={"images": {"allowUrl": True, **images}},
            tools={"web": {"fetch": self.fetch}},
            models=[
                {"id": "one", "input": ["text", "image"]},
                {"id": "blind", "input": ["text"]},
            ],
        )
        self.gateway = self.start(config=config, clock=self.net)

    def post(self, *urls, **fields):
        """
        Send a request with images, and deliver all bytes.
        """
        caller = self.gateway.post({**body(*urls), **fields})
        self.net.flush()
        return caller

    def serve(self, *answers):
        """
        Let the server respond on its latest connection.
        """
        for answer in answers:
            self.server.write(answer)
            self.net.flush()

    def assertNotHad(self, caller, code="failed_to_download_image", param=URL):
        """
        Assert that the error names the image, that the model was not called, and that
        no connection is left.

        @return: The response.
        """
        answer = caller.answer
        self.assertRefused(answer, 400, code, param)
        self.assertEqual(self.gateway.provider.calls, [])
        self.assertEqual(self.gateway.runtime.runs, {})
        self.net.flush()
        self.assertEqual(self.net.open, [])
        if code == "failed_to_download_image":
            self.assertEqual(answer.error["message"], WORDS.format(param))
        return answer


__all__ = ["PICTURE", "SECOND", "RemoteTestCase", "page", "partOf"]
