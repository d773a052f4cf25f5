"""
Tests for L{openclaw.tools.web_fetch}: content codings, and headers with any bytes.
"""

import gzip
import zlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.interfaces import ToolError
from openclaw.net.content_coding import MAX_MEMBERS, PIECE_BYTES, ContentDecoder
from openclaw.net.fetching import HEAD_BYTES
from openclaw.net.guarded_reactor import READ_BYTES
from tests.tools.local_internet import FetchTestCase

URL = "http://site.example/"


def raw(data):
    """
    Compress without a zlib header.
    """
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(data) + compressor.flush()


def decode(coding, *pieces):
    """
    Decode content in pieces.

    @return: The output of each step.
    """
    decoder, steps = ContentDecoder([coding]), []
    for piece in pieces:
        steps.append(decoder.decode(piece))
        while decoder.pending:
            steps.append(decoder.decode())
    decoder.finish()
    return steps


class DecoderTests(SynchronousTestCase):
    """
    L{ContentDecoder}.
    """

    @given(
        st.sampled_from(
            [
                (b"gzip", gzip.compress),
                (b"X-GZIP", lambda data: gzip.compress(data) + gzip.compress(b"")),
                (b"deflate", zlib.compress),
                (b"Deflate", raw),
                (b"identity", bytes),
            ]
        ),
        st.binary(max_size=200) | st.just(b"x" * 300_000),
        st.integers(1, 50),
    )
    def test_whole(self, coding, data, size):
        """
        Content in any pieces is decoded completely.
        """
        name, compress = coding
        packed = compress(data)
        pieces = [packed[i : i + size] for i in range(0, len(packed), size)]
        self.assertEqual(b"".join(decode(name, *pieces)), data)

    def test_steps(self):
        """
        No step returns more than L{PIECE_BYTES}.
        """
        steps = decode(b"gzip", gzip.compress(b"x" * 5_000_000))
        self.assertEqual(sum(map(len, steps)), 5_000_000)
        self.assertLessEqual(max(map(len, steps)), PIECE_BYTES)

    def test_broken(self):
        """
        Content that is truncated anywhere, damaged, or followed by other bytes is
        refused.
        """
        for name, compress in [
            (b"gzip", gzip.compress),
            (b"deflate", zlib.compress),
            (b"deflate", raw),
        ]:
            packed = compress(b"some text")
            for end in range(1, len(packed)):
                self.assertRaises(ToolError, decode, name, packed[:end])
            self.assertRaises(ToolError, decode, name, packed + b"garbage")
        packed = gzip.compress(b"some text")
        damaged = packed[:-8] + bytes([packed[-8] ^ 1]) + packed[-7:]
        self.assertRaises(ToolError, decode, b"gzip", damaged)

    def test_manyMembers(self):
        """
        The number of empty members is limited.
        """
        member = gzip.compress(b"")
        decode(b"gzip", member * MAX_MEMBERS)
        self.assertRaises(ToolError, decode, b"gzip", member * (MAX_MEMBERS + 1))


class CodingTests(FetchTestCase):
    """
    One content coding is decoded.
    """

    async def test_read(self):
        """
        Each supported coding is decoded, also with several members.
        """
        for coding, body in [
            ("gzip", gzip.compress(b"te") + gzip.compress(b"xt")),
            ("GZIP", gzip.compress(b"text")),
            ("x-gzip", gzip.compress(b"text")),
            ("deflate", zlib.compress(b"text")),
            ("deflate", raw(b"text")),
            ("identity", b"text"),
        ]:
            self.page(body, content_encoding=coding)
            self.assertEqual(await self.fetch(URL), f"{URL}\n\ntext", coding)

    async def test_refused(self):
        """
        Others are errors, and not decoded at all, such as nested bombs.
        """
        bomb = gzip.compress(gzip.compress(b"x" * 5_000_000))
        for coding, why in [
            ("gzip, gzip", "more than one content coding (gzip, gzip)"),
            ("gzip\r\nContent-Encoding: gzip", "more than one content coding"),
            ("gzip, identity", "more than one content coding"),
            ("br", "a content coding that is not supported (br)"),
            ("zstd", "not supported"),
            ("\xff", "not supported"),
        ]:
            self.page(bomb, content_encoding=coding)
            told = await self.failing(self.fetch(URL))
            self.assertTrue(told.startswith(f"{URL} sends "), told)
            self.assertIn(why, told)
            await self.server.allClosed()

    async def test_broken(self):
        """
        No part of damaged content is shown.
        """
        packed = gzip.compress(b"text" * 1000)
        for body, why in [
            (packed[:-3], "truncated"),
            (packed + b"garbage", "damaged"),
            (packed[:-8] + b"\0" * 8, "damaged"),
            (b"text", "damaged"),
        ]:
            self.page(body, content_encoding="gzip")
            told = await self.failing(self.fetch(URL))
            self.assertIn(why, told)
            self.assertIn("compressed content", told)

    async def test_bounded(self):
        """
        Decoding stops at C{maxBytes}.
        """
        bomb = gzip.compress(b"x" * 50_000_000)
        self.page(bomb, content_encoding="gzip", content_length=1 << 40)
        told = await self.fetch(URL, maxBytes=300_000, maxCharacters=9)
        self.assertIn("[only the first 300000 bytes were read]", told)
        await self.server.allClosed()


