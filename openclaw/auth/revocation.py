"""
End the runs of named tokens that were revoked or have expired.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from openclaw.auth.named_tokens import TOKEN_NAMESPACE, NamedTokens
from openclaw.errors import AuthenticationFailed, OpenClawError

LOOK_SECONDS = 1.0
"""
Time between two looks at the file of named tokens, in seconds.
"""

Cancel = Callable[[Callable[[str], bool], Callable[[], OpenClawError]], None]
"""
Ends the runs whose namespace fits, with an error.
"""


class RevocationWatch:
    """
    Looks for revoked tokens while it runs.
    """

    def __init__(
        self, tokens: NamedTokens, cancel: Cancel, clock: IReactorTime
    ) -> None:
        self._tokens = tokens
        self._cancel = cancel
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock

    def start(self) -> None:
        """
        Begin to look.
        """
        self._looking.start(LOOK_SECONDS, now=False)

    def stop(self) -> None:
        """
        Look no more.
        """
        if self._looking.running:
            self._looking.stop()

    def _look(self) -> None:
        if self._tokens.refresh():
            self._cancel(self._isRevoked, _revoked)

    def _isRevoked(self, namespace: str) -> bool:
        isToken = namespace.startswith(TOKEN_NAMESPACE)
        return isToken and not self._tokens.isGood(namespace)


def _revoked() -> OpenClawError:
    return AuthenticationFailed("The token is not valid any more.")
