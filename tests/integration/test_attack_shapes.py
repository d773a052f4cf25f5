"""
Malformed and ambiguous requests.
"""

from tests.integration.attacker import (
    ALIVE,
    AUTHORIZATION,
    HOST,
    KNOWN,
    POST,
    AttackerTestCase,
    resident,
)

GET = b"GET /healthz HTTP/1.1\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
MALFORMED = (400, "malformed_request")
VERSION = (400, "unsupported_http_version")
CODING = (400, "unsupported_transfer_coding")
HEADERS = (431, "headers_too_large")
LONG = (414, "uri_too_long")

SHAPES = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\r\n\r\n", MALFORMED),
    "no version": (b"GET /\r\n\r\n", MALFORMED),
    "more than a version": (b"GET / HTTP/1.1 x\r\n\r\n", MALFORMED),
    "a blank too many": (b"GET  / HTTP/1.1\r\n\r\n", MALFORMED),
    "a method that is none": (b"G\x01T / HTTP/1.1\r\n\r\n", MALFORMED),
    "a method in lower case": (
        b"get /healthz HTTP/1.1\r\n" + HOST + b"\r\n",
        MALFORMED,
    ),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", VERSION),
    "HTTP/0.9": (b"GET /healthz HTTP/0.9\r\n\r\n", VERSION),
    "no host": (GET + b"\r\n", MALFORMED),
    "two hosts": (GET + HOST + HOST + b"\r\n", MALFORMED),
    "a header without a colon": (GET + HOST + b"abc\r\n\r\n", MALFORMED),
    "such a header in the middle": (GET + b"abc\r\n" + HOST + b"\r\n", MALFORMED),
    "a blank in a header's name": (GET + HOST + b"a : c\r\n\r\n", MALFORMED),
    "a header that begins folded": (GET + b" d: e\r\n" + HOST + b"\r\n", MALFORMED),
    "a zero byte": (GET + HOST + b"a: c\0\r\n\r\n", MALFORMED),
    "lines without CR": (GET[:-2] + b"\n" + HOST + b"\r\n\n\n", MALFORMED),
    "a length that is none": (KNOWN + b"Content-Length: 1x\r\n\r\n", MALFORMED),
    "a length below zero": (KNOWN + b"Content-Length: -1\r\n\r\n", MALFORMED),
    "a length with a sign": (KNOWN + b"Content-Length: +1\r\n\r\n", MALFORMED),
    "a list of lengths": (KNOWN + b"Content-Length: 2, 2\r\n\r\n{}", MALFORMED),
    "an endless length": (
        KNOWN + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
        (413, "request_too_large"),
    ),
    "another coding": (KNOWN + b"Transfer-Encoding: gzip\r\n\r\n", CODING),
    "two codings": (KNOWN + b"Transfer-Encoding: gzip, chunked\r\n\r\n", CODING),
    "a hidden coding": (KNOWN + b"Transfer-Encoding: \x0bchunked\r\n\r\n", CODING),
    "no coding": (KNOWN + b"Transfer-Encoding: identity\r\n\r\n", CODING),
    "chunks that are none": (KNOWN + CHUNKED + b"\r\nzz\r\n", MALFORMED),
    "a chunk that is too long": (KNOWN + CHUNKED + b"\r\n2\r\n{}xx", MALFORMED),
    "a chunk below zero": (KNOWN + CHUNKED + b"\r\n-2\r\n{}\r\n", MALFORMED),
    "an endless chunk size": (KNOWN + CHUNKED + b"\r\n" + b"0" * 3000, MALFORMED),
    "an endless trailer": (
        KNOWN + CHUNKED + b"\r\n0\r\nX: " + b"y" * 70_000,
        MALFORMED,
    ),
    "an endless path": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", LONG),
    "one endless word": (b"G" * 200_000, LONG),
    "an endless header": (GET + HOST + b"a: " + b"b" * 200_000, HEADERS),
    "a large header": (GET + HOST + b"a: " + b"b" * 17_000 + b"\r\n\r\n", HEADERS),
    "many headers": (GET + HOST + b"a: b\r\n" * 600 + b"\r\n", HEADERS),
    "many long headers": (
        GET + HOST + (b"a: " + b"b" * 1000 + b"\r\n") * 20 + b"\r\n",
        HEADERS,
    ),
    "another expectation": (
        KNOWN + b"Expect: 200-ok\r\nContent-Length: 2\r\n\r\n{}",
        (417, "expectation_failed"),
    ),
}


class ShapeTests(AttackerTestCase):
    """
    The response has the error, and then the connection is closed.
    """

    async def test_answered(self) -> None:
        """
        Each of them has one response with a JSON error.
        """
        await self.begin()
        for name, (sent, (status, code)) in SHAPES.items():
            answers = await self.answersTo(sent)
            self.assertEqual(len(answers), 1, name)
            self.assertRefused(answers[0], status, code)
            self.assertEqual(answers[0].headers["connection"], "close", name)
        await self.assertUnharmed()

    async def test_noSmuggling(self) -> None:
        """
        A body of ambiguous length smuggles no second request, wherever in the headers
        the ambiguity is.
        """
        await self.begin()
        plain, other = b"Content-Length: 5\r\n", b"Content-Length: 6\r\n"
        tail = b"\r\n0\r\n\r\n" + ALIVE * 2
        for sent in (
            KNOWN + plain + CHUNKED + tail,
            KNOWN + CHUNKED + plain + tail,
            KNOWN + plain + other + tail,
            KNOWN + plain + plain + tail,
            KNOWN + CHUNKED + CHUNKED + tail,
            POST + plain + CHUNKED + AUTHORIZATION + tail,
            KNOWN.replace(b"/1.1", b"/1.0") + CHUNKED + tail,
        ):
            answers = await self.answersTo(sent)
            self.assertEqual(len(answers), 1, sent)
            self.assertRefused(answers[0], *MALFORMED)
        await self.assertUnharmed()

    async def test_unread(self) -> None:
        """
        A client that continues to send gets the response, since the connection is not
        closed on unread bytes.
        """
        await self.begin()
        flood = b"x" * 65_536
        for sent in (b"no HTTP\r\n", POST + b"Content-Length: 9999999\r\n\r\n"):
            connection = await self.connect(sent, *[flood] * 64)
            await connection.until('"code":')
            connection.close()
        await self.assertUnharmed()


