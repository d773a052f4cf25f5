"""
Tests of L{openclaw.api.request_images}: the images of a request.
"""

from base64 import b64encode
from binascii import Error, a2b_base64

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.api.request_images import parseDataURI, sniffMediaType
from openclaw.config import Images
from openclaw.errors import InvalidRequest
from openclaw.messages import ImagePart, TextPart, UserMessage
from tests.api.chat_bodies import chatRequestOf
from tests.api.request_strategies import texts
from tests.server.memory_gateway import GatewayTestCase, configOf

PNG = b"\x89PNG\r\n\x1a\n rest"
IMAGES = {
    "image/png": PNG,
    "image/jpeg": b"\xff\xd8\xff\xe0 rest",
    "image/gif": b"GIF89a rest",
    "image/webp": b"RIFF\x10\x00\x00\x00WEBPVP8 rest",
}
URL = "messages[0].content[1].image_url.url"
MAX_BYTES = Images().maxBytes


def uri(data, meta="image/png;base64"):
    """
    Return a data URI.
    """
    return f"data:{meta},{b64encode(data).decode()}"


def image(url):
    """
    Return an image as a part of a message.
    """
    return {"type": "image_url", "image_url": {"url": url}}


def body(*urls):
    """
    Return a request with a text and these images.
    """
    content = [{"type": "text", "text": "What is this?"}, *map(image, urls)]
    return {"messages": [{"role": "user", "content": content}]}


class DataTests(SynchronousTestCase):
    """
    Valid images.
    """

    def test_kinds(self):
        """
        The media type is detected from the data; the client's is ignored.
        """
        for kind, data in IMAGES.items():
            for meta in (f"{kind};base64", "text/html;base64", ";base64"):
                self.assertEqual(
                    parseDataURI(uri(data, meta), URL, MAX_BYTES),
                    ImagePart(kind, b64encode(data).decode()),
                )
        self.assertEqual(sniffMediaType(b"GIF87a"), "image/gif")

    def test_spellings(self):
        """
        Case, further parameters, blanks and line ends do not matter.
        """
        plain = parseDataURI(uri(PNG), URL, MAX_BYTES)
        encoded = b64encode(PNG).decode()
        for spelt in (
            f" DATA:IMAGE/PNG;BASE64,{encoded}\n",
            f"data:image/png;name=a.png;base64,{encoded}",
            f"data:image/png;base64,{encoded[:8]}\r\n {encoded[8:]}",
        ):
            self.assertEqual(parseDataURI(spelt, URL, MAX_BYTES), plain)

    def test_parts(self):
        """
        Texts and images keep their order, in every message; a URL can be a plain
        string.
        """
        said = body(uri(PNG))["messages"][0]
        bare = {"type": "image_url", "image_url": uri(IMAGES["image/gif"])}
        document = {
            "messages": [
                said,
                {"role": "assistant", "content": "A dot."},
                {"role": "user", "content": [bare]},
            ]
        }
        first, _, last = chatRequestOf(msgspec.json.encode(document)).opening
        self.assertEqual(first.content[0], TextPart("What is this?"))
        self.assertEqual(first.content[1].mediaType, "image/png")
        self.assertEqual(first.text, "What is this?")
        self.assertEqual([each.mediaType for each in last.images], ["image/gif"])

    def test_imageAlone(self):
        """
        A message may have only an image.
        """
        document = {"messages": [{"role": "user", "content": [image(uri(PNG))]}]}
        [said] = chatRequestOf(msgspec.json.encode(document)).opening
        self.assertIsInstance(said, UserMessage)
        self.assertEqual(len(said.images), 1)


