"""
Tests of L{openclaw.api.remote_images}: images that a request gives by URL.
"""

from openclaw.api.remote_images import SMALL_BYTES
from openclaw.api.request_images import MAX_IMAGES
from openclaw.messages import TextPart
from openclaw.net.fetching import HEADER_BYTES
from tests.api.image_case import PICTURE, SECOND, RemoteTestCase, page, partOf
from tests.api.test_request_images import IMAGES, PNG, URL, body, uri
from tests.server.memory_gateway import TOKEN
from tests.server.memory_internet import SITE

NOTES = ("x-openclaw-session-key", "notes")


class FetchedTests(RemoteTestCase):
    """
    Successful fetches.
    """

    def test_fetched(self):
        """
        The model gets the image as if it had been inside the request; the run starts
        after the fetch.
        """
        for fields in ({}, {"stream": True}):
            caller = self.post(PICTURE, **fields)
            self.assertEqual(self.gateway.runtime.runs, {})
            self.serve(page(PNG))
            [said] = self.gateway.call.request.messages
            self.assertEqual(said.content, (TextPart("What is this?"), partOf(PNG)))
            self.gateway.call.say("A dot.")
            self.gateway.call.finish()
            self.assertEqual(caller.answer.text, "A dot.")
            self.assertEqual(self.net.open, [])
        self.assertEqual(self.net.connected, [(SITE, 80)] * 2)

    def test_request(self):
        """
        The server gets nothing about the caller.
        """
        headers = [("Cookie", "a=b"), ("Referer", "http://x/")]
        self.gateway.post(body(f"{PICTURE}?c=d#e"), *headers)
        self.net.flush()
        asked = bytes(self.server.received[-1]).decode()
        lines = asked.split("\r\n")
        self.assertEqual(lines[0], "GET /a.png?c=d HTTP/1.1")
        names = {line.partition(":")[0].lower() for line in lines[1:] if line}
        self.assertEqual(
            names, {"host", "user-agent", "accept", "accept-encoding", "connection"}
        )
        self.assertNotIn(TOKEN, asked)
        self.serve(page(PNG))

    def test_kinds(self):
        """
        The media type is detected from the data; the server's content type is ignored.
        """
        for kind, data in IMAGES.items():
            self.post(PICTURE)
            self.serve(page(data, content_type="text/html"))
            [said] = self.gateway.call.request.messages
            self.assertEqual(said.images, (partOf(data, kind),))

    def test_allAtOnce(self):
        """
        All images are fetched concurrently, and replace their URLs.
        """
        urls = [f"http://site.example/{index}" for index in range(MAX_IMAGES - 1)]
        self.post(*urls[:3], uri(IMAGES["image/gif"]), *urls[3:])
        self.assertEqual(len(self.server.received), len(urls))
        for index in reversed(range(len(urls))):
            self.assertEqual(self.gateway.provider.calls, [])
            number = self.server.received[index].split()[1][-1:]
            self.net.links[index].server.write(page(PNG + number))
            self.net.flush()
        [said] = self.gateway.call.request.messages
        expected = [partOf(PNG + b"%d" % index) for index in range(len(urls))]
        expected.insert(3, partOf(IMAGES["image/gif"], "image/gif"))
        self.assertEqual(list(said.images), expected)

    def test_session(self):
        """
        The session stores the image, not its URL.
        """
        for name in ("first", "second"):
            self.gateway.post(body(f"http://site.example/{name}"), NOTES)
            self.net.flush()
            self.serve(page(PNG + name.encode()))
            self.gateway.call.say("A dot.")
            self.gateway.call.finish()
        kept = self.successResultOf(self.gateway.store.transcript("agent:main:notes"))
        self.assertEqual(kept[0].images, (partOf(PNG + b"first"),))
        self.assertEqual(kept[2].images, (partOf(PNG + b"second"),))

    def test_redirect(self):
        """
        Redirects are followed, without cookies of other hosts.
        """
        self.net.hosts["other.example"] = [SITE]
        self.post(PICTURE)
        elsewhere = {"location": "http://other.example/", "set_cookie": "a=b; Path=/"}
        self.serve(page(b"", "302 Found", **elsewhere))
        self.assertIn(b"Host: other.example", self.server.received[-1])
        self.assertNotIn(b"cookie", self.server.received[-1].lower())
        self.serve(page(PNG))
        [said] = self.gateway.call.request.messages
        self.assertEqual(said.images, (partOf(PNG),))

    def test_largest(self):
        """
        An image may be as large as the limit; it is encoded in a thread.
        """
        self.fetching(maxBytes=SMALL_BYTES + 10)
        data = PNG + bytes(SMALL_BYTES + 10 - len(PNG))
        self.post(PICTURE)
        self.serve(page(data))
        self.assertEqual(self.gateway.provider.calls, [])
        self.net.threads.run()
        [said] = self.gateway.call.request.messages
        self.assertEqual(said.images, (partOf(data),))

    def test_off(self):
        """
        By default nothing is fetched.
        """
        self.fetching(allowUrl=False)
        answer = self.post(PICTURE).answer
        self.assertRefused(answer, 400, None, URL)
        self.assertIn("expected a base64 data URI", answer.error["message"])
        self.assertEqual(self.net.connected, [])


