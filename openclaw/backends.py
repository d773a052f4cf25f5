"""
Backends: the processes that do a gateway's work.
"""

from collections.abc import Awaitable
from typing import Protocol

from twisted.logger import Logger

from openclaw.composition import Composition


class Backend(Protocol):
    """
    Does a gateway's work: the process itself, or several others.
    """

    def start(self) -> Awaitable[None]:
        """
        Make ready for requests.

        @raise OpenClawError: They can't be served.
        """

    async def reload(self) -> None:
        """
        The configuration has been read again, and is in force here.
        """

    def drain(self, seconds: float) -> Awaitable[None]:
        """
        Let runs in progress end for so long, then end them.
        """

    def cancelRuns(self) -> None:
        """
        Wait for them no longer.
        """


class InProcessBackend:
    """
    The process itself.
    """

    def __init__(self, composition: Composition, log: Logger) -> None:
        self._composition = composition
        self._log = log

    async def start(self) -> None:
        await self._composition.start()

    async def reload(self) -> None:
        """
        See L{Backend.reload}.
        """

    async def drain(self, seconds: float) -> None:
        runtime = self._composition.runtime
        if runtime.runs:
            self._log.info(
                "Draining: {count} runs may go on for {seconds:g} s",
                count=len(runtime.runs),
                seconds=seconds,
            )
        await runtime.drain(seconds)

    def cancelRuns(self) -> None:
        self._composition.runtime.cancelAll()
