"""
Cancel the runs of named tokens that have been revoked or have expired.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from openclaw.auth.named_tokens import NamedTokens

CHECK_SECONDS = 1.0
"""
Interval between two checks of the tokens file, in seconds.
"""


class RevocationWatcher:
    """
    Checks the tokens file while it is running.
    """

    def __init__(
        self,
        tokens: NamedTokens,
        endRevoked: Callable[[], None],
        clock: IReactorTime,
    ) -> None:
        """
        @param endRevoked: Cancel the runs of tokens that are no longer valid. It is
            called with each check, since a request that was authenticated before a
            change can start a run after it.
        """
        self._tokens = tokens
        self._endRevoked = endRevoked
        self._loop = LoopingCall(self._check)
        self._loop.clock = clock

    def start(self) -> None:
        """
        Read the file now, so that its first change is noticed, and start the checks.
        """
        self._loop.start(CHECK_SECONDS)

    def stop(self) -> None:
        if self._loop.running:
            self._loop.stop()

    def _check(self) -> None:
        try:
            self._tokens.refresh()
            self._endRevoked()
        except Exception:
            # An exception would stop the loop.
            self._tokens.log.failure("Could not check the named tokens")
