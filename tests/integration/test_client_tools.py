"""
The client's tools, with OpenAI's Python SDK.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import openai
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.integration.agent import AgentTestCase, calls, says, wants
from tests.integration.daemon import Daemon
from tests.integration.daemon_case import TOKEN

T = TypeVar("T")

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
A tool of the client.
"""

NAMED: Any = {"type": "function", "function": {"name": "weather"}}
QUESTION: Any = {"role": "user", "content": "Is it raining in Kiel?"}
IN_SESSION = {"extra_headers": {"x-openclaw-session-key": "trip"}}

Ask = Callable[..., Any]
"""
A function that sends a request with a client, and returns the SDK's completion.
"""


def whole(client: openai.OpenAI, **request: Any) -> Any:
    """
    Return the SDK's object for a plain reply.
    """
    return client.chat.completions.create(**request)


def accumulated(client: openai.OpenAI, **request: Any) -> Any:
    """
    Return the SDK's object for a stream.
    """
    with client.chat.completions.stream(**request) as stream:
        return stream.get_final_completion()


def result(call: Any, content: str) -> Any:
    """
    Return the result of a call, as clients send it.
    """
    return {"role": "tool", "tool_call_id": call.id, "content": content}


class ClientToolsTestCase(AgentTestCase):
    """
    A daemon, and the SDK in a thread.
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

    async def ask(self, daemon: Daemon, ask: Ask = accumulated, **request: Any) -> Any:
        """
        Send one request with the tool.

        @return: The only choice.
        """
        request = {"messages": [QUESTION], "tools": [WEATHER], **request}
        completion = await self.withClient(
            daemon, lambda client: ask(client, model="openclaw", **request)
        )
        [choice] = completion.choices
        return choice

    def conversation(self) -> Sequence[Any]:
        """
        Return the messages of the last model call, without the system prompt.
        """
        messages = self.upstream.calls[-1].body["messages"]
        return [message for message in messages if message["role"] != "system"]


class CallTests(ClientToolsTestCase):
    """
    The model calls a tool of the client.
    """

    async def converse(self, ask: Ask) -> Any:
        """
        Send a request, run the call, and send another request with the call and its
        result. Assert that the model gets its own call, and replies.

        @return: The first message, with the call.
        """
        daemon = await self.startAgent()
        self.plays(calls("weather", "I look.", city="Kiel"), says("Yes, it is."))
        first = await self.ask(daemon, ask)
        self.assertEqual(first.finish_reason, "tool_calls")
        message = first.message
        self.assertEqual(message.content, "I look.")
        [called] = message.tool_calls
        self.assertEqual((called.id, called.type), ("call_weather", "function"))
        self.assertEqual(called.function.name, "weather")

        messages = [QUESTION, message, result(called, "rain")]
        second = await self.ask(daemon, ask, messages=messages)
        self.assertEqual(second.message.content, "Yes, it is.")
        self.assertEqual(second.finish_reason, "stop")

        told = self.conversation()
        roles = [message["role"] for message in told]
        self.assertEqual(roles, ["user", "assistant", "tool"])
        self.assertEqual(told[1]["content"], "I look.")
        [known] = told[1]["tool_calls"]
        self.assertEqual(known["id"], "call_weather")
        self.assertEqual(known["function"]["name"], "weather")
        self.assertEqual(json.loads(known["function"]["arguments"]), {"city": "Kiel"})
        self.assertEqual(self.told(), [("call_weather", "rain")])
        return message

    async def test_whole(self) -> None:
        """
        C{create()}: a call has the model's own id.
        """
        [called] = (await self.converse(whole)).tool_calls
        self.assertEqual(json.loads(called.function.arguments), {"city": "Kiel"})

    async def test_streamed(self) -> None:
        """
        C{stream()}: the SDK's accumulator assembles the call from the chunks.
        """
        [called] = (await self.converse(accumulated)).tool_calls
        self.assertEqual(called.function.parsed_arguments, {"city": "Kiel"})

    async def test_argumentsStream(self) -> None:
        """
        A piece of a call's arguments arrives before the model sends the next.
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
                    # The chunk with the name has an empty piece, as in OpenAI's API.
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

    async def test_several(self) -> None:
        """
        Two calls of one turn have their own ids, and their results reach the model, in
        any order.
        """
        daemon = await self.startAgent()
        turn = wants(("weather", {"city": "Kiel"}), ("weather", {"city": "Bonn"}))
        for ask in (whole, accumulated):
            self.plays(turn, says("In Kiel only."))
            first = await self.ask(daemon, ask, parallel_tool_calls=True)
            self.assertIs(self.upstream.calls[-1].body["parallel_tool_calls"], True)
            kiel, bonn = first.message.tool_calls
            written = [
                json.loads(call.function.arguments)["city"] for call in (kiel, bonn)
            ]
            self.assertEqual(written, ["Kiel", "Bonn"])
            self.assertNotEqual(kiel.id, bonn.id)

            results = [result(bonn, "sun"), result(kiel, "rain")]
            messages = [QUESTION, first.message, *results]
            second = await self.ask(daemon, ask, messages=messages)
            self.assertEqual(second.message.content, "In Kiel only.")
            self.assertEqual(dict(self.told()), {kiel.id: "rain", bonn.id: "sun"})

    async def test_besideTheAgentsOwn(self) -> None:
        """
        In one run the agent uses its own tool, which the client does not notice, and
        then calls one of the client's.
        """
        daemon = await self.startAgent()
        (self.workspace / "city.txt").write_text("Kiel\n")
        self.plays(calls("read", path="city.txt"), calls("weather", city="Kiel"))
        choice = await self.ask(daemon)
        self.assertEqual(choice.finish_reason, "tool_calls")
        [called] = choice.message.tool_calls
        self.assertEqual(called.function.name, "weather")
        [(_, read)] = self.told()
        self.assertIn("Kiel", read)

    async def test_besideTheAgentsOwnAtOnce(self) -> None:
        """
        The model calls a tool of each in one turn: the agent's is run, the client gets
        its own, and both results are in the next turn of the session.
        """
        daemon = await self.startAgent()
        (self.workspace / "city.txt").write_text("Kiel\n")
        both = wants(("read", {"path": "city.txt"}), ("weather", {"city": "Kiel"}))
        self.plays(both, says("Yes."))
        first = await self.ask(daemon, **IN_SESSION)
        [called] = first.message.tool_calls
        self.assertEqual(called.function.name, "weather")

        messages = [QUESTION, first.message, result(called, "rain")]
        second = await self.ask(daemon, messages=messages, **IN_SESSION)
        self.assertEqual(second.message.content, "Yes.")
        told = dict(self.told())
        self.assertIn("Kiel", told["call_read"])
        self.assertEqual(told[called.id], "rain")


