"""
End the runs of named tokens that were revoked or have expired.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from openclaw.auth.named_tokens import NamedTokens

LOOK_SECONDS = 1.0
"""
Time between two looks at the file of named tokens, in seconds.
"""


class RevocationWatch:
    """
    Looks for revoked tokens while it runs.
    """

    def __init__(
        self,
        tokens: NamedTokens,
        endRevoked: Callable[[], None],
        clock: IReactorTime,
    ) -> None:
        """
        @param endRevoked: End what belongs to tokens that are not valid any more.  Each
            look does this, since a request whose headers were checked before a change
            can begin a run after it.
        """
        self._tokens = tokens
        self._endRevoked = endRevoked
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock

    def start(self) -> None:
        """
        Read the file now, so that the first change is noticed as one, and go on.
        """
        self._looking.start(LOOK_SECONDS)

    def stop(self) -> None:
        """
        Look no more.
        """
        if self._looking.running:
            self._looking.stop()

    def _look(self) -> None:
        try:
            self._tokens.refresh()
            self._endRevoked()
        except Exception:
            # An exception would end the loop, and no token would be watched then.
            self._tokens.log.failure("The named tokens can't be checked")
