"""
Tests of L{openclaw.workers.worker_messages}.
"""

from itertools import pairwise

from hypothesis import given
from hypothesis.strategies import integers, lists
from msgspec import MsgspecError, Raw
from twisted.trial.unittest import SynchronousTestCase

from openclaw.workers.worker_messages import (
    Broadcast,
    FromDaemon,
    FromWorker,
    Logged,
    MessageDecoder,
    PeerBroadcast,
    RawBroadcast,
    RawQuery,
    Ready,
    Reload,
    Replies,
    encodeMessage,
)

MESSAGES = [PeerBroadcast("topic", Raw(b'{"a":1}')), Reload(), Replies(7, [Raw(b"[]")])]


class LinesTests(SynchronousTestCase):
    """
    Decoding of messages.
    """

    @given(lists(integers(min_value=0, max_value=200)))
    def test_anyPieces(self, cuts):
        """
        The pieces in which the bytes arrive do not matter.
        """
        data = b"".join(map(encodeMessage, MESSAGES))
        edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        lines = MessageDecoder(FromDaemon)
        found = []
        for begin, end in pairwise(edges):
            found += lines.feed(data[begin:end])
        self.assertEqual(
            [encodeMessage(each) for each in found], [*map(encodeMessage, MESSAGES)]
        )

    def test_untouched(self):
        """
        Any message arrives unchanged.
        """
        [told] = MessageDecoder(FromWorker).feed(
            encodeMessage(Broadcast("topic", {"ü": [1, None]}))
        )
        self.assertIsInstance(told, RawBroadcast)
        [heard] = MessageDecoder(FromDaemon).feed(
            encodeMessage(PeerBroadcast(told.topic, told.data))
        )
        self.assertEqual(bytes(heard.data).decode(), '{"ü":[1,null]}')

    def test_log(self):
        """
        A log line arrives unchanged, including line ends.
        """
        said = Logged(1.5, "info", "openclaw", "one\ntwo", fields={"run": "x"})
        self.assertEqual(MessageDecoder(FromWorker).feed(encodeMessage(said)), [said])

    def test_several(self):
        """
        Several messages may arrive in one piece.
        """
        lines = MessageDecoder(FromWorker)
        found = lines.feed(
            encodeMessage(Ready()) + encodeMessage(RawQuery(1, "t", Raw(b"2")))
        )
        self.assertEqual([type(each) for each in found], [Ready, RawQuery])

    def test_nonsense(self):
        """
        A malformed message is an error.
        """
        for data in (b"{}\n", b"no\n", b'{"type":"order"}\n'):
            self.assertRaises(MsgspecError, MessageDecoder(FromWorker).feed, data)
