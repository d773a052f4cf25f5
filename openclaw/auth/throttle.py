"""
Throttle guessing: failed attempts, counted by address and kind of credential.
"""

from collections import OrderedDict
from dataclasses import dataclass

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from openclaw.auth.client_address import ClientAddress
from openclaw.config import RateLimit
from openclaw.errors import TooManyAttempts

CAPACITY = 10_000
"""
As many addresses are remembered; the one that has tried least lately goes first.
"""


@dataclass(slots=True)
class _Attempts:
    """
    The failed attempts of an address.

    @ivar count: The failures in the window.
    @ivar began: When the window began.
    @ivar lockedUntil: When the address may try again; 0 if it may.
    """

    count: int
    began: float
    lockedUntil: float = 0.0


class Throttle:
    """
    Counts failed attempts, and says who has made too many.
    """

    def __init__(
        self,
        limits: RateLimit,
        clock: IReactorTime,
        log: Logger,
        capacity: int = CAPACITY,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._log = log
        self._capacity = capacity
        self._attempts: OrderedDict[tuple[str, str], _Attempts] = OrderedDict()

    def limit(self, limits: RateLimit) -> None:
        """
        Let other limits hold.  Who is locked out stays so.
        """
        self._limits = limits

    def check(self, origin: ClientAddress, kind: str) -> None:
        """
        May they try?

        @param kind: The kind of credential, such as C{password}.

        @raise TooManyAttempts: They are locked out.
        """
        if self._exempt(origin):
            return
        attempts = self._attempts.get((origin.name, kind))
        if attempts is None:
            return
        left = attempts.lockedUntil - self._clock.seconds()
        if left > 0:
            raise TooManyAttempts(
                "Too many credentials from your address were not valid. Try again"
                " later.",
                retryAfter=left,
                # It would only be refused again, and again.
                shouldRetry=False,
            )

    def failed(self, origin: ClientAddress, kind: str) -> "Deferred[None]":
        """
        They showed a credential that is not valid.

        @return: Fires when all who count know it.
        """
        if not self._exempt(origin) and self._count(origin, kind):
            self._log.warn(
                "{address} is locked out for {seconds:g} s, after {count} attempts"
                " with a {kind} that is not valid",
                address=origin.name,
                seconds=self._limits.lockoutMs / 1000,
                count=self._attempts[origin.name, kind].count,
                kind=kind,
            )
        return succeed(None)

    def _count(self, origin: ClientAddress, kind: str) -> bool:
        """
        Count a failure.

        @return: Is this the one that locks them out?
        """
        now, key = self._clock.seconds(), (origin.name, kind)
        attempts = self._attempts.get(key)
        if attempts is None or self._isOver(attempts, now):
            attempts = self._attempts[key] = _Attempts(0, now)
        self._attempts.move_to_end(key)
        attempts.count += 1
        enough = attempts.count >= self._limits.maxAttempts
        locks = enough and not attempts.lockedUntil
        if locks:
            attempts.lockedUntil = now + self._limits.lockoutMs / 1000
        while len(self._attempts) > self._capacity:
            self._attempts.popitem(last=False)
        return locks

    def _exempt(self, origin: ClientAddress) -> bool:
        return origin.local and self._limits.exemptLoopback

    def _isOver(self, attempts: _Attempts, now: float) -> bool:
        if attempts.lockedUntil:
            return now >= attempts.lockedUntil
        return now >= attempts.began + self._limits.windowMs / 1000
