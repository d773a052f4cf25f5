"""
The body of a request as it arrives, and the memory reserved for it.
"""

from collections.abc import Callable
from functools import partial
from io import BytesIO

from openclaw.errors import BodyTooLarge, CapacityExceeded
from openclaw.server.limits import FairBudget

RETRY_SECONDS = 1.0
"""
Retry-After of a request without room for its body, in seconds.
"""


class RequestBody:
    """
    The bytes of a body, within its limit and within the budget of all bodies.

    @ivar received: The number of bytes that have arrived, discarded ones included.
    @ivar limit: The limit in bytes; 0 to discard the body.
    """

    __slots__ = ("_budget", "_chargedTo", "_content", "_reserved", "limit", "received")

    def __init__(self, budget: FairBudget) -> None:
        self._budget = budget
        self._content = BytesIO()
        self._reserved = 0
        self._chargedTo = ""
        self.received = 0
        self.limit = 0

    def add(self, data: bytes, caller: str) -> None:
        """
        Keep some more bytes, if the body is wanted. Memory is reserved as bytes arrive,
        not for the announced length.

        @param caller: The key of the budget to charge. The key of the first call is
            used for the whole body.

        @raise BodyTooLarge: The body is over its limit.

        @raise CapacityExceeded: The budget is used up.
        """
        if not self.limit:
            return
        self.checkSize(self.received)
        if not self._reserved:
            self._chargedTo = caller
        if not self._budget.acquire(self._chargedTo, len(data), self._reserved):
            raise CapacityExceeded(
                "Too many bytes of request bodies are in progress. Try again soon.",
                retryAfter=RETRY_SECONDS,
            )
        self._reserved += len(data)
        self._content.write(data)

    def checkSize(self, length: int) -> None:
        """
        @raise BodyTooLarge: A body of so many bytes is larger than the limit.
        """
        if 0 < self.limit < length:
            raise BodyTooLarge(f"The body is larger than {self.limit} bytes.")

    def value(self) -> bytes:
        return self._content.getvalue()

    def discardInput(self) -> None:
        """
        Drop the bytes. Their memory stays reserved.
        """
        self._content = BytesIO()

    def release(self) -> None:
        if self._reserved:
            self._budget.release(self._chargedTo, self._reserved)
            self._reserved = 0

    def retainBodyReservation(self) -> Callable[[], None]:
        """
        Keep the memory reserved beyond the end of the request.

        @return: Releases it; to be called once.
        """
        kept, self._reserved = self._reserved, 0
        return partial(self._budget.release, self._chargedTo, kept)
