"""
The real daemon, as a process.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import openclaw
from tests.integration.program import Program

TWISTD = Path(sys.executable).with_name("twistd")
"""
The C{twistd} of the Python that runs the tests.
"""

PROJECT = Path(openclaw.__file__).parents[1]
"""
The tested code, which precedes any installed one.
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

        @param arguments: The arguments after C{twistd -n openclaw}.
        @param environ: Its environment; the path of the tested code is added.
        """
        command = [sys.executable, str(TWISTD), "-n", "--pidfile=", "openclaw"]
        code = {"PYTHONPATH": str(PROJECT)}
        self.start(reactor, [*command, *arguments], {**code, **environ})

    async def ready(self) -> None:
        """
        Wait until it is ready.
        """
        self.url = (await self.line(r"Ready at (\S+)/v1$"))[1]


__all__ = ["TWISTD", "Daemon"]
