"""
Tests for L{openclaw.net.fetching}: responses of hostile servers.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.interfaces import ToolError
from openclaw.net.fetching import MAX_REDIRECTS, FetchedDocument, FetchOptions, fetch
from openclaw.net.media_type import mediaType
from openclaw.tools.page_text import extractText, isTextType
from tests.models.memory_network import RawServer
from tests.server.memory_internet import Internet
from tests.tools.hostile_answers import hostileAnswers

TERMS = FetchOptions(
    allowPrivate=False,
    ports=(80,),
    seconds=5,
    maxBytes=1000,
    accept="*/*",
    what="text",
    wants=isTextType,
)
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class HostileTests(SynchronousTestCase):
    """
    A fetch ends with a document or a L{ToolError}, and logs no error.
    """

    def fetched(self, answer, close=True):
        """
        Fetch from a server that sends the same response to every request.

        @param close: Whether it then closes the connection.
        @return: The L{FetchedDocument}, or the error message.
        """
        net, server = Internet(), RawServer()
        net.listen(80, server)
        result = []
        fetch(net, "http://site.example/", TERMS).addBoth(result.append)
        served = 0
        for _ in range(MAX_REDIRECTS + 2):
            net.flush()
            if served == len(server.received):
                break
            served = len(server.received)
            server.write(answer)
            net.flush()
            if close:
                server.close()
                net.flush()
        if not result:
            net.advance(TERMS.seconds)
        net.flush()
        [outcome] = result
        self.assertEqual(net.open, [])
        self.assertEqual(net.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])
        if isinstance(outcome, FetchedDocument):
            return outcome
        self.assertIsInstance(outcome.value, ToolError, outcome)
        return str(outcome.value)

    @settings(max_examples=400)
    @given(hostileAnswers(), st.booleans())
    def test_anyAnswer(self, answer, close):
        """
        Any response, also of a server that keeps the connection open.
        """
        outcome = self.fetched(answer, close)
        if isinstance(outcome, FetchedDocument):
            self.assertLessEqual(len(outcome.data), TERMS.maxBytes)
            extractText(outcome.data, *mediaType(outcome.contentType), 50_000)
        else:
            self.assertTrue(outcome.isprintable(), outcome)

    def test_printable(self):
        """
        Messages contain no control character of a response.
        """
        for head in (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: \x00\x1b[2J\r\n\r\n",
            b"HTTP/1.1 500 \x1b[2J\x85\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Type: a\x1b/b\r\n\r\n",
        ):
            outcome = self.fetched(head)
            self.assertIsInstance(outcome, str, head)
            self.assertTrue(outcome.isprintable(), outcome)

    def test_chunks(self):
        """
        A page with damaged or truncated chunks is not complete.
        """
        whole = b"4\r\ntext\r\n0\r\n\r\n"
        self.assertTrue(self.fetched(CHUNKED + whole).whole)
        for body in (
            *(whole[:end] for end in range(len(whole))),
            b"4\r\ntext\r\nzz\r\n",
            b"4\r\ntextX0\r\n\r\n",
            b"4\r\ntext\r\n-1\r\n\r\n",
            b"4\r\ntext\r\n" + b"f" * 40 + b"\r\n",
        ):
            outcome = self.fetched(CHUNKED + body)
            if isinstance(outcome, FetchedDocument):
                self.assertFalse(outcome.whole, body)

    def test_length(self):
        """
        Nor is one that is shorter than its C{Content-Length}.
        """
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
        for body in (b"", b"text"):
            outcome = self.fetched(head + body)
            self.assertFalse(outcome.whole)
