"""
Tests of L{openclaw.net.http_connection}, with a provider and scripted responses.
"""

from gzip import compress

from hypothesis import given, settings
from hypothesis import strategies as st

from openclaw.errors import (
    OpenClawError,
    UpstreamMalformed,
    UpstreamRateLimited,
    UpstreamTruncated,
    UpstreamUnreachable,
)
from openclaw.interfaces import IModelCall
from openclaw.net.http_connection import (
    MAX_BYTES_WITHOUT_BODY,
    MAX_INFLATED_BYTES,
    MAX_MEMBERS,
    MAX_OVERHEAD_BYTES,
)
from tests.models.event_reading import cut, places
from tests.models.memory_network import RawServer
from tests.models.provider_case import COUNTED, DONE, HEAD, HELLO, ProviderTestCase

WHOLE = HELLO + COUNTED + DONE
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """
    Encode data as a chunk of the transfer coding.
    """
    return b"%x\r\n%b\r\n" % (len(data), data)


class RawTestCase(ProviderTestCase):
    """
    A provider with scripted responses.
    """

    def setUp(self) -> None:
        super().setUp()
        self.server: RawServer = self.serveRaw()
        self.call: IModelCall = self.asked()

    def send(self, *pieces: bytes) -> None:
        """
        Deliver each piece as a read of its own.
        """
        for piece in pieces:
            self.server.write(piece)
            self.network.flush()

    def assertHello(self) -> None:
        """
        Assert that the reply is complete.
        """
        self.assertEqual(self.successResultOf(self.call.done).text, "Hello")
        self.assertEqual(self.text, "Hello")

    def assertKept(self, kept: bool) -> None:
        """
        Assert whether the connection is used for another call.
        """
        self.network.flush()
        self.asked()
        self.assertEqual(len(self.network.links), 1 if kept else 2)


