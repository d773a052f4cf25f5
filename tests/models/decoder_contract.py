"""
The contract of every dialect's decoder on the bytes of an answer, whatever is in them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openclaw.errors import (
    ContextTooLong,
    UpstreamError,
    UpstreamMalformed,
    UpstreamTruncated,
)
from openclaw.interfaces import ModelReply
from openclaw.models.provider import Dialect
from openclaw.models.upstream_call import ReplyDecoder
from openclaw.net.sse import MAX_EVENT_BYTES
from tests.models import event_reading
from tests.models.event_reading import Outcome, cut, decoderOf, places

bounded = partial(
    settings,
    # The same test runs once for each dialect.
    suppress_health_check=[HealthCheck.differing_executors],
)


class DecoderContract:
    """
    To be mixed into a dialect's test case.

    @cvar dialect: The class of the dialect.
    @cvar samples: Answers as they are on the wire, and what is to be understood.
    @cvar said: A JSON text with which the model says C{Hi.}.
    @cvar tooLong: JSON texts with which the provider reports, within its answer, that
        the conversation is too long.
    """

    dialect: Callable[[], Dialect]
    samples: Mapping[str, tuple[bytes, Outcome]]
    said: bytes
    tooLong: Sequence[bytes]

    def decoder(self) -> ReplyDecoder:
        """
        Return a decoder of one answer.
        """
        return decoderOf(self.dialect())

    def framed(self, *documents: bytes) -> bytes:
        """
        JSON texts, as they are in an answer.
        """
        return b"".join(b"data: %s\n\n" % document for document in documents)

    def understood(self, *pieces: bytes) -> Outcome:
        """
        Read an answer as a call does.
        """
        return event_reading.understood(self.dialect, *pieces)

    def wires(self) -> Iterator[tuple[str, bytes, Outcome]]:
        """
        Each sample, with both kinds of line ends.
        """
        for name, (wire, outcome) in self.samples.items():
            plain = wire.replace(b"\r\n", b"\n")
            yield name, plain, outcome
            yield f"{name}, CRLF", plain.replace(b"\n", b"\r\n"), outcome

    def test_atOnce(self) -> None:
        """
        All words, thoughts, calls, counts, reasons and errors are found, each once.
        """
        self.assertTrue(self.samples)
        for name, wire, outcome in self.wires():
            self.assertEqual(self.understood(wire), outcome, name)

    def test_everyCut(self) -> None:
        """
        A read may end at any byte, within a character, an escape or a line end.
        """
        for name, wire, outcome in self.wires():
            for place in range(len(wire)):
                self.assertEqual(self.understood(*cut(wire, [place])), outcome, name)

    @bounded()
    @given(st.data(), places(3000))
    def test_manyCuts(self, data: st.DataObject, where: list[int]) -> None:
        """
        However many reads it takes, down to one for each byte.
        """
        wire, outcome = self.samples[data.draw(st.sampled_from(sorted(self.samples)))]
        self.assertEqual(self.understood(*cut(wire, where)), outcome)

    def test_brokenOff(self) -> None:
        """
        An answer that breaks off anywhere is never mistaken for another one: it is
        the beginning of what it would have been, and whole or known not to be.
        """
        for name, (wire, outcome) in self.samples.items():
            for length in range(len(wire)):
                left = self.understood(wire[: length // 2], wire[length // 2 : length])
                self.assertTrue(left.mayBecome(outcome), name)
                if isinstance(left.end, ModelReply):
                    self.assertIsInstance(outcome.end, ModelReply, name)
                    self.assertEqual(left.text, outcome.text, name)
                    self.assertEqual(left.calls, outcome.calls, name)
                elif left.end != outcome.end:
                    self.assertIs(left.end[0], UpstreamTruncated, name)

    @bounded()
    @given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
    def test_anything(self, noise: bytes) -> None:
        """
        Whatever comes, it ends in a reply or in an error of the provider's.
        """
        for wire in (noise, self.framed(noise)):
            end = self.understood(wire).end
            if not isinstance(end, ModelReply):
                self.assertTrue(issubclass(end[0], UpstreamError))

    def test_nothing(self) -> None:
        """
        An answer that is empty broke off.
        """
        for pieces in ([], [b""], [b"\r\n"], [b"\n", b"\n"]):
            self.assertIs(self.understood(*pieces).end[0], UpstreamTruncated)

    def test_malformed(self) -> None:
        """
        Broken JSON, JSON that means nothing, and JSON made to break the reader are
        told from a broken connection, and known at once.  What came before has been
        told, and nothing that comes after is listened to.
        """
        for nonsense in (
            b"{oops}",
            b"[1]",
            b'"text"',
            b'{"error":' + b"[" * 99999,
        ):
            wire = self.framed(self.said, nonsense, self.said)
            outcome = self.understood(wire)
            self.assertEqual(outcome.text, "Hi.")
            message = "Provider 'vendor' sent an invalid response."
            self.assertEqual(outcome.end, (UpstreamMalformed, message))
            decoder = self.decoder()
            decoder.feed(self.framed(nonsense))
            self.assertTrue(decoder.complete)

    def test_webPage(self) -> None:
        """
        A page, such as of a captive portal, is no answer.
        """
        page = self.understood(b"\n <!DOCTYPE html><p>Log in</p>\n")
        self.assertIs(page.end[0], UpstreamMalformed)

    def test_endless(self) -> None:
        """
        Nobody can fill our memory: what never ends is given up.
        """
        start = self.framed(b"{").rstrip(b"\n")
        for wire in (start, b"{"):
            decoder = self.decoder()
            decoder.feed(wire + b"x" * (MAX_EVENT_BYTES - 100))
            self.assertFalse(decoder.complete)
            decoder.feed(b"x" * 200)
            self.assertTrue(decoder.complete)
            self.assertRaises(UpstreamMalformed, decoder.reply)

    def test_contextTooLong(self) -> None:
        """
        That the conversation is too long is known for what it is, also when it is
        told within an answer.
        """
        for report in self.tooLong:
            outcome = self.understood(self.framed(self.said, report, self.said))
            self.assertEqual(outcome.text, "Hi.")
            self.assertIs(outcome.end[0], ContextTooLong, report)


__all__ = ["DecoderContract"]
