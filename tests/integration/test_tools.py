"""
Agents that do something, with tools of their own and with those of the client.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import openai
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

import openclaw
from openclaw.testing import ServedCall
from tests.integration.caller import Connection, frames, streamedWords
from tests.integration.daemon import Daemon
from tests.integration.house import TOKEN, HouseTestCase
from tests.integration.processes import Watch, missingProcesses

T = TypeVar("T")

PROJECT = Path(openclaw.__file__).parents[1]
"""
Where the daemon shall find what the tests test.
"""

USAGE = {"prompt_tokens": 7, "completion_tokens": 3}

WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tell the weather.",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
"""
A tool that the client has.
"""

QUESTION: Any = {"role": "user", "content": "Is it raining in Kiel?"}

Turn = Callable[[ServedCall], None]


def calls(name: str, text: str = "", **arguments: Any) -> Turn:
    """
    A turn of the model in which it calls a tool, perhaps behind some words.
    """

    def turn(call: ServedCall) -> None:
        if text:
            call.say(text)
        function = {"name": name, "arguments": json.dumps(arguments)}
        entry = {"index": 0, "id": f"call_{name}", "type": "function"}
        call.delta(tool_calls=[{**entry, "function": function}])
        call.finish("tool_calls", USAGE)

    return turn


def says(text: str) -> Turn:
    """
    A turn of the model in which it answers.
    """

    def turn(call: ServedCall) -> None:
        call.say(text)
        call.finish(usage=USAGE)

    return turn


def accumulated(client: openai.OpenAI, **request: Any) -> Any:
    """
    What the SDK makes of a stream.
    """
    with client.chat.completions.stream(**request) as stream:
        return stream.get_final_completion()


class ToolsTestCase(HouseTestCase):
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

    def environment(self, **more: str) -> dict[str, str]:
        """
        That of every gateway, with the code under test before any other.
        """
        return super().environment(PYTHONPATH=str(PROJECT), **more)

    async def startAgent(self, **defaults: Any) -> Daemon:
        """
        Start the daemon.

        @param defaults: More of the agents' defaults.
        """
        agent = {
            "workspace": str(self.workspace),
            "tools": {"profile": "coding"},
            **defaults,
        }
        config = self.configure({"agents": {"defaults": agent}})
        return await self.startDaemon(config=config)

    def plays(self, *turns: Turn) -> None:
        """
        From now on the model takes these turns.
        """
        left = list(turns)
        self.upstream.answer = lambda call: left.pop(0)(call)


class OwnToolTests(ToolsTestCase):
    """
    The agent's own tools: the client sees nothing but what the agent says.
    """

    def playFiles(self) -> None:
        """
        Let the model write a file, read it, and answer.
        """
        self.plays(
            calls("write", "I note it.", path="notes/a.txt", content="milk\neggs\n"),
            calls("read", path="notes/a.txt"),
            says("You need milk and eggs."),
        )

    def assertFilesUsed(self) -> None:
        """
        Assert that the file was written, and that the model has read it.
        """
        written = self.workspace / "notes" / "a.txt"
        self.assertEqual(written.read_text(), "milk\neggs\n")
        self.assertEqual(len(self.upstream.calls), 3)
        offered = self.upstream.calls[0].body["tools"]
        names = {tool["function"]["name"] for tool in offered}
        self.assertLessEqual({"read", "write", "edit", "ls", "grep", "exec"}, names)
        told = [
            (message["tool_call_id"], message["content"])
            for message in self.upstream.calls[-1].body["messages"]
            if message["role"] == "tool"
        ]
        self.assertEqual([callID for callID, _ in told], ["call_write", "call_read"])
        self.assertFalse(told[0][1].startswith("Error"), told[0][1])
        self.assertIn("milk", told[1][1])
        self.assertIn("eggs", told[1][1])

    async def test_filesStreamed(self) -> None:
        """
        An agent writes and reads a file in a run; the stream holds the texts of its
        turns, set apart, and one end.
        """
        daemon = await self.startAgent()
        self.playFiles()
        answer = await self.caller(daemon).ask("Remember milk, eggs.", stream=True)
        text = await answer.whole()
        self.assertEqual(streamedWords(text), "I note it.\n\nYou need milk and eggs.")
        self.assertNotIn("tool_calls", text)
        reasons = [
            choice["finish_reason"]
            for frame in frames(text)
            if isinstance(frame, dict)
            for choice in frame["choices"]
            if choice["finish_reason"] is not None
        ]
        self.assertEqual(reasons, ["stop"])
        self.assertFilesUsed()

    async def test_filesWhole(self) -> None:
        """
        The same without a stream; the price is that of all calls of the model.
        """
        daemon = await self.startAgent()
        self.playFiles()
        answer = await (await self.caller(daemon).ask("Remember milk, eggs.")).json()
        [choice] = answer["choices"]
        self.assertEqual(
            choice["message"]["content"], "I note it.\n\nYou need milk and eggs."
        )
        self.assertFalse(choice["message"].get("tool_calls"))
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertEqual(answer["usage"]["total_tokens"], 3 * 10)
        self.assertFilesUsed()

    async def test_calledAreLogged(self) -> None:
        """
        Each call of a tool is a line of the log, and what was in the file is not.
        """
        daemon = await self.startAgent()
        self.playFiles()
        await (await self.caller(daemon).ask("Remember milk, eggs.")).whole()
        await daemon.line(r"tool write run=run_\w+ agent=main outcome=ok")
        await daemon.line(r"tool read run=run_\w+ agent=main outcome=ok")
        self.assertNotIn("milk", daemon.text)

    async def test_withoutAnEnd(self) -> None:
        """
        A model that only ever calls tools is stopped at the bound, with an error that
        says so, streamed or not.
        """
        caller = self.caller(await self.startAgent(maxModelCalls=3))
        self.upstream.answer = calls("ls")
        whole = await caller.ask("hi")
        self.assertEqual(whole.status, 502)
        error = (await whole.json())["error"]
        self.assertEqual(error["code"], "max_model_calls")
        self.assertIn("3 times", error["message"])
        self.assertEqual(len(self.upstream.calls), 3)

        streamed = await (await caller.ask("hi", stream=True)).whole()
        self.assertIn('"max_model_calls"', streamed)
        self.assertEqual(len(self.upstream.calls), 6)


class GoneCallerTests(ToolsTestCase):
    """
    A caller who leaves while a command runs.
    """

    skip = missingProcesses()

    async def leftDuringCommand(
        self, daemon: Daemon, leave: Callable[[Connection], None], **fields: Any
    ) -> None:
        """
        Leave while a command and a child of its own run, and wait for their ends.
        """
        ready = self.workspace / "ready"
        os.mkfifo(ready)
        command = f"sleep 600 & echo $$ $! > {ready.name}; wait"
        self.upstream.answer = calls("exec", command=command)
        reading = self.start("cat", str(ready))
        connection = await self.caller(daemon).connect("hi", **fields)
        told = await reading.line(r"^(\d+) (\d+)$")
        watches = [Watch(reactor, int(pid)) for pid in told.groups()]
        for watch in watches:
            self.addCleanup(watch.stop)
        cancelled = daemon.nextLine("tool exec run=.* outcome=cancelled")
        leave(connection)
        await gatherResults([watch.ended for watch in watches])
        await cancelled
        ready.unlink()

    async def test_commandIsEnded(self) -> None:
        """
        The command is gone with the caller, and so is what it started; the model is
        not asked again.
        """
        daemon = await self.startAgent()
        await self.leftDuringCommand(daemon, Connection.close, stream=True)
        await self.leftDuringCommand(daemon, Connection.reset)
        await self.leftDuringCommand(daemon, Connection.close, user="u")
        self.assertEqual(len(self.upstream.calls), 3)


class ClientToolTests(ToolsTestCase):
    """
    The client's own tools, by OpenAI's Python SDK as its users use it.
    """

    def withClient(
        self, daemon: Daemon, work: Callable[[openai.OpenAI], T]
    ) -> "Deferred[T]":
        """
        Use the blocking client in a thread.
        """

        def use() -> T:
            with openai.OpenAI(
                base_url=f"{daemon.url}/v1", api_key=TOKEN, max_retries=0
            ) as client:
                return work(client)

        return deferToThread(use)

    def assertFollowedUp(self) -> None:
        """
        Assert that the model was told the result of the call that it had made.
        """
        conversation = [
            message
            for message in self.upstream.calls[-1].body["messages"]
            if message["role"] != "system"
        ]
        roles = [message["role"] for message in conversation]
        self.assertEqual(roles, ["user", "assistant", "tool"])
        [called] = conversation[1]["tool_calls"]
        self.assertEqual(called["id"], "call_weather")
        self.assertEqual(called["function"]["name"], "weather")
        self.assertEqual(json.loads(called["function"]["arguments"]), {"city": "Kiel"})
        self.assertEqual(conversation[2]["tool_call_id"], "call_weather")
        self.assertEqual(conversation[2]["content"], "rain")

    async def converse(self, ask: Callable[..., Any]) -> Any:
        """
        Ask, do what the model wants, and ask again with what it said and the result.
        Assert that it answers then, and that it knows its own call again.

        @param ask: Asks once, given the client and the request; returns a completion
            of the SDK, whose message is sent back as it is.

        @return: The first message, which calls the tool.
        """
        daemon = await self.startAgent()
        self.plays(calls("weather", "I look.", city="Kiel"), says("Yes, it is."))

        def work(client: openai.OpenAI) -> tuple[Any, Any]:
            request = {"model": "openclaw", "tools": [WEATHER]}
            first = ask(client, messages=[QUESTION], tool_choice="required", **request)
            message = first.choices[0].message
            callID = message.tool_calls[0].id
            result = {"role": "tool", "tool_call_id": callID, "content": "rain"}
            return first, ask(client, messages=[QUESTION, message, result], **request)

        first, second = await self.withClient(daemon, work)
        self.assertEqual(first.choices[0].finish_reason, "tool_calls")
        self.assertEqual(self.upstream.calls[0].body["tool_choice"], "required")
        self.assertEqual(second.choices[0].message.content, "Yes, it is.")
        self.assertEqual(second.choices[0].finish_reason, "stop")
        self.assertFollowedUp()
        return first.choices[0].message

    async def test_whole(self) -> None:
        """
        C{create()}: a call comes back with the model's own id.
        """
        message = await self.converse(
            lambda client, **request: client.chat.completions.create(**request)
        )
        self.assertEqual(message.content, "I look.")
        [called] = message.tool_calls
        self.assertEqual((called.id, called.type), ("call_weather", "function"))
        self.assertEqual(called.function.name, "weather")
        self.assertEqual(json.loads(called.function.arguments), {"city": "Kiel"})

    async def test_streamed(self) -> None:
        """
        C{stream()}: the SDK's accumulator makes the call of the chunks.
        """
        message = await self.converse(accumulated)
        self.assertEqual(message.content, "I look.")
        [called] = message.tool_calls
        self.assertEqual(called.id, "call_weather")
        self.assertEqual(called.function.parsed_arguments, {"city": "Kiel"})

    async def test_argumentsStream(self) -> None:
        """
        A piece of a call's arguments can be read before the model says the next.
        """
        daemon = await self.startAgent()
        asked = self.upstream.nextCall()
        first: Deferred[str] = Deferred()

        def read(client: openai.OpenAI) -> list[str]:
            pieces: list[str] = []
            with client.chat.completions.stream(
                model="openclaw", messages=[QUESTION], tools=[WEATHER]
            ) as stream:
                for event in stream:
                    if event.type != "tool_calls.function.arguments.delta":
                        continue
                    # The chunk with the name has an empty piece, as OpenAI's has.
                    if event.arguments_delta and not any(pieces):
                        reactor.callFromThread(first.callback, event.arguments_delta)
                    pieces.append(event.arguments_delta)
            return pieces

        reading = self.withClient(daemon, read)
        call = await asked
        function = {"name": "weather", "arguments": '{"city"'}
        entry = {"index": 0, "id": "call_weather", "type": "function"}
        call.delta(tool_calls=[{**entry, "function": function}])
        self.assertEqual(await first, '{"city"')
        call.delta(tool_calls=[{"index": 0, "function": {"arguments": ': "Kiel"}'}}])
        call.finish("tool_calls")
        self.assertEqual("".join(await reading), '{"city": "Kiel"}')

    async def test_besideTheAgentsOwn(self) -> None:
        """
        In one run the agent uses a tool of its own, of which the client is told
        nothing, and then asks for one of the client's.
        """
        daemon = await self.startAgent()
        (self.workspace / "city.txt").write_text("Kiel\n")
        self.plays(calls("read", path="city.txt"), calls("weather", city="Kiel"))

        completion = await self.withClient(
            daemon,
            lambda client: accumulated(
                client, model="openclaw", messages=[QUESTION], tools=[WEATHER]
            ),
        )
        [choice] = completion.choices
        self.assertEqual(choice.finish_reason, "tool_calls")
        [called] = choice.message.tool_calls
        self.assertEqual(called.function.name, "weather")
        self.assertIn("Kiel", self.upstream.calls[1].body["messages"][-1]["content"])