class HeaderTests(FetchTestCase):
    """
    Headers may contain any byte.
    """

    async def test_anyByte(self):
        """
        With any header, the page is returned or refused with a reason.
        """
        for name in ("Content-Type", "Set-Cookie", "Server", "Refresh"):
            for value in (b"text/plain; a=\xff\x80", b"text/plain; a=\xc3\xbc\0"):
                head = name.encode() + b": " + value + b"\r\n"
                self.server.pages["/"] = (
                    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" + head + b"\r\ntext"
                )
                self.assertEqual(await self.fetch(URL), f"{URL}\n\ntext", head)

    async def test_location(self):
        """
        C{Location} may contain any byte.
        """
        for location, path in [
            (b"/\xff", "/%C3%BF"),
            ("/ü".encode(), "/%C3%BC"),
        ]:
            self.server.pages["/"] = (
                b"HTTP/1.1 302 F\xff\r\nContent-Length: 0\r\nLocation: "
                + location
                + b"\r\nSet-Cookie: a=\xff\r\n\r\n"
            )
            self.server.pages[path] = (
                b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntext"
            )
            self.assertIn("text", await self.fetch(URL))


class ReadTests(FetchTestCase):
    """
    Reads and headers are limited.
    """

    def setUp(self):
        super().setUp()
        self.sizes, connect = [], self.net.connectTCP

        def noting(host, port, factory, *rest):
            arrived = factory.arrived

            def note(size):
                self.sizes.append(size)
                return arrived(size)

            factory.arrived = note
            return connect(host, port, factory, *rest)

        self.net.connectTCP = noting

    async def test_size(self):
        """
        A page is received in small reads.
        """
        self.page(b"x" * 100_000)
        await self.fetch(URL)
        self.assertGreater(sum(self.sizes), 100_000)
        self.assertLessEqual(max(self.sizes), READ_BYTES)

    async def test_headers(self):
        """
        Headers have a limit of their own, lower than that of the content.
        """
        self.server.greeting = b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000
        told = await self.failing(self.fetch(URL))
        self.assertEqual(told, f"{URL} gives no valid HTTP response.")
        self.assertLessEqual(sum(self.sizes), HEAD_BYTES + 2 * READ_BYTES)
        await self.server.allClosed()


class MalformedTests(FetchTestCase):
    """
    A malformed response is an error for the model.
    """

    async def test_refused(self):
        """
        A response that is not HTTP is an error, and not logged as an internal one.
        """
        ok = b"HTTP/1.1 200 OK\r\n"
        answers = [
            b"HTTP/1.1\r\n\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/x.y 200 OK\r\n\r\n",
            b"\xff\xfe\r\n\r\n",
            ok + b"no colon\r\n\r\n",
            ok + b" folded: first\r\n\r\n",
            ok + b": no name\r\n\r\n",
            ok + b"Content-Length: x\r\n\r\n",
            ok + b"Content-Length: -1\r\n\r\n",
            ok + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
            ok + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
            ok + b"Transfer-Encoding: gzip\r\n\r\n",
            ok + b"a: " + b"x" * 70_000 + b"\r\n\r\n",
        ]
        for greeting in answers:
            self.server.greeting = greeting
            told = await self.failing(self.fetch(URL, timeoutSeconds=0.5))
            self.assertTrue(
                told.endswith(" gives no valid HTTP response.")
                or "took longer" in told,
                (greeting[:80], told),
            )
            await self.server.allClosed()
