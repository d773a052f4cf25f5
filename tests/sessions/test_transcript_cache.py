"""
Tests of L{openclaw.sessions.store.transcript_cache}.
"""

from twisted.trial.unittest import SynchronousTestCase

from openclaw.sessions.store.transcript_cache import ENTRY_BYTES, TranscriptCache


class TranscriptCacheTests(SynchronousTestCase):
    """
    The cache has the latest turns of sessions.
    """

    def test_committed(self) -> None:
        """
        Entries become visible when the transaction is committed.
        """
        recent = TranscriptCache()
        recent.stage(1, 0, 2, [b"a"])
        self.assertIsNone(recent.find(1, 0, 2))
        recent.settle(True)
        self.assertEqual(recent.find(1, 0, 2), (b"a",))

    def test_rolledBack(self) -> None:
        """
        Entries of a rolled back transaction are dropped, also by the next one.
        """
        recent = TranscriptCache()
        recent.stage(1, 0, 2, [b"a"])
        recent.settle(False)
        recent.settle(True)
        self.assertIsNone(recent.find(1, 0, 2))

    def test_outdated(self) -> None:
        """
        Entries are outdated if another process has added to the session, or summarised
        it.
        """
        recent = TranscriptCache()
        recent.stage(1, 0, 2, [b"a"])
        recent.settle(True)
        self.assertIsNone(recent.find(1, 0, 4))
        self.assertIsNone(recent.find(1, 1, 2))
        self.assertIsNone(recent.find(2, 0, 2))

    def test_bounded(self) -> None:
        """
        The total size is limited; the least recently used entries are dropped first,
        and one that is too long is not added.
        """
        limit = 3 * ENTRY_BYTES + 10
        recent = TranscriptCache(limit=limit)
        for session, encoded in ((1, b"1234"), (2, b"1234"), (1, b"12345"), (3, b"1")):
            recent.stage(session, 0, len(encoded), [encoded])
            recent.settle(True)
        self.assertEqual(recent.find(1, 0, 5), (b"12345",))
        self.assertEqual(recent.find(2, 0, 4), (b"1234",))
        self.assertEqual(recent.find(3, 0, 1), (b"1",))
        recent.stage(4, 0, 4, [b"12", b"34"])
        recent.settle(True)
        self.assertIsNone(recent.find(2, 0, 4))
        self.assertEqual(recent.find(1, 0, 5), (b"12345",))
        self.assertEqual(recent.find(4, 0, 4), (b"12", b"34"))
        recent.stage(5, 0, limit, [b"x" * limit])
        recent.settle(True)
        self.assertIsNone(recent.find(5, 0, limit))

    def test_small(self) -> None:
        """
        The number of short entries is limited, too.
        """
        recent = TranscriptCache(limit=10 * ENTRY_BYTES)
        for session in range(20):
            recent.stage(session, 0, 0, [])
            recent.settle(True)
        kept = [each for each in range(20) if recent.find(each, 0, 0) is not None]
        self.assertEqual(kept, [*range(10, 20)])


__all__ = ["TranscriptCacheTests"]
