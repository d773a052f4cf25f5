"""
Tests of L{openclaw.net.ndjson}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.net.ndjson import LineDecoder
from openclaw.net.sse import EventTooLong
from tests.models.event_reading import cut, places


def linesIn(*pieces: bytes) -> list[bytes]:
    """
    Decode a whole body.
    """
    decoder = LineDecoder()
    lines = [line for piece in pieces for line in decoder.feed(piece)]
    return lines + decoder.finish()


class LineDecoderTests(SynchronousTestCase):
    """
    A body is split into lines.
    """

    def test_everyEnd(self) -> None:
        """
        Lines may end with LF, CRLF or the body; blank ones are skipped.
        """
        self.assertEqual(linesIn(b"{}\n\r\n[]\r\n \n1"), [b"{}", b"[]", b"1"])

    def test_atOnce(self) -> None:
        """
        A line is returned as soon as it is complete.
        """
        decoder = LineDecoder()
        self.assertEqual(decoder.feed(b'{"a":'), [])
        self.assertEqual(decoder.feed(b'1}\n{"b"'), [b'{"a":1}'])
        self.assertEqual(decoder.feed(b":2}"), [])
        self.assertEqual(decoder.finish(), [b'{"b":2}'])

    def test_tooLong(self) -> None:
        """
        An incomplete line is limited, in one read or many; long bodies of short lines
        are not.
        """
        decoder = LineDecoder(maxLineBytes=4)
        for _ in range(3):
            self.assertEqual(decoder.feed(b"123"), [])
            self.assertEqual(decoder.feed(b"4\n1234\n"), [b"1234"] * 2)
        decoder.feed(b"1234")
        self.assertRaises(EventTooLong, decoder.feed, b"5")
        self.assertRaises(EventTooLong, LineDecoder(maxLineBytes=4).feed, b"12345")

    @given(st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"{}"])), places(40))
    def test_everyCut(self, parts: list[bytes], where: list[int]) -> None:
        """
        The result does not depend on the reads.
        """
        body = b"".join(parts)
        self.assertEqual(linesIn(*cut(body, where)), linesIn(body))