MB = 1_000_000
WORDS = b'{"messages":[{"role":"user","content":"%b"}]}'
IMAGE = WORDS.replace(b'"%b"', b'[{"type":"image_url","image_url":{"url":"data:%b"}}]')
SAID = b'"messages":[{"role":"user","content":"Hi."}]'


def filled(pattern: bytes, value: bytes, size: int) -> bytes:
    """
    Return a body of about this many bytes, with an array of equal values.
    """
    return pattern % b",".join([value] * max(1, size // (len(value) + 1)))


class BodyShapeTests(AttackerTestCase):
    """
    Bodies with disproportionate content.
    """

    async def test_refused(self) -> None:
        """
        They are rejected before they are decoded: with an error that names the limit,
        and without memory that stays allocated.
        """
        await self.begin(endpoints={"embeddings": {"enabled": True}})
        before = resident(self.daemon.pid)
        many = "more than 300000 JSON values"
        for pattern, value, size, words in (
            (b'{%b,"tools":[%%b]}' % SAID, b"[]", 20 * MB, many),
            (b'{%b,"metadata":[%%b]}' % SAID, b"{}", 20 * MB, many),
            (b'{%b,"response_format":{"a":[%%b]}}' % SAID, b"[]", MB, many),
            (b'{%b,"response_format":{"a":[%%b]}}' % SAID, b"1", MB // 10, "`resp"),
            (b'{%b,"tools":[%%b]}' % SAID, b"[]", MB // 4, "`tools`"),
            (b'{"messages":[%b]}', b'{"role":"user"}', MB, "`messages`"),
            (b"{%b,%%b}" % SAID, b'"a":1', MB, "more than 1000 fields"),
            (b'{%b,"stop":[%%b]}' % SAID, b'"a"', MB, "`stop`"),
        ):
            await self.assertWords(filled(pattern, value, size), words)
        self.assertLess(resident(self.daemon.pid) - before, 150)
        await self.assertUnharmed()

    async def assertWords(self, body: bytes, words: str) -> None:
        """
        Assert that a body is rejected with an error that contains certain texts.
        """
        answers = await self.answersTo(
            KNOWN,
            b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body),
            body,
        )
        self.assertEqual([answer.status for answer in answers], [400], words)
        self.assertIn(words, answers[0].error["message"])

    async def test_slow(self) -> None:
        """
        Bodies of few values that take long to decode are rejected, too: the decoder
        would hold the GIL, and so block the reactor.
        """
        await self.begin()
        before = resident(self.daemon.pid)
        for pattern, value, size, words in (
            (WORDS, b"\\n" * MB, 20 * MB, "2000000 escapes"),
            (WORDS, b"\\u0041" * MB, 20 * MB, "2000000 escapes"),
            (b'{%b,"%%b":1}' % SAID, b'\\"' * MB, 20 * MB, "2000000 escapes"),
            (b'{%b,"tools":["%%b"]}' % SAID, b"\\\\" * MB, 20 * MB, "2000000 escapes"),
            (WORDS, b"a" * MB + "\U0001f600".encode(), 20 * MB, "not ASCII"),
            (b'{"%%b":1,%b}' % SAID, b"a" * MB + b"\\u20ac", 20 * MB, "not ASCII"),
            (b"{%b}%%b" % SAID, b" " * 20 * MB, MB, "whitespace and numbers"),
            (b'{%b,"seed":%%b}' % SAID, b"1" * 20 * MB, MB, "whitespace and numbers"),
            (IMAGE, b"a" * 20 * MB, MB, "base64 data URI"),
        ):
            await self.assertWords(filled(pattern, value, size), words)
        self.assertLess(resident(self.daemon.pid) - before, 150)
        await self.assertUnharmed()


class InvitationTests(AttackerTestCase):
    """
    C{Expect: 100-continue}.
    """

    async def test_refused(self) -> None:
        """
        A rejected request gets its response immediately, without C{100 Continue}.
        """
        await self.begin()
        expecting = b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
        nowhere = b"POST /nowhere HTTP/1.1\r\n" + HOST
        health = b"POST /healthz HTTP/1.1\r\n" + HOST
        for head, length, status, code in (
            (POST, 2, 401, "invalid_api_key"),
            (nowhere, 2, 404, "not_found"),
            (health, 2, 405, "method_not_allowed"),
            (KNOWN, 99_999_999, 413, "request_too_large"),
        ):
            connection = await self.connect(head + expecting % length)
            received = await connection.until('"code":')
            self.assertTrue(received.startswith(f"HTTP/1.1 {status} "), received)
            self.assertIn(f'"{code}"', received)
            self.assertNotIn("100 Continue", received)
            connection.close()
        await self.assertUnharmed()

    async def test_invited(self) -> None:
        """
        An accepted request gets C{100 Continue} once.
        """
        await self.begin()
        connection = await self.connect(
            KNOWN, b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
        )
        await connection.until("HTTP/1.1 100 Continue\r\n\r\n")
        connection.transport.write(b"{}")
        received = await connection.until("Missing user message")
        self.assertEqual(received.count("100 Continue"), 1)
        connection.close()
        await self.assertUnharmed()
