"""
The contract of every dialect's decoder on arbitrary bytes.
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
    A mixin for a dialect's test case.

    @cvar dialect: The class of the dialect.
    @cvar samples: Responses on the wire, and their meaning.
    @cvar said: A JSON text with which the model sends C{Hi.}.
    @cvar tooLong: JSON texts with which the provider reports, within its response, that
        the conversation is too long.
    """

    dialect: Callable[[], Dialect]
    samples: Mapping[str, tuple[bytes, Outcome]]
    said: bytes
    tooLong: Sequence[bytes]

    def decoder(self) -> ReplyDecoder:
        """
        Return a decoder of one response.
        """
        return decoderOf(self.dialect())

    def framed(self, *documents: bytes) -> bytes:
        """
        Return JSON texts as they are in a response.
        """
        return b"".join(b"data: %s\n\n" % document for document in documents)

    def understood(self, *pieces: bytes) -> Outcome:
        """
        Decode a response like a call.
        """
        return event_reading.understood(self.dialect, *pieces)

    def wires(self) -> Iterator[tuple[str, bytes, Outcome]]:
        """
        Return each sample, with both kinds of line ends.
        """
        for name, (wire, outcome) in self.samples.items():
            plain = wire.replace(b"\r\n", b"\n")
            yield name, plain, outcome
            yield f"{name}, CRLF", plain.replace(b"\n", b"\r\n"), outcome

    def test_atOnce(self) -> None:
        """
        All texts, reasoning, calls, counts, reasons and errors are found once.
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
        The response may take any number of reads, down to one per byte.
        """
        wire, outcome = self.samples[data.draw(st.sampled_from(sorted(self.samples)))]
        self.assertEqual(self.understood(*cut(wire, where)), outcome)

    def test_brokenOff(self) -> None:
        """
        A truncated response has the beginning of the complete one's result, and is
        complete or an error.
        """
        for name, (wire, outcome) in self.samples.items():
            for length in range(len(wire)):
                left = self.understood(wire[: length // 2], wire[length // 2 : length])
                self.assertTrue(left.isPrefixOf(outcome), name)
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
        Any bytes result in a reply or a provider's error.
        """
        for wire in (noise, self.framed(noise)):
            end = self.understood(wire).end
            if not isinstance(end, ModelReply):
                self.assertTrue(issubclass(end[0], UpstreamError))

    def test_nothing(self) -> None:
        """
        An empty response is truncated.
        """
        for pieces in ([], [b""], [b"\r\n"], [b"\n", b"\n"]):
            self.assertIs(self.understood(*pieces).end[0], UpstreamTruncated)

    def test_malformed(self) -> None:
        """
        Malformed JSON, meaningless JSON, and deeply nested JSON are distinguished from
        a truncated response immediately.  Earlier events are kept, and later bytes are
        ignored.
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
        A web page, as of a captive portal, is not a reply.
        """
        page = self.understood(b"\n <!DOCTYPE html><p>Log in</p>\n")
        self.assertIs(page.end[0], UpstreamMalformed)

    def test_endless(self) -> None:
        """
        Memory is bounded: endless lines and events are aborted.
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
        A conversation that is too long is recognised within a response, too.
        """
        for report in self.tooLong:
            outcome = self.understood(self.framed(self.said, report, self.said))
            self.assertEqual(outcome.text, "Hi.")
            self.assertIs(outcome.end[0], ContextTooLong, report)


__all__ = ["DecoderContract"]
