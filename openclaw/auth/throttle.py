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
Number of addresses and kinds that are tracked; the one whose last attempt is the oldest
is dropped first.
"""


@dataclass(slots=True)
class _Attempts:
    """
    The failed attempts of an address.

    @ivar count: The failures in the window.
    @ivar windowStart: The reactor time at which the window began.
    @ivar lockedUntil: The reactor time until which the address is locked out; 0 if it
        is not.
    """

    count: int
    windowStart: float
    lockedUntil: float = 0.0


class Throttle:
    """
    Counts failed attempts, and locks addresses out.
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

    def setLimits(self, limits: RateLimit) -> None:
        """
        Change the limits. Addresses that are locked out stay so.
        """
        self._limits = limits

    def check(self, origin: ClientAddress, kind: str) -> None:
        """
        Check that an address is not locked out.

        @param kind: The kind of credential, such as C{password}.

        @raise TooManyAttempts: The address is locked out.
        """
        if self._isExempt(origin):
            return
        attempts = self._attempts.get((origin.name, kind))
        if attempts is None:
            return
        left = attempts.lockedUntil - self._clock.seconds()
        if left > 0:
            raise TooManyAttempts(
                "Too many invalid credentials from your address. Try again later.",
                retryAfter=left,
                # A retry before then is rejected, too.
                shouldRetry=False,
            )

    def recordFailure(self, origin: ClientAddress, kind: str) -> "Deferred[None]":
        """
        Count an invalid credential.

        @return: Fires when all workers have counted it.
        """
        if not self._isExempt(origin) and self._countFailure(origin, kind):
            self._log.warn(
                "{address} is locked out for {seconds:g} s after {count} attempts"
                " with an invalid {kind}",
                address=origin.name,
                seconds=self._limits.lockoutMs / 1000,
                count=self._attempts[origin.name, kind].count,
                kind=kind,
            )
        return succeed(None)

    def _countFailure(self, origin: ClientAddress, kind: str) -> bool:
        """
        Count a failure.

        @return: True if this failure locks the address out.
        """
        now, key = self._clock.seconds(), (origin.name, kind)
        attempts = self._attempts.get(key)
        if attempts is None or self._hasExpired(attempts, now):
            attempts = self._attempts[key] = _Attempts(0, now)
        self._attempts.move_to_end(key)
        attempts.count += 1
        reached = attempts.count >= self._limits.maxAttempts
        locks = reached and not attempts.lockedUntil
        if locks:
            attempts.lockedUntil = now + self._limits.lockoutMs / 1000
        while len(self._attempts) > self._capacity:
            self._attempts.popitem(last=False)
        return locks

    def _isExempt(self, origin: ClientAddress) -> bool:
        return origin.local and self._limits.exemptLoopback

    def _hasExpired(self, attempts: _Attempts, now: float) -> bool:
        if attempts.lockedUntil:
            return now >= attempts.lockedUntil
        return now >= attempts.windowStart + self._limits.windowMs / 1000
