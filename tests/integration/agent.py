"""
A daemon whose agent has tools, and what the test's model does with them.
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
    A turn of the model in which it calls tools, perhaps behind some words.

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
    A turn in which it calls one tool.
    """
    return wants((name, arguments), text=text)


def says(*texts: str) -> Turn:
    """
    A turn of the model in which it answers.
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
        Make the workspace.
        """
        super().setUp()
        self.workspace = self.folder / "workspace"
        self.workspace.mkdir()

    async def startAgent(
        self, changes: Mapping[str, Any] | None = None, **defaults: Any
    ) -> Daemon:
        """
        Start the daemon.

        @param changes: More of its configuration.

        @param defaults: More of the agents' defaults.
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
        From now on the model takes these turns.
        """
        left = list(turns)
        self.upstream.answer = lambda call: left.pop(0)(call)

    def told(self, index: int = -1) -> list[tuple[str, str]]:
        """
        The results of tools that the model was told in a call: the ids of the calls
        of tools, and what came of them.
        """
        return [
            (message["tool_call_id"], message["content"])
            for message in self.upstream.calls[index].body["messages"]
            if message["role"] == "tool"
        ]

    def offered(self, index: int = -1) -> set[str]:
        """
        The names of the tools that the model was offered in a call.
        """
        tools = self.upstream.calls[index].body.get("tools", ())
        return {tool["function"]["name"] for tool in tools}


__all__ = ["USAGE", "AgentTestCase", "Turn", "calls", "says", "wants"]
