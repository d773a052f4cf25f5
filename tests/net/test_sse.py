"""
Tests of L{openclaw.net.sse}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.net.sse import MAX_EVENT_BYTES, EventStreamDecoder, EventTooLong
from tests.models.event_reading import cut, places

LINE = st.binary(max_size=12).map(lambda line: line.translate(None, b"\r\n"))
"""
Anything that can stand in one line.
"""

IGNORED = st.one_of(
    LINE.map(lambda text: b":" + text),
    LINE.map(lambda text: b"event: " + text),
    LINE.map(lambda text: b"id: " + text),
    st.sampled_from([b"retry: 3000", b"data", b"datum: x", b" data: x", b"Data: x"]),
)
"""
Lines that say nothing about a payload.
"""


def payloadsOf(*pieces: bytes) -> list[bytes]:
    """
    Decode a whole stream.
    """
    decoder = EventStreamDecoder()
    found = [payload for piece in pieces for payload in decoder.feed(piece)]
    return found + decoder.finish()


@st.composite
def streams(draw) -> tuple[list[bytes], bytes]:
    """
    Draw payloads, and a stream that encodes them.
    """
    payloads, stream = [], b""
    for fields in draw(st.lists(st.lists(LINE, min_size=1, max_size=3), max_size=5)):
        lines = []
        for field in fields:
            lines += draw(st.lists(IGNORED, max_size=2))
            # The blank after the colon is the sender's; one in the text is kept.
            blank = b" " if field[:1] == b" " else draw(st.sampled_from([b"", b" "]))
            lines.append(b"data:" + blank + field)
        lines += [*draw(st.lists(IGNORED, max_size=1)), b""]
        for line in lines:
            stream += line + draw(st.sampled_from([b"\n", b"\r\n"]))
        payloads.append(b"\n".join(fields))
    if payloads and draw(st.booleans()):
        # It ends without the blank line, or even without the end of the line.
        stream = stream.rstrip(b"\r\n")
    return payloads, stream


class AnySplitTests(SynchronousTestCase):
    """
    The result does not depend on the reads.
    """

    @given(streams().flatmap(lambda s: st.tuples(st.just(s), places(len(s[1])))))
    def test_payloads(self, case) -> None:
        """
        The payloads are decoded with any line ends, comments, other fields and reads.
        """
        (payloads, stream), where = case
        self.assertEqual(payloadsOf(*cut(stream, where)), payloads)

    @given(st.text(alphabet="data: \r\nx").map(str.encode), st.data())
    def test_anyBytes(self, stream: bytes, data: st.DataObject) -> None:
        """
        A malformed stream gives the same result for any reads.
        """
        where = data.draw(places(len(stream)))
        self.assertEqual(payloadsOf(*cut(stream, where)), payloadsOf(stream))


class FieldTests(SynchronousTestCase):
    """
    Only the data of an event is kept.
    """

    def test_oneEvent(self) -> None:
        """
        An event is returned as soon as its blank line is complete.
        """
        decoder = EventStreamDecoder()
        self.assertEqual(decoder.feed(b"data: a\n"), [])
        self.assertEqual(decoder.feed(b"\n"), [b"a"])
        self.assertEqual(decoder.finish(), [])

    def test_carriageReturns(self) -> None:
        """
        Lines may end with CRLF.
        """
        self.assertEqual(payloadsOf(b"data: a\r\n\r\ndata: b\r\n\r\n"), [b"a", b"b"])

    def test_noBlank(self) -> None:
        """
        The blank after the colon may be missing; a second one is data.
        """
        self.assertEqual(payloadsOf(b"data:a\n\ndata:  b\n\n"), [b"a", b" b"])

    def test_comments(self) -> None:
        """
        Comments between and within events are skipped.
        """
        stream = b": wait\n\n:\n\ndata: a\n: wait\n\n"
        self.assertEqual(payloadsOf(stream), [b"a"])

    def test_otherFields(self) -> None:
        """
        The fields C{event}, C{id} and C{retry} are skipped, and are not an event by
        themselves.
        """
        stream = b"retry: 10\n\nevent: message\nid: 7\ndata: a\n\nid: 8\n\n"
        self.assertEqual(payloadsOf(stream), [b"a"])

    def test_severalLines(self) -> None:
        """
        The data lines of one event are joined.
        """
        self.assertEqual(payloadsOf(b"data: a\ndata:\ndata: b\n\n"), [b"a\n\nb"])

    def test_emptyEvent(self) -> None:
        """
        An event with empty data is returned.
        """
        self.assertEqual(payloadsOf(b"data:\n\n"), [b""])


class EndTests(SynchronousTestCase):
    """
    A provider may omit the last blank line.
    """

    def test_unfinishedEvent(self) -> None:
        """
        The last event is returned.
        """
        for end in (b"", b"\n", b"\r", b"\r\n"):
            self.assertEqual(payloadsOf(b"data: a\n\ndata: b" + end), [b"a", b"b"])

    def test_nothingLeft(self) -> None:
        """
        Without an incomplete event nothing is returned.
        """
        for stream in (b"", b"\n", b"data: a\n\n", b": wait"):
            decoder = EventStreamDecoder()
            decoder.feed(stream)
            self.assertEqual(decoder.finish(), [])


class LimitTests(SynchronousTestCase):
    """
    An incomplete event is limited.
    """

    def setUp(self) -> None:
        self.decoder = EventStreamDecoder(maxEventBytes=20)

    def test_longLine(self) -> None:
        """
        A line without an end exceeds the limit, in any reads.
        """
        for piece in (b"data: " + b"x" * 20, b"x"):
            decoder = EventStreamDecoder(maxEventBytes=20)
            with self.assertRaises(EventTooLong):
                for _ in range(21):
                    decoder.feed(piece)

    def test_manyLines(self) -> None:
        """
        So do lines without a blank one.
        """
        with self.assertRaises(EventTooLong):
            for _ in range(4):
                self.decoder.feed(b"data:\n")

    def test_upToTheLimit(self) -> None:
        """
        Lines and events up to the limit are accepted.
        """
        self.assertEqual(self.decoder.feed(b"data: " + b"x" * 14), [])
        self.assertEqual(self.decoder.feed(b"\n\n"), [b"x" * 14])

    def test_eachEventAnew(self) -> None:
        """
        The limit is for each event, not for the stream.
        """
        for _ in range(9):
            self.assertEqual(self.decoder.feed(b"data: 123456\n"), [])
            self.assertEqual(self.decoder.feed(b"\n"), [b"123456"])
        for _ in range(9):
            self.assertEqual(self.decoder.feed(b": a comment\n"), [])

    def test_ordinaryLimit(self) -> None:
        """
        The default limit is above any event of a model.
        """
        self.assertGreaterEqual(MAX_EVENT_BYTES, 1024 * 1024)
        payload = b"x" * 1024 * 1024
        self.assertEqual(payloadsOf(b"data: ", payload, b"\n\n"), [payload])