class BoundsTests(RemoteTestCase):
    """
    Limits of size and time.
    """

    images = {"maxBytes": 1000, "timeoutSeconds": 3}

    def test_tooLarge(self):
        """
        No more than the limit is read, whatever length the server declares.
        """
        for headers in ({}, {"content_length": 10**9}):
            caller = self.post(PICTURE)
            self.serve(page(PNG + bytes(1001), **headers))
            answer = self.assertNotHad(caller, "image_too_large")
            self.assertIn("1000 bytes", answer.error["message"])

    def test_endlessHeaders(self):
        """
        The response's headers are limited, too.
        """
        caller = self.post(PICTURE)
        self.serve(b"HTTP/1.1 200 OK\r\n")
        for _ in range(HEADER_BYTES // 8000 + 2):
            if self.net.open:
                self.serve(b"A: " + b"a" * 8000 + b"\r\n")
        self.assertNotHad(caller)

    def test_dataURI(self):
        """
        The limit also applies to images inside the request.
        """
        answer = self.post(uri(PNG + bytes(1000))).answer
        self.assertRefused(answer, 400, "image_too_large", URL)

    def test_cutShort(self):
        """
        A truncated image is an error.
        """
        caller = self.post(PICTURE)
        self.serve(page(PNG, content_length=900))
        self.server.close()
        self.net.flush()
        self.assertNotHad(caller)

    def test_noImage(self):
        """
        Data that is not an image is an error, whatever its content type.
        """
        caller = self.post(PICTURE)
        self.serve(page(b"<html>"))
        self.assertNotHad(caller, "unsupported_image_media_type")

    def test_tooSlow(self):
        """
        The time limit is for the whole fetch: a server that sends slowly gets no more.
        """
        caller = self.post(PICTURE)
        self.serve(page(PNG, content_length=900))
        for _ in range(5):
            self.net.wait(0.5)
            self.serve(b"x")
        self.assertEqual(caller.received, b"")
        self.net.wait(0.5)
        self.assertNotHad(caller)

    def test_mute(self):
        """
        The same applies to a server that does not accept the connection.
        """
        self.net.listen(80, None)
        caller = self.post(PICTURE)
        self.net.wait(2.9)
        self.assertEqual(caller.received, b"")
        self.net.wait(0.1)
        self.assertNotHad(caller)

    def test_firstFailure(self):
        """
        If one image fails, the others are cancelled.
        """
        caller = self.post(PICTURE, PICTURE)
        self.serve(page(b"", "404 Not Found"))
        self.assertNotHad(caller, param=SECOND)


class GoneTests(RemoteTestCase):
    """
    A disconnect cancels fetches.
    """

    def assertForgotten(self):
        """
        Assert that nothing of a request is left.
        """
        self.net.flush()
        self.assertEqual(self.net.open, [])
        self.net.wait(60)
        self.assertEqual(self.gateway.provider.calls, [])
        self.assertEqual(self.gateway.runtime.runs, {})
        self.assertEqual(self.gateway.failures, [])

    def test_fetching(self):
        """
        The connection is closed immediately, before or during the response.
        """
        for answer in (b"", b"HTTP/1.1 200 OK\r\n", page(PNG, content_length=900)):
            for leave in ("leave", "reset"):
                caller = self.post(PICTURE, PICTURE)
                self.assertEqual(len(self.net.open), 2)
                self.serve(answer)
                getattr(caller, leave)()
                self.assertForgotten()
                self.assertEqual(caller.received, b"")

    def test_connecting(self):
        """
        A connection attempt is cancelled.
        """
        self.net.listen(80, None)
        caller = self.post(PICTURE)
        caller.leave()
        self.assertForgotten()

    def test_encoding(self):
        """
        An image that is being encoded is dropped.
        """
        caller = self.post(PICTURE)
        self.serve(page(PNG + bytes(SMALL_BYTES)))
        caller.leave()
        self.net.threads.run()
        self.assertForgotten()
