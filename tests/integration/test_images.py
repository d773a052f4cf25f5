"""
Images that clients give by URL, and the daemon fetches.
"""

from base64 import b64encode
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from tests.integration.daemon import Daemon
from tests.integration.daemon_case import DaemonTestCase

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2000


def pictures(*urls: str) -> list[dict[str, Any]]:
    """
    Return messages with images.
    """
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    text = {"type": "text", "text": "What is this?"}
    return [{"role": "user", "content": [text, *parts]}]


class Pictures(Resource):
    """
    A server of images.

    @ivar asked: The requested paths.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Request] = []
        self.coming: Deferred[None] = Deferred()
        self.left: Deferred[None] = Deferred()

    def render_GET(self, request: Request) -> int | bytes:
        """
        Respond, except for C{/never}.
        """
        self.asked.append(request)
        if request.path == b"/moved.png":
            request.redirect(b"/a.png")
            return b""
        if request.path == b"/never":
            request.notifyFinish().addErrback(lambda _: self.left.callback(None))
            self.coming.callback(None)
            return NOT_DONE_YET
        # By this type no browser would take it for an image.
        request.setHeader(b"content-type", b"text/plain")
        return PNG if request.path == b"/a.png" else b"<html>"


class ImageTests(DaemonTestCase):
    """
    A daemon, and a server with images on the same machine.
    """

    def setUp(self) -> None:
        """
        Start the server.
        """
        super().setUp()
        self.pictures = Pictures()
        site = Site(self.pictures, reactor=Clock())
        listening: Any = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(listening.stopListening)
        self.port = listening.getHost().port
        self.base = f"http://127.0.0.1:{self.port}"

    async def fetching(self, allowPrivate: bool = True, **images: Any) -> Daemon:
        """
        Start a daemon that fetches images from that port.
        """
        endpoint = {"enabled": True, "images": {"allowUrl": True, **images}}
        reach = {"allowPrivate": allowPrivate, "ports": [self.port]}
        config = self.configure(
            {
                "gateway": {"http": {"endpoints": {"chatCompletions": endpoint}}},
                "tools": {"web": {"fetch": reach}},
            }
        )
        return await self.startDaemon(config=config)

    async def test_fetched(self) -> None:
        """
        The model gets the image in place of its URL.
        """
        self.upstream.says("A dot.")
        caller = self.caller(await self.fetching())
        expected = f"data:image/png;base64,{b64encode(PNG).decode()}"
        for stream in (False, True):
            answer = await caller.ask(
                "",
                stream=stream,
                messages=pictures(f"{self.base}/a.png", f"{self.base}/moved.png"),
            )
            self.assertEqual(answer.status, 200)
            self.assertEqual(await answer.words(), "A dot.")
            said = self.upstream.calls[-1].body["messages"][-1]
            urls = [part["image_url"]["url"] for part in said["content"][1:]]
            self.assertEqual(urls, [expected, expected])
        self.assertEqual(len(self.pictures.asked), 6)
        for request in self.pictures.asked:
            self.assertIsNone(request.getHeader("authorization"))

    async def test_refused(self) -> None:
        """
        An unusable image is the client's error: not an image, too large, or from a host
        that is not allowed.
        """
        daemon = await self.fetching(
            maxBytes=len(PNG) - 1, urlAllowlist=["127.0.0.1", "a.example"]
        )
        caller = self.caller(daemon)
        for url, code in [
            (f"{self.base}/page", "unsupported_image_media_type"),
            (f"{self.base}/a.png", "image_too_large"),
            (f"http://localhost:{self.port}/a.png", "invalid_image_url"),
            ("http://a.example/a.png", "invalid_image_url"),
        ]:
            answer = await caller.ask("", messages=pictures(url))
            self.assertEqual(answer.status, 400)
            error = (await answer.json())["error"]
            self.assertEqual(error["code"], code)
            self.assertEqual(error["param"], "messages[0].content[1].image_url.url")
        self.assertEqual(self.upstream.calls, [])

    async def test_guarded(self) -> None:
        """
        By default, nothing on this machine can be reached or detected.
        """
        caller = self.caller(await self.fetching(allowPrivate=False))
        told = set()
        for host in ("127.0.0.1", "localhost", "2130706433", "nobody.invalid"):
            url = f"http://{host}:{self.port}/a.png"
            answer = await caller.ask("", messages=pictures(url))
            self.assertEqual(answer.status, 400)
            told.add(await answer.whole())
        self.assertEqual(len(told), 1)
        self.assertIn("failed_to_download_image", told.pop())
        self.assertEqual(self.pictures.asked, [])

    async def test_gone(self) -> None:
        """
        A disconnect ends the fetch.
        """
        daemon = await self.fetching()
        connection = await self.caller(daemon).connect(
            "", messages=pictures(f"{self.base}/never")
        )
        await self.pictures.coming
        connection.close()
        await self.pictures.left
        self.assertEqual(self.upstream.calls, [])

    async def test_large(self) -> None:
        """
        Many megabytes of images inside the request are accepted, while others are
        served.
        """
        self.upstream.says("A dot.")
        caller = self.caller(await self.fetching())
        large = PNG + bytes(9 * 1024 * 1024)
        url = f"data:image/png;base64,{b64encode(large).decode()}"
        answers = [caller.ask("", messages=pictures(url)), caller.ask("Hello.")]
        for answer in [Deferred.fromCoroutine(each) for each in answers]:
            self.assertEqual(await (await answer).words(), "A dot.")
        sizes = sorted(len(str(call.body["messages"])) for call in self.upstream.calls)
        self.assertLess(sizes[0], 2000)
        self.assertGreater(sizes[1], len(url))