class WrongTests(SynchronousTestCase):
    """
    Invalid images.
    """

    def assertWrong(self, param, document, *words):
        """
        Assert that a request is rejected, with this error.
        """
        error = self.assertRaises(
            InvalidRequest, chatRequestOf, msgspec.json.encode(document)
        )
        self.assertEqual((error.status, error.param), (400, param))
        for word in words:
            self.assertIn(word, error.message)

    def test_notData(self):
        """
        A URL, or anything else that is not a base64 data URI.
        """
        encoded = b64encode(PNG).decode()
        for url in (
            "https://example.com/a.png",
            "http://127.0.0.1/a.png",
            "file:///etc/passwd",
            "data:image/png;base64",
            f"data:image/png,{encoded}",
            f"data:image/png;base64url,{encoded}",
            f"data:base64,{encoded}",
            encoded,
        ):
            self.assertWrong(URL, body(url), f"`{URL}`", "data URI")

    def test_notBase64(self):
        """
        Data with invalid or missing characters.
        """
        encoded = b64encode(PNG).decode()
        for data in (f"!{encoded}", encoded[:-1], f"{encoded}=", "\u00e4\u00f6\u00fc="):
            self.assertWrong(URL, body(f"data:image/png;base64,{data}"), "not base64")

    def test_noImage(self):
        """
        Data that is not an image, whatever its declared type.
        """
        for data in (b"", b"<svg/>", b"%PDF-1.7", PNG[:7], b"RIFF\x10\x00\x00\x00WAVE"):
            self.assertWrong(URL, body(uri(data)), "PNG, JPEG, GIF or WebP")

    def test_tooLarge(self):
        """
        An image may be as large as the limit, and no larger.
        """
        largest = PNG + bytes(MAX_BYTES - len(PNG))
        image = parseDataURI(uri(largest), URL, MAX_BYTES)
        self.assertEqual(image.mediaType, "image/png")
        self.assertWrong(URL, body(uri(largest + b"x")), "10485760 bytes")
        self.assertWrong(URL, body(uri(largest * 2 + b"x")), "10485760 bytes")

    def test_otherLimit(self):
        """
        The limit is configurable, to the byte.
        """
        for size in range(24, 30):
            image = uri(PNG + bytes(size - len(PNG)))
            parseDataURI(image, URL, size)
            error = self.assertRaises(
                InvalidRequest, parseDataURI, image, URL, size - 1
            )
            self.assertEqual(error.code, "image_too_large")

    def test_tooMany(self):
        """
        All messages together may have eight.
        """
        url = uri(PNG)
        many = body(*[url] * 8)
        chatRequestOf(msgspec.json.encode(many))
        self.assertWrong("messages[0].content[9]", body(*[url] * 9), "at most 8")
        many["messages"] += body(url)["messages"]
        self.assertWrong("messages[1].content[1]", many, "at most 8")

    def test_noURL(self):
        """
        An image part without a URL.
        """
        where = "messages[0].content[0].image_url"
        for wrong in ({}, {"url": None}, {"url": " "}, "", None):
            part = {"type": "image_url", "image_url": wrong}
            self.assertWrong(
                where,
                {"messages": [{"role": "user", "content": [part]}]},
                f"Missing `{where}.url`",
            )

    @given(st.builds("data:{};base64,{}".format, texts, texts) | texts)
    def test_anyURL(self, url):
        """
        No URL causes an internal error.
        """
        try:
            found = parseDataURI(url, URL, MAX_BYTES)
        except InvalidRequest as error:
            self.assertEqual(error.param, URL)
        else:
            self.assertIn(found.mediaType, IMAGES)

    @given(st.text("AZaz09+/=-_ \n\u00e4", max_size=12) | st.text(max_size=8))
    def test_anyBase64(self, text):
        """
        Base64 that is not decoded is validated like base64 that is.
        """
        encoded = f"{b64encode(IMAGES['image/png'] + b'.').decode()}{text}"
        try:
            a2b_base64("".join(encoded.split()), strict_mode=True)
        except (Error, ValueError):
            with self.assertRaises(InvalidRequest):
                parseDataURI(f"data:;base64,{encoded}", URL, MAX_BYTES)
        else:
            image = parseDataURI(f"data:;base64,{encoded}", URL, MAX_BYTES)
            self.assertEqual(image.data, "".join(encoded.split()))


class ModelTests(GatewayTestCase):
    """
    Models that do not accept images.
    """

    def setUp(self):
        """
        Start a gateway with an agent whose model accepts only text, and one whose model
        accepts images.
        """
        super().setUp()
        config = configOf(
            agents={
                "main": {"model": "scripted/blind"},
                "seeing": {"model": "scripted/seeing"},
            },
            defaults={"model": "scripted/blind"},
            models=["blind", {"id": "seeing", "input": ["text", "image"]}],
        )
        self.gateway = self.start(config=config)

    def assertBlind(self, document, *headers):
        """
        Assert that a request is rejected because its model does not accept images.
        """
        calls = len(self.gateway.provider.calls)
        answer = self.gateway.post(document, *headers).answer
        self.assertRefused(answer, 400, "unsupported_content", "messages")
        self.assertIn("scripted/blind", answer.error["message"])
        self.assertEqual(len(self.gateway.provider.calls), calls)

    def test_blind(self):
        """
        A text model gets no images, in the last message or an earlier one.
        """
        document = body(uri(PNG))
        self.assertBlind(document)
        self.assertBlind({**document, "stream": True})
        document["messages"].append({"role": "user", "content": "Well?"})
        self.assertBlind(document)
        self.assertEqual(self.answered(body()).text, "Yes?")

    def test_seeing(self):
        """
        A model that accepts images gets them unchanged; so does one whose inputs are
        unknown.
        """
        sent = (ImagePart("image/png", b64encode(PNG).decode()),)
        self.answered({**body(uri(PNG)), "model": "openclaw/seeing"})
        self.assertEqual(self.gateway.call.request.messages[0].images, sent)
        self.gateway = self.start()
        self.answered(body(uri(PNG)))
        self.assertEqual(self.gateway.call.request.messages[0].images, sent)

    def test_override(self):
        """
        The requested model is decisive, also when the request overrides the agent's.
        """
        document = body(uri(PNG))
        header = "x-openclaw-model"
        self.answered(document, (header, "scripted/seeing"))
        seeing = {**document, "model": "openclaw/seeing"}
        self.assertBlind(seeing, (header, "scripted/blind"))

    def test_refused(self):
        """
        An invalid image is the caller's error, with its position.
        """
        answer = self.gateway.post(body("https://example.com/a.png")).answer
        self.assertRefused(answer, 400, None, URL)
