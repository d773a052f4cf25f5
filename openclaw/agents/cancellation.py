"""
The cancellation of a run, wherever it waits.
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
    Cancels a run and the operation it waits for.

    @ivar reason: The error that ends the run; C{None} while it may go on.
    """

    reason: OpenClawError | None = field(default=None, init=False)
    _interrupt: Callable[[], None] | None = field(default=None, init=False)

    def cancel(self, reason: OpenClawError | None = None) -> None:
        """
        Request the end of the run, and interrupt the current wait.  Code that cannot be
        interrupted calls L{check} afterwards.  Only the first reason is kept.
        """
        if self.reason is not None:
            return
        self.reason = reason or defaultReason()
        if self._interrupt is not None:
            self._interrupt()

    def check(self) -> None:
        """
        @raise OpenClawError: The reason to stop, if there is one.
        """
        if self.reason is not None:
            raise self.reason

    async def wait(
        self, waiting: "Deferred[T]", interrupt: Callable[[], None] | None = None
    ) -> T:
        """
        Wait for a Deferred, which a cancellation interrupts.

        @param interrupt: Interrupts the operation.  Default: cancel the Deferred.
        """
        self._interrupt = interrupt or waiting.cancel
        if self.reason is not None:
            # It was cancelled while nothing could be interrupted.
            self._interrupt()
        try:
            return await waiting
        finally:
            self._interrupt = None


def defaultReason() -> RunCancelled:
    """
    Make the error for a cancellation without a reason.
    """
    return RunCancelled("The run was cancelled.")
