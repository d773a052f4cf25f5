"""
A cache of the transcripts that were used last.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_BYTES = 8 * 1024 * 1024
"""
Limit of the cache's size.
"""

ENTRY_BYTES = 512
"""
Bytes counted for each transcript in addition to its text.
"""


@dataclass(slots=True)
class _Entry:
    start: int
    length: int
    pieces: Sequence[bytes]
    size: int


@dataclass
class TranscriptCache:
    """
    The visible parts of plain-text sessions (see
    L{openclaw.transcript.PlainTranscript}).  Other processes may have added messages
    meanwhile: since transcripts only grow, their length shows that.

    Additions of a transaction become visible when it is committed.
    """

    limit: int = MOST_BYTES
    _kept: dict[int, _Entry] = field(default_factory=dict, init=False)
    _bytes: int = field(default=0, init=False)
    _staged: dict[int, _Entry] = field(default_factory=dict, init=False)

    def find(self, session: int, start: int, length: int) -> Sequence[bytes] | None:
        """
        Return the cached part of a session: JSON, to be joined by commas.

        @param start: The position of the first visible message.

        @param length: The number of all messages in the session.
        """
        kept = self._kept.get(session)
        if kept is None or (kept.start, kept.length) != (start, length):
            return None
        return kept.pieces

    def stage(
        self, session: int, start: int, length: int, pieces: Sequence[bytes]
    ) -> None:
        """
        Add an entry if the transaction is committed.
        """
        size = ENTRY_BYTES + sum(map(len, pieces))
        self._staged[session] = _Entry(start, length, tuple(pieces), size)

    def settle(self, committed: bool) -> None:
        """
        Add or discard the staged entries at the end of the transaction.
        """
        staged, self._staged = self._staged, {}
        if not committed:
            return
        for session, new in staged.items():
            self._drop(session)
            # Dictionaries keep this order: the oldest entry comes first.
            self._kept[session] = new
            self._bytes += new.size
        while self._bytes > self.limit:
            self._drop(next(iter(self._kept)))

    def _drop(self, session: int) -> None:
        old = self._kept.pop(session, None)
        if old is not None:
            self._bytes -= old.size
