"""
The wish that a run stops, and what the run waits for meanwhile.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from twisted.internet.defer import Deferred

from openclaw.errors import OpenClawError, RunCancelled

T = TypeVar("T")


@dataclass(slots=True)
class Cancellation:
    """
    Breaks a run off, in whatever it waits for.

    @ivar reason: Why it shall stop, once it shall.
    """

    reason: OpenClawError | None = field(default=None, init=False)
    _interrupt: Callable[[], None] | None = field(default=None, init=False)

    def give(self, reason: OpenClawError | None = None) -> None:
        """
        Stop what can be stopped now.  What can't is to ask L{check} behind it.  Only
        the first reason counts.
        """
        if self.reason is not None:
            return
        self.reason = reason or cancelled()
        if self._interrupt is not None:
            self._interrupt()

    def check(self) -> None:
        """
        @raise OpenClawError: The reason to stop, if there is one.
        """
        if self.reason is not None:
            raise self.reason

    async def during(
        self, waiting: "Deferred[T]", interrupt: Callable[[], None] | None = None
    ) -> T:
        """
        Wait for something that may be broken off.

        @param interrupt: What breaks it off, if not to cancel the Deferred.
        """
        self._interrupt = interrupt or waiting.cancel
        if self.reason is not None:
            # It was given while there was nothing yet to break off.
            self._interrupt()
        try:
            return await waiting
        finally:
            self._interrupt = None


def cancelled() -> RunCancelled:
    """
    The reason for which nobody gave another.
    """
    return RunCancelled("The run was cancelled.")
