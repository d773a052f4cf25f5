"""
The body of a request as it arrives, and the room that it takes.
"""

from collections.abc import Callable
from functools import partial
from io import BytesIO

from openclaw.errors import BodyTooLarge, Crowded
from openclaw.server.limits import FairBudget

CROWDED_SECONDS = 1.0
"""
When to try again where there was no room for a body.
"""


class RequestBody:
    """
    The bytes of a body, within its limit and within the room for all bodies.

    @ivar received: The bytes that came, those included that were not kept.
    @ivar limit: The most that is wanted; 0 for nothing.
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
        Keep some more, if it is wanted.  What was announced and has not arrived takes
        no room: to announce costs nothing.

        @param caller: Who is charged for it; whoever was first, as long as there is
            anything.

        @raise BodyTooLarge: It is more than the limit.

        @raise Crowded: There is no room for it.
        """
        if not self.limit:
            return
        self.checkSize(self.received)
        if not self._reserved:
            self._chargedTo = caller
        if not self._budget.take(self._chargedTo, len(data), self._reserved):
            raise Crowded(
                "Too many bytes of requests are on their way. Try again soon.",
                retryAfter=CROWDED_SECONDS,
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
        """
        Return what came of it.
        """
        return self._content.getvalue()

    def forget(self) -> None:
        """
        Keep nothing of it; the room stays taken.
        """
        self._content = BytesIO()

    def release(self) -> None:
        """
        Give the room back.
        """
        if self._reserved:
            self._budget.giveBack(self._chargedTo, self._reserved)
            self._reserved = 0

    def keepRoom(self) -> Callable[[], None]:
        """
        Let the room stay taken when the request is over.

        @return: What gives it back.  To be called once.
        """
        kept, self._reserved = self._reserved, 0
        return partial(self._budget.giveBack, self._chargedTo, kept)
