"""
A session store that several workers share, each with its own queue of runs.
"""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.components import proxyForInterface

from openclaw.api.peers import Peers
from openclaw.interfaces import Claim, Conversation, ISessionStore
from openclaw.messages import Message

WANTED = "session wanted"
"""
The topic of workers' waits for a session.
"""

YIELD_SECONDS = 0.15
"""
The time for which a worker leaves a session to another that waits: a little longer than
L{openclaw.agents.run.CLAIM_RETRY_SECONDS}.
"""

WANTED_SECONDS = 1.0
"""
The time for which another worker's wait counts.
"""


class FairStore(proxyForInterface(ISessionStore)):  # type: ignore[misc]
    """
    Shares each session fairly among the workers that wait for it.

    Otherwise a worker whose run has ended could claim the session for its own next run
    at once, over and over, while a run of another worker retries ten times per second
    and never finds it free.
    """

    def __init__(
        self, original: ISessionStore, peers: Peers, clock: IReactorTime
    ) -> None:
        super().__init__(original)
        self._peers = peers
        self._clock = clock
        self._wanted: dict[str, float] = {}
        peers.onBroadcast(WANTED, self._recordWish)

    def beginTurn(
        self,
        claim: Claim,
        agentID: str,
        opening: Sequence[Message],
        following: Sequence[Message],
    ) -> "Deferred[Conversation | None]":
        def begin() -> "Deferred[Conversation | None]":
            beginning: Deferred[Conversation | None] = self.original.beginTurn(
                claim, agentID, opening, following
            )
            return beginning.addCallback(self._announceWait, claim.sessionKey)

        until = self._wanted.pop(claim.sessionKey, 0.0)
        if until <= self._clock.seconds():
            return begin()
        return deferLater(self._clock, YIELD_SECONDS).addCallback(lambda _: begin())

    def _announceWait(
        self, conversation: Conversation | None, key: str
    ) -> Conversation | None:
        if conversation is None:
            self._peers.broadcast(WANTED, key)
        return conversation

    def _recordWish(self, key: str) -> None:
        now = self._clock.seconds()
        # Keeps the dictionary in the order of time.
        self._wanted.pop(key, None)
        self._wanted[key] = now + WANTED_SECONDS
        while next(iter(self._wanted.values())) <= now:
            del self._wanted[next(iter(self._wanted))]
