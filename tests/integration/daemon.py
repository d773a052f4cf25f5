"""
The real daemon, as a process.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.integration.program import Program

TWISTD = Path(sys.executable).with_name("twistd")
"""
The C{twistd} of the Python that runs the tests.
"""


class Daemon(Program):
    """
    A C{twistd openclaw} in the foreground.

    @ivar url: Its base URL, once it is ready.
    """

    url = ""

    def serve(
        self, reactor: Any, arguments: Sequence[str], environ: Mapping[str, str]
    ) -> None:
        """
        Start it.

        @param arguments: What stands behind C{twistd -n openclaw}.
        """
        command = [sys.executable, str(TWISTD), "-n", "--pidfile=", "openclaw"]
        self.start(reactor, [*command, *arguments], environ)

    async def ready(self) -> None:
        """
        Wait until it serves.
        """
        self.url = (await self.line(r"Ready at (\S+)/v1$"))[1]


__all__ = ["TWISTD", "Daemon"]
