"""
Tests of L{openclaw.agents.agent_tools}.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import get_ident
from typing import Any

import msgspec
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from openclaw.agents.agent_tools import AgentTools
from openclaw.agents.workspace import WorkspaceContents
from openclaw.config import AgentSettings
from openclaw.config.agent_settings import ToolSelection
from openclaw.interfaces import ITool, ToolContext, ToolSpec
from openclaw.tools.catalogue import Catalogue
from tests.agents.run_harness import AGENT

NAMES = ("read", "write", "web_fetch", "greet")


@implementer(ITool)
class NamedOnly:
    """
    A tool that does nothing.
    """

    readOnly = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.description = f"The tool {name}."
        self.parameters = {
            "type": "object",
            "properties": {"path": {"type": "string"}},
            "required": ["path"],
        }

    def run(self, arguments: Mapping[str, Any], context: ToolContext) -> Deferred[str]:
        return succeed("Done.")


class AgentToolsTestCase(SynchronousTestCase):
    """
    A test case with a few installed tools.
    """

    def setUp(self) -> None:
        """
        Reset the count of searches.
        """
        self.looked = 0
        self.agentTools = AgentTools(Catalogue(log=Logger(), find=self.find))

    def find(self) -> Iterable[NamedOnly]:
        """
        Find the tools, and count the searches.
        """
        self.looked += 1
        return [NamedOnly(name) for name in NAMES]

    def agent(
        self, agentID: str = "main", workspace: Path | None = None, **policy: Any
    ) -> AgentSettings:
        """
        Return an agent with this policy.
        """
        return msgspec.structs.replace(
            AGENT, id=agentID, workspace=workspace, tools=ToolSelection(**policy)
        )

    def names(self, **policy: Any) -> list[str]:
        """
        Return the tools of an agent with this policy.
        """
        return list(self.agentTools.selectTools(self.agent(**policy)))


class ToolTests(AgentToolsTestCase):
    """
    An agent has the tools of its policy.
    """

    def test_profiles(self) -> None:
        """
        Its profile gives the basic set.
        """
        self.assertEqual(self.names(profile="readonly"), ["read"])
        self.assertEqual(self.names(profile="coding"), ["read", "write", "web_fetch"])
        self.assertEqual(self.names(profile="full"), list(NAMES))

    def test_allow(self) -> None:
        """
        It can have more tools than its profile's.
        """
        self.assertEqual(
            self.names(profile="readonly", allow=("greet",)), ["read", "greet"]
        )
        self.assertEqual(self.names(profile="none", allow=("greet",)), ["greet"])

    def test_deny(self) -> None:
        """
        A denied tool is never offered, whatever else is configured.
        """
        self.assertEqual(
            self.names(profile="full", allow=("write",), deny=("write", "greet")),
            ["read", "web_fetch"],
        )

    def test_unknown(self) -> None:
        """
        A tool that is not installed is not offered.
        """
        self.assertEqual(self.names(allow=("gone",)), [])

    def test_none(self) -> None:
        """
        For agents without tools, tools are not searched.
        """
        self.assertEqual(self.names(profile="none", deny=("read",)), [])
        self.assertEqual(self.looked, 0)

    def test_once(self) -> None:
        """
        For all others they are searched once.
        """
        for _ in range(2):
            self.names(profile="full")
            self.names(profile="readonly")
        self.assertEqual(self.looked, 1)

    def test_eachItsOwn(self) -> None:
        """
        Tools permitted to one agent are not permitted to another.
        """
        self.agentTools.selectTools(self.agent(profile="full"))
        other = self.agent("other", profile="readonly")
        self.assertEqual(list(self.agentTools.selectTools(other)), ["read"])

    def test_permits(self) -> None:
        """
        A caller can use only the permitted ones of the agent's tools.
        """
        for permitted, expected in [
            (NAMES, ["read", "write", "web_fetch"]),
            (("write", "greet"), ["write"]),
            ((), []),
        ]:
            tools = self.agentTools.selectTools(
                self.agent(profile="coding"), lambda name, p=permitted: name in p
            )
            self.assertEqual(list(tools), expected)

    def test_offered(self) -> None:
        """
        Each has its description for the model, and the validator of its arguments.
        """
        tools = self.agentTools.selectTools(self.agent(profile="readonly"))
        offered = tools["read"]
        parameters = NamedOnly("read").parameters
        self.assertEqual(offered.spec(), ToolSpec("read", "The tool read.", parameters))
        self.assertEqual(offered.reader.read('{"path": "a"}'), {"path": "a"})


class WorkspaceTests(AgentToolsTestCase):
    """
    Workspaces of agents.
    """

    def test_none(self) -> None:
        """
        An agent may have none.
        """
        self.assertIsNone(self.agentTools.getWorkspace(self.agent()))

    def test_kept(self) -> None:
        """
        The cached content of a workspace is kept for later runs, also after a reload
        that does not change it.
        """
        first = self.agentTools.getWorkspace(self.agent(workspace=Path("/a")))
        self.assertEqual(first.path, Path("/a"))
        again = self.agent(workspace=Path("/a"), profile="full")
        self.assertIs(self.agentTools.getWorkspace(again), first)

    def test_moved(self) -> None:
        """
        A reload can change the workspace.
        """
        self.agentTools.getWorkspace(self.agent(workspace=Path("/a")))
        moved = self.agentTools.getWorkspace(self.agent(workspace=Path("/b")))
        self.assertEqual(moved.path, Path("/b"))
        self.assertIsNone(self.agentTools.getWorkspace(self.agent()))

    def test_eachItsOwn(self) -> None:
        """
        Each agent has its own.
        """
        first = self.agentTools.getWorkspace(self.agent(workspace=Path("/a")))
        other = self.agentTools.getWorkspace(self.agent("b", workspace=Path("/b")))
        self.assertEqual((first.path, other.path), (Path("/a"), Path("/b")))
        again = self.agentTools.getWorkspace(self.agent(workspace=Path("/a")))
        self.assertIs(again, first)


class RefreshTests(TestCase):
    """
    Workspaces are read in a thread.
    """

    def setUp(self) -> None:
        """
        Create a workspace, and record the threads that read it.
        """
        path = Path(self.mktemp())
        path.mkdir()
        (path / "SOUL.md").write_text("Be kind.")
        self.agent = msgspec.structs.replace(AGENT, workspace=path)
        self.agentTools = AgentTools(Catalogue(log=Logger(), find=tuple))
        workspace = self.agentTools.getWorkspace(self.agent)
        assert workspace is not None
        self.workspace = workspace
        self.threads: list[int] = []
        refresh = workspace.refresh

        def watched() -> WorkspaceContents:
            self.threads.append(get_ident())
            return refresh()

        self.patch(workspace, "refresh", watched)

    def refresh(self) -> "Deferred[None]":
        """
        Read the workspace.
        """
        return Deferred.fromCoroutine(self.agentTools.refresh(self.agent, reactor))

    async def test_thread(self) -> None:
        """
        The reactor's thread reads nothing.
        """
        await self.refresh()
        self.assertEqual(self.workspace.contents.texts, [("SOUL.md", "Be kind.")])
        self.assertNotIn(get_ident(), self.threads)
        self.assertEqual(len(self.threads), 1)

    async def test_together(self) -> None:
        """
        Concurrent requests share one thread; cancelling one does not affect the others.
        """
        first, gone, last = [self.refresh() for _ in range(3)]
        gone.cancel()
        self.failureResultOf(gone, CancelledError)
        await first
        await last
        self.assertEqual(len(self.threads), 1)
        await self.refresh()
        self.assertEqual(len(self.threads), 2)

    async def test_failing(self) -> None:
        """
        An unexpected failure is logged, and the run continues with the cached content.
        """

        def broken() -> WorkspaceContents:
            raise ValueError

        self.patch(self.workspace, "refresh", broken)
        await self.refresh()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_none(self) -> None:
        """
        Without a workspace there is no wait.
        """
        agent = msgspec.structs.replace(AGENT, workspace=None)
        done = Deferred.fromCoroutine(self.agentTools.refresh(agent, reactor))
        self.successResultOf(done)
