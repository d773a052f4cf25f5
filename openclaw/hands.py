"""
Who does a gateway's work.
"""

from collections.abc import Awaitable
from typing import Protocol

from twisted.logger import Logger

from openclaw.assembly import Assembly


class Hands(Protocol):
    """
    What does a gateway's work: the process itself, or several others.
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

    def hurry(self) -> None:
        """
        Wait for them no longer.
        """


class OwnHands:
    """
    The process itself.
    """

    def __init__(self, assembly: Assembly, log: Logger) -> None:
        self._assembly = assembly
        self._log = log

    async def start(self) -> None:
        """
        See L{Hands.start}.
        """
        await self._assembly.start()

    async def reload(self) -> None:
        """
        See L{Hands.reload}.
        """

    async def drain(self, seconds: float) -> None:
        """
        See L{Hands.drain}.
        """
        runtime = self._assembly.runtime
        if runtime.runs:
            self._log.info(
                "Draining: {count} runs may go on for {seconds:g} s",
                count=len(runtime.runs),
                seconds=seconds,
            )
        await runtime.drain(seconds)

    def hurry(self) -> None:
        """
        See L{Hands.hurry}.
        """
        self._assembly.runtime.endAll()


__all__ = ["Hands", "OwnHands"]
