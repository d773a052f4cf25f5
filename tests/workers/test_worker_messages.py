"""
Tests of L{openclaw.workers.worker_messages}.
"""

from itertools import pairwise

from hypothesis import given
from hypothesis.strategies import integers, lists
from msgspec import MsgspecError, Raw
from twisted.trial.unittest import SynchronousTestCase

from openclaw.workers.worker_messages import (
    Answers,
    Asked,
    FromDaemon,
    FromWorker,
    Heard,
    Lines,
    Logged,
    Ready,
    Reload,
    Tell,
    Told,
    lineOf,
)

MESSAGES = [Heard("topic", Raw(b'{"a":1}')), Reload(), Answers(7, [Raw(b"[]")])]


class LinesTests(SynchronousTestCase):
    """
    Messages out of bytes.
    """

    @given(lists(integers(min_value=0, max_value=200)))
    def test_anyPieces(self, cuts):
        """
        However the bytes come, the messages are the same.
        """
        data = b"".join(map(lineOf, MESSAGES))
        edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
        lines = Lines(FromDaemon)
        found = []
        for begin, end in pairwise(edges):
            found += lines.feed(data[begin:end])
        self.assertEqual([lineOf(each) for each in found], [*map(lineOf, MESSAGES)])

    def test_untouched(self):
        """
        Any message arrives unchanged.
        """
        [told] = Lines(FromWorker).feed(lineOf(Tell("topic", {"ü": [1, None]})))
        self.assertIsInstance(told, Told)
        [heard] = Lines(FromDaemon).feed(lineOf(Heard(told.topic, told.data)))
        self.assertEqual(bytes(heard.data).decode(), '{"ü":[1,null]}')

    def test_log(self):
        """
        A line of the log comes through as it is, line ends and all.
        """
        said = Logged(1.5, "info", "openclaw", "one\ntwo", fields={"run": "x"})
        self.assertEqual(Lines(FromWorker).feed(lineOf(said)), [said])

    def test_several(self):
        """
        Several may come at once.
        """
        lines = Lines(FromWorker)
        found = lines.feed(lineOf(Ready()) + lineOf(Asked(1, "t", Raw(b"2"))))
        self.assertEqual([type(each) for each in found], [Ready, Asked])

    def test_nonsense(self):
        """
        A malformed message is an error.
        """
        for data in (b"{}\n", b"no\n", b'{"type":"order"}\n'):
            self.assertRaises(MsgspecError, Lines(FromWorker).feed, data)
