"""
Tests for L{openclaw_example.disk}.
"""

import os
from pathlib import Path
from typing import Any

from openclaw_example.disk import GIB, DiskSpaceTool
from twisted.internet import reactor
from twisted.logger import Logger
from twisted.plugin import getPlugins
from twisted.trial.unittest import TestCase

import openclaw.plugins
from openclaw.interfaces import ITool, ToolContext, ToolError
from openclaw.testing import MemorySessionStore
from openclaw.tools.catalogue import checkTool


def look(path: str) -> os.statvfs_result:
    """
    A machine with one disk of 4 GiB, of which a quarter is free.
    """
    if path != "/":
        raise FileNotFoundError(2, "No such file or directory", path)
    return os.statvfs_result((GIB, GIB, 4, 2, 1, 0, 0, 0, 0, 255))


class DiskSpaceTests(TestCase):
    """
    A model can ask how full the disks are.
    """

    def setUp(self) -> None:
        """
        Have the tool.
        """
        self.tool = DiskSpaceTool(look)

    def context(self, settings: Any) -> ToolContext:
        """
        Return the context of a call.

        @param settings: The settings in C{tools.plugins.disk_space}.
        """
        return ToolContext(
            agentID="main",
            sessionKey="agent:main:main",
            runID="run_1",
            workspace=Path(),
            reactor=reactor,
            sessions=MemorySessionStore(clock=reactor),
            settings=settings,
            log=Logger(),
        )

    async def test_default(self) -> None:
        """
        By default there is the root's file system.
        """
        said = await self.tool.run({}, self.context({}))
        self.assertEqual(said, "/: 1.0 GiB of 4.0 GiB are free")

    async def test_configured(self) -> None:
        """
        Others can be configured; one that is not there does not hide the rest.
        """
        said = await self.tool.run({}, self.context({"paths": ["/gone", "/"]}))
        self.assertEqual(
            said,
            "/gone: No such file or directory\n/: 1.0 GiB of 4.0 GiB are free",
        )

    async def test_refused(self) -> None:
        """
        A model sees no others, and is told which there are.
        """
        asked = self.tool.run({"path": "/root"}, self.context({"paths": ["/", "/var"]}))
        error = await self.assertFailure(asked, ToolError)
        self.assertEqual(str(error), "No such disk. There are: /, /var")

    def test_found(self) -> None:
        """
        OpenClaw finds the tool, and nothing is wrong with it.
        """
        tools = {tool.name: tool for tool in getPlugins(ITool, openclaw.plugins)}
        reader = checkTool(tools["disk_space"])
        self.assertEqual(reader.read('{"path": "/"}'), {"path": "/"})