class ChoiceTests(ClientToolsTestCase):
    """
    C{tool_choice}.
    """

    async def test_reachesTheModel(self) -> None:
        """
        Each kind of choice reaches the model.
        """
        daemon = await self.startAgent()
        self.upstream.answer = calls("weather", city="Kiel")
        for choice in ("auto", "required", NAMED):
            for ask in (whole, accumulated):
                got = await self.ask(daemon, ask, tool_choice=choice)
                self.assertEqual(got.finish_reason, "tool_calls")
                sent = self.upstream.calls[-1].body.get("tool_choice", "auto")
                self.assertEqual(sent, choice)

    async def test_none(self) -> None:
        """
        With C{none} the model can't call the client's tools; the agent's own are not
        affected.
        """
        daemon = await self.startAgent()
        self.plays(says("Look out of the window."))
        choice = await self.ask(daemon, tool_choice="none")
        self.assertEqual(choice.message.content, "Look out of the window.")
        self.assertEqual(choice.finish_reason, "stop")
        self.assertNotIn("weather", self.offered())
        self.assertIn("read", self.offered())

    async def test_unmet(self) -> None:
        """
        A model that does not make the required call is an error.
        """
        daemon = await self.startAgent()
        self.upstream.answer = says("No.")
        for choice in ("required", NAMED):
            error = await self.assertFailure(
                self.withClient(
                    daemon,
                    lambda client, choice=choice: whole(
                        client,
                        model="openclaw",
                        messages=[QUESTION],
                        tools=[WEATHER],
                        tool_choice=choice,
                    ),
                ),
                openai.InternalServerError,
            )
            self.assertEqual(error.status_code, 502)
            self.assertEqual(error.code, "tool_choice_unmet")


class SessionTests(ClientToolsTestCase):
    """
    Tool calls in a session.
    """

    def assertKnown(self, content: str, *more: str) -> None:
        """
        Assert that the model got each message once, in order.

        @param content: The result of the call.
        @param more: The roles of the following messages.
        """
        told = self.conversation()
        roles = [message["role"] for message in told]
        self.assertEqual(roles, ["user", "assistant", "tool", *more])
        [known] = told[1]["tool_calls"]
        self.assertEqual(known["id"], "call_weather")
        [(callID, said)] = self.told()
        self.assertEqual(callID, "call_weather")
        self.assertIn(content, said)

    async def test_followUp(self) -> None:
        """
        A client that sends the whole conversation with the result does not duplicate
        it; the next turn needs only the new messages.
        """
        daemon = await self.startAgent()
        for ask, key in ((whole, "one"), (accumulated, "two")):
            session = {"extra_headers": {"x-openclaw-session-key": key}}
            self.plays(calls("weather", city="Kiel"), says("Yes."), says("Bye."))
            first = await self.ask(daemon, ask, **session)
            [called] = first.message.tool_calls
            messages = [QUESTION, first.message, result(called, "rain")]
            second = await self.ask(daemon, ask, messages=messages, **session)
            self.assertEqual(second.message.content, "Yes.")
            self.assertKnown("rain")

            thanks = [{"role": "user", "content": "Thanks."}]
            third = await self.ask(daemon, ask, messages=thanks, **session)
            self.assertEqual(third.message.content, "Bye.")
            self.assertKnown("rain", "assistant", "user")

    async def test_givenUp(self) -> None:
        """
        A client that sends another message instead of the result gets a reply: the
        model is told that there is no result.
        """
        daemon = await self.startAgent()
        self.plays(calls("weather", city="Kiel"), says("Fine."))
        await self.ask(daemon, **IN_SESSION)
        other = [{"role": "user", "content": "Never mind."}]
        second = await self.ask(daemon, messages=other, **IN_SESSION)
        self.assertEqual(second.message.content, "Fine.")
        self.assertKnown("no result", "user")