class AnswerTests(RawTestCase):
    """
    A response is parsed in every form of HTTP.
    """

    @settings(max_examples=60)
    @given(
        st.sampled_from(
            [
                CHUNKED + chunk(HELLO + COUNTED) + chunk(DONE) + b"0\r\n\r\n",
                CHUNKED + chunk(WHOLE) + b"0\r\nExpires: never\r\n\r\n",
                HEAD + b"Content-Length: %d\r\n\r\n" % len(WHOLE) + WHOLE,
                b"HTTP/1.1 100 Continue\r\nX: y\r\n\r\n" + CHUNKED + chunk(WHOLE),
                HEAD.replace(b"\r", b"") + b"Content-Length: 999\n\n" + WHOLE,
                b"HTTP/1.0 200 OK\r\n\r\n" + WHOLE,
            ]
        ).flatmap(lambda whole: st.tuples(st.just(whole), places(len(whole))))
    )
    def test_anyPieces(self, given: tuple[bytes, list[int]]) -> None:
        """
        Any splits of the bytes give the same reply.
        """
        self.setUp()
        self.send(*[piece for piece in cut(*given) if piece])
        self.assertHello()

    def test_compressedInPieces(self) -> None:
        """
        So do splits of compressed content.
        """
        data = compress(WHOLE)
        self.send(CHUNKED[:-2] + b"Content-Encoding: x-gzip\r\n\r\n")
        self.send(*[chunk(data[index : index + 1]) for index in range(len(data))])
        self.assertHello()

    def test_severalMembers(self) -> None:
        """
        So do several gzip members.
        """
        data = compress(WHOLE[:40]) + compress(b"") + compress(WHOLE[40:])
        self.send(CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n")
        self.send(chunk(data[:70]), chunk(data[70:]))
        self.assertHello()

    def test_cutCompressed(self) -> None:
        """
        A truncated compressed body is an error.
        """
        data = compress(WHOLE)[:-12]
        self.send(CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n", chunk(data))
        self.send(b"0\r\n\r\n")
        self.failureOf(self.call, UpstreamTruncated)

    def test_wronglyCompressed(self) -> None:
        """
        A body that is not compressed as declared is an error.
        """
        self.send(CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n", chunk(WHOLE))
        self.failureOf(self.call, UpstreamTruncated)
        self.assertNothingLeft()

    def test_otherCodings(self) -> None:
        """
        An unsupported coding, or more than one, is an error that names it.
        """
        twice = compress(compress(WHOLE))
        for coding in (
            b"br",
            b"zstd",
            b"gzip, gzip",
            b"gzip\r\nContent-Encoding: gzip",
        ):
            self.setUp()
            self.send(
                CHUNKED[:-2] + b"Content-Encoding: " + coding + b"\r\n\r\n",
                chunk(twice),
            )
            error = self.failureOf(self.call, UpstreamMalformed)
            named = coding.replace(b"\r\nContent-Encoding:", b",").decode()
            self.assertIn(f"was not requested ({named})", str(error))
            self.assertNothingLeft()

    def test_damagedEnd(self) -> None:
        """
        Compressed data with a missing or wrong checksum, or followed by other data, is
        an error, though its text is complete.
        """
        data = compress(WHOLE)
        wrong = data[:-8] + bytes([data[-8] ^ 1]) + data[-7:]
        for body in (data[:-1], data[:-8], wrong, data + b"x"):
            length = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
            self.setUp()
            self.send(HEAD + length + body)
            error = self.failureOf(self.call, UpstreamTruncated)
            self.assertIn("compressed", str(error))
            self.assertNothingLeft()

    def test_closedWithinCompressed(self) -> None:
        """
        So is compressed data that ends with the connection, without its checksum.
        """
        self.send(b"HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
        self.send(compress(WHOLE)[:30])
        self.server.close()
        self.network.flush()
        self.assertIn("truncated", str(self.failureOf(self.call, UpstreamTruncated)))
        self.assertNothingLeft()

    def test_damagedRefusal(self) -> None:
        """
        An error response keeps its meaning, though its body is damaged.
        """
        self.send(
            b"HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Encoding: gzip\r\n"
            b"Content-Length: 4\r\n\r\noops"
        )
        self.assertEqual(self.failureOf(self.call, UpstreamRateLimited).retryAfter, 7)
        self.assertNothingLeft()

    def test_manyMembers(self) -> None:
        """
        A stream may have any number of members over several reads.
        """
        self.send(CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n")
        for _ in range(3 * MAX_MEMBERS):
            self.send(chunk(compress(b": nothing\n\n")))
        self.send(chunk(compress(WHOLE)))
        self.assertHello()

    def test_bombInNextMember(self) -> None:
        """
        A bomb after a member that reaches the limit exactly is detected.
        """
        full = compress(bytes(MAX_INFLATED_BYTES))
        bomb = compress(bytes(4 * MAX_INFLATED_BYTES))
        self.send(CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n", chunk(full + bomb))
        self.failureOf(self.call, UpstreamTruncated)
        self.assertNothingLeft()

    def test_bomb(self) -> None:
        """
        A body that inflates beyond the limit is an error.
        """
        bomb = compress(bytes(4 * MAX_INFLATED_BYTES))
        self.send(CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n", chunk(bomb))
        self.failureOf(self.call, UpstreamTruncated)
        self.assertNothingLeft()

    def test_headersOfRefusal(self) -> None:
        """
        An error response has its own headers, not those of an earlier response.
        """
        self.send(
            b"HTTP/1.1 103 Early\r\nRetry-After: 1\r\n\r\n"
            b"HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
        )
        self.assertEqual(self.failureOf(self.call, UpstreamRateLimited).retryAfter, 7)


class KeepingTests(RawTestCase):
    """
    A connection is reused if both sides agree on the end of the response.
    """

    def test_kept(self) -> None:
        """
        This is the usual case.
        """
        self.send(CHUNKED, chunk(WHOLE), b"0\r\n\r\n")
        self.assertKept(True)

    def test_unwilling(self) -> None:
        """
        The server closes the connection.
        """
        for head in (HEAD + b"Connection: close\r\n", b"HTTP/1.0 200 OK\r\n"):
            self.setUp()
            length = b"Content-Length: %d\r\n\r\n" % len(WHOLE)
            self.send(head + length + WHOLE)
            self.assertHello()
            self.assertKept(False)

    def test_secondAnswer(self) -> None:
        """
        A second response in the same read is not part of the first.
        """
        length = b"Content-Length: %d\r\n\r\n" % len(WHOLE)
        refusal = b"HTTP/1.1 500 No\r\n" + length + WHOLE
        self.send(HEAD + length + WHOLE + refusal)
        self.assertHello()
        self.assertKept(False)

    def test_moreThanAsked(self) -> None:
        """
        Data after the response, at once or later, closes the connection.
        """
        for pieces in ([b"0\r\n\r\nHTTP/1.1 200 OK\r\n"], [b"0\r\n\r\n", b"HTTP"]):
            self.setUp()
            self.send(CHUNKED, chunk(WHOLE), *pieces)
            self.assertHello()
            self.assertKept(False)


class FaultTests(RawTestCase):
    """
    Invalid and endless responses are errors.
    """

    def assertRefused(self, kind: type[OpenClawError]) -> None:
        """
        Assert that the call fails and leaves nothing open.
        """
        self.failureOf(self.call, kind)
        self.assertNothingLeft()

    def test_twoLengths(self) -> None:
        """
        A response with an ambiguous length.
        """
        self.send(CHUNKED[:-2] + b"Content-Length: 3\r\n\r\n", chunk(WHOLE))
        self.assertRefused(UpstreamUnreachable)

    def test_otherProtocol(self) -> None:
        """
        The server switches protocols.
        """
        self.send(
            b"HTTP/1.1 101 Yes\r\nUpgrade: ws\r\nConnection: upgrade\r\n\r\nx" + CHUNKED
        )
        self.assertRefused(UpstreamUnreachable)

    def test_brokenChunk(self) -> None:
        """
        The transfer coding is invalid; the data before it is delivered.
        """
        self.send(CHUNKED, chunk(HELLO), b"zz\r\n")
        self.assertRefused(UpstreamTruncated)
        self.assertEqual(self.text, "Hello")

    def test_endlessHeaders(self) -> None:
        """
        Headers are limited, by number and by size.
        """
        for begin, more in ((b"", b"A: b\r\n"), (b"A: ", b"bbbbbb")):
            self.setUp()
            self.send(HEAD + begin)
            sent = 0
            while not self.call.done.called and sent < 2 * MAX_BYTES_WITHOUT_BODY:
                self.send(more * 1000)
                sent += len(more) * 1000
            self.assertLessEqual(sent, MAX_BYTES_WITHOUT_BODY + 6000)
            self.assertRefused(UpstreamUnreachable)

    def test_endlessTrailer(self) -> None:
        """
        So are trailers.
        """
        self.send(CHUNKED, chunk(HELLO), b"0\r\n")
        sent = 0
        while not self.call.done.called and sent < 2 * MAX_BYTES_WITHOUT_BODY:
            self.send(b"A: b\r\n" * 1000)
            sent += 6000
        self.assertRefused(UpstreamTruncated)

    def test_endlessFraming(self) -> None:
        """
        So is the framing of chunks, even if each contains data.
        """
        self.send(CHUNKED, chunk(HELLO))
        framed = b"1;" + b"x" * 2**16 + b"\r\n\n\r\n"
        sent = 0
        while not self.call.done.called and sent < 2 * MAX_OVERHEAD_BYTES:
            self.send(framed)
            sent += len(framed)
        self.assertLessEqual(sent, MAX_OVERHEAD_BYTES + len(framed))
        self.assertRefused(UpstreamTruncated)


__all__ = ["AnswerTests", "FaultTests", "KeepingTests"]
