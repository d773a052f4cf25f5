"""
A cache of the transcripts that were used last.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_BYTES = 8 * 1024 * 1024
"""
Limit of the bytes of all of them.
"""

ENTRY_BYTES = 512
"""
Bytes charged for each beside its text.
"""


@dataclass(slots=True)
class _Kept:
    start: int
    length: int
    pieces: Sequence[bytes]
    size: int


@dataclass
class Recent:
    """
    Of sessions that are texts alone (see L{openclaw.transcript.PlainTranscript}), what
    is shown of them.  Other processes may have added to a session meanwhile: since
    transcripts only grow, their length tells.

    What a transaction adds counts once that is committed.
    """

    most: int = MOST_BYTES
    _kept: dict[int, _Kept] = field(default_factory=dict, init=False)
    _bytes: int = field(default=0, init=False)
    _staged: dict[int, _Kept] = field(default_factory=dict, init=False)

    def find(self, session: int, start: int, length: int) -> Sequence[bytes] | None:
        """
        The known part of a session: JSON, to be joined by commas.

        @param start: The position of the first message that is shown.

        @param length: How many messages the session has in all.
        """
        kept = self._kept.get(session)
        if kept is None or (kept.start, kept.length) != (start, length):
            return None
        return kept.pieces

    def stage(
        self, session: int, start: int, length: int, pieces: Sequence[bytes]
    ) -> None:
        """
        Keep this if the transaction is committed.
        """
        size = ENTRY_BYTES + sum(map(len, pieces))
        self._staged[session] = _Kept(start, length, tuple(pieces), size)

    def settle(self, committed: bool) -> None:
        """
        The transaction is over.
        """
        staged, self._staged = self._staged, {}
        if not committed:
            return
        for session, new in staged.items():
            self._drop(session)
            # The latest stand last.
            self._kept[session] = new
            self._bytes += new.size
        while self._bytes > self.most:
            self._drop(next(iter(self._kept)))

    def _drop(self, session: int) -> None:
        old = self._kept.pop(session, None)
        if old is not None:
            self._bytes -= old.size
