"""
A daemon whose agent has tools, and a model that calls them.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from openclaw.testing import ServedCall
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import DaemonTestCase

USAGE = {"prompt_tokens": 7, "completion_tokens": 3}

Turn = Callable[[ServedCall], None]


def wants(*wanted: tuple[str, Mapping[str, Any]], text: str = "") -> Turn:
    """
    A reply of the model with tool calls, optionally after some text.

    @param wanted: The names of the tools, and their arguments.
    """

    def turn(call: ServedCall) -> None:
        if text:
            call.say(text)
        for index, (name, arguments) in enumerate(wanted):
            written = json.dumps(arguments)
            half = len(written) // 2
            callID = f"call_{name}_{index}" if index else f"call_{name}"
            entry = {"index": index, "id": callID, "type": "function"}
            function = {"name": name, "arguments": ""}
            call.delta(tool_calls=[{**entry, "function": function}])
            for piece in (written[:half], written[half:]):
                more = {"index": index, "function": {"arguments": piece}}
                call.delta(tool_calls=[more])
        call.finish("tool_calls", USAGE)

    return turn


def calls(name: str, text: str = "", **arguments: Any) -> Turn:
    """
    A reply with one tool call.
    """
    return wants((name, arguments), text=text)


def says(*texts: str) -> Turn:
    """
    A reply with text.
    """

    def turn(call: ServedCall) -> None:
        call.say(*texts)
        call.finish(usage=USAGE)

    return turn


class AgentTestCase(DaemonTestCase):
    """
    A daemon whose agent has tools and a workspace.

    @ivar workspace: The agent's directory.
    """

    def setUp(self) -> None:
        """
        Create the workspace.
        """
        super().setUp()
        self.workspace = self.folder / "workspace"
        self.workspace.mkdir()

    async def startAgent(
        self, changes: Mapping[str, Any] | None = None, **defaults: Any
    ) -> Daemon:
        """
        Start the daemon.

        @param changes: Further configuration.
        @param defaults: Further defaults of agents.
        """
        agent = {
            "workspace": str(self.workspace),
            "tools": {"profile": "coding"},
            **defaults,
        }
        config = {**(changes or {}), "agents": {"defaults": agent}}
        return await self.startDaemon(config=self.configure(config))

    def plays(self, *turns: Turn) -> None:
        """
        Let the model send these replies from now on.
        """
        left = list(turns)
        self.upstream.answer = lambda call: left.pop(0)(call)

    def told(self, index: int = -1) -> list[tuple[str, str]]:
        """
        Return the tool results in a model call: the ids of the calls, and their
        results.
        """
        return [
            (message["tool_call_id"], message["content"])
            for message in self.upstream.calls[index].body["messages"]
            if message["role"] == "tool"
        ]

    def offered(self, index: int = -1) -> set[str]:
        """
        Return the names of the tools in a model call.
        """
        tools = self.upstream.calls[index].body.get("tools", ())
        return {tool["function"]["name"] for tool in tools}


__all__ = ["USAGE", "AgentTestCase", "Turn", "calls", "says", "wants"]
