"""
A session store that several workers share, each with runs that wait in a line of its
own.
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
The topic under which workers tell each other for which session they wait.
"""

YIELD_SECONDS = 0.15
"""
Seconds for which a worker leaves a session to another that waits: a little longer than
that one takes to ask again, see L{openclaw.agents.run.CLAIM_RETRY_SECONDS}.
"""

WANTED_SECONDS = 1.0
"""
Seconds for which another worker's wish counts.
"""


class FairStore(proxyForInterface(ISessionStore)):  # type: ignore[misc]
    """
    A store whose sessions go round among the workers that want them.

    A worker whose run has ended could take the session for its own next one at once,
    over and over, while a run of another worker asks ten times a second and never
    finds it free.
    """

    def __init__(
        self, original: ISessionStore, peers: Peers, clock: IReactorTime
    ) -> None:
        super().__init__(original)
        self._peers = peers
        self._clock = clock
        self._wanted: dict[str, float] = {}
        peers.hear(WANTED, self._heard)

    def beginTurn(
        self,
        claim: Claim,
        agentID: str,
        opening: Sequence[Message],
        following: Sequence[Message],
    ) -> "Deferred[Conversation | None]":
        """
        See L{ISessionStore.beginTurn}.
        """

        def begin() -> "Deferred[Conversation | None]":
            beginning: Deferred[Conversation | None] = self.original.beginTurn(
                claim, agentID, opening, following
            )
            return beginning.addCallback(self._seen, claim.sessionKey)

        until = self._wanted.pop(claim.sessionKey, 0.0)
        if until <= self._clock.seconds():
            return begin()
        return deferLater(self._clock, YIELD_SECONDS).addCallback(lambda _: begin())

    def _seen(self, found: Conversation | None, key: str) -> Conversation | None:
        if found is None:
            self._peers.tell(WANTED, key)
        return found

    def _heard(self, key: str) -> None:
        now = self._clock.seconds()
        # The latest stand last.
        self._wanted.pop(key, None)
        self._wanted[key] = now + WANTED_SECONDS
        while next(iter(self._wanted.values())) <= now:
            del self._wanted[next(iter(self._wanted))]
