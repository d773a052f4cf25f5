"""
Backends: the processes that do a gateway's work.
"""

from collections.abc import Awaitable
from typing import Protocol

from twisted.logger import Logger

from openclaw.composition import Composition


class Backend(Protocol):
    """
    The part of a gateway that serves requests: this process, or several workers.
    """

    def start(self) -> Awaitable[None]:
        """
        Prepare for requests.

        @raise OpenClawError: They can't be served.
        """

    async def reload(self) -> None:
        """
        Apply the new configuration, which this process has already loaded.
        """

    def drain(self, seconds: float) -> Awaitable[None]:
        """
        Wait for runs in progress, and cancel those that remain after C{seconds}.
        """

    def cancelRuns(self) -> None:
        """
        Cancel the runs in progress.
        """


class InProcessBackend:
    def __init__(self, composition: Composition, log: Logger) -> None:
        self._composition = composition
        self._log = log

    async def start(self) -> None:
        await self._composition.start()

    async def reload(self) -> None:
        pass  # The composition is reconfigured by the service.

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
