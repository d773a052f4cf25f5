"""
Tests of L{openclaw.models.dialects.anthropic_messages.response}: requests.
"""

from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import Secret
from openclaw.interfaces import ModelRequest, NamedTool, Sampling, ToolSpec
from openclaw.messages import (
    AssistantMessage,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.dialects.anthropic_messages.request import API
from openclaw.models.dialects.anthropic_messages.response import AnthropicMessages
from tests.models import model_requests
from tests.models.model_requests import (
    CONVERSATION,
    PIXEL,
    SCHEMA,
    SCHEMA_FORMAT,
    TOOL,
    RequestTestCase,
)

DIALECT = AnthropicMessages()
encoded = partial(model_requests.encoded, DIALECT)
sampled = partial(model_requests.sampled, DIALECT)


def text(text: str) -> dict[str, str]:
    """
    A block of text.
    """
    return {"type": "text", "text": text}


class PlaceTests(SynchronousTestCase):
    """
    The URL and the headers.
    """

    def test_path(self) -> None:
        """
        The base URL is that of the host.
        """
        self.assertEqual(DIALECT.path(ModelRequest("m", "", [])), "/v1/messages")

    def test_headers(self) -> None:
        """
        The key has its own header, and the API's version is sent.
        """
        headers = dict(DIALECT.headers(Secret("hush")))
        self.assertEqual(headers["X-Api-Key"], "hush")
        self.assertEqual(headers["Anthropic-Version"], "2023-06-01")
        self.assertNotIn("Authorization", headers)

    def test_withoutKey(self) -> None:
        """
        The key is optional.
        """
        self.assertNotIn("X-Api-Key", dict(DIALECT.headers(None)))


class ConversationTests(SynchronousTestCase):
    """
    Conversations in the API's format.
    """

    def test_whole(self) -> None:
        """
        Images are blocks, calls are blocks of the assistant's turn, and results are at
        the beginning of the user's.
        """
        image = {"type": "base64", "media_type": PIXEL.mediaType, "data": PIXEL.data}
        self.assertEqual(
            encoded(*CONVERSATION, system="Be kind."),
            {
                "model": "m",
                "max_tokens": 4096,
                "stream": True,
                "system": "Be kind.",
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            text("What is on this?"),
                            {"type": "image", "source": image},
                        ],
                    },
                    {
                        "role": "assistant",
                        "content": [
                            text("I look."),
                            {
                                "type": "tool_use",
                                "id": "call_1",
                                "name": "read",
                                "input": {"path": "a"},
                            },
                            {
                                "type": "tool_use",
                                "id": "call_2",
                                "name": "ls",
                                "input": {},
                            },
                        ],
                    },
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "tool_result",
                                "tool_use_id": "call_1",
                                "content": "A cat.",
                            },
                            {"type": "tool_result", "tool_use_id": "call_2"},
                            text("Well?"),
                        ],
                    },
                    {"role": "assistant", "content": [text("A cat.")]},
                ],
            },
        )

    def assertTurns(self, turns: list[Any], *messages: Any) -> None:
        """
        Assert the turns of a conversation.
        """
        found = [
            (turn["role"], turn["content"]) for turn in encoded(*messages)["messages"]
        ]
        self.assertEqual(found, turns)

    def test_sameRoles(self) -> None:
        """
        Consecutive messages of the same role are one turn.
        """
        self.assertTurns(
            [("user", [text("A"), text("B")]), ("assistant", [text("C"), text("D")])],
            UserMessage("A"),
            UserMessage((TextPart("B"),)),
            AssistantMessage("C"),
            AssistantMessage("D"),
        )

    def test_blankTexts(self) -> None:
        """
        Blank texts, which the API rejects, are left out; turns still alternate.
        """
        self.assertTurns(
            [("user", [text("A"), text("B")])],
            UserMessage("A"),
            AssistantMessage("\n"),
            UserMessage((TextPart(""), TextPart("B"))),
        )
        self.assertNotIn("system", encoded(system=" "))

    def test_assistantFirst(self) -> None:
        """
        A user's turn is inserted before a conversation that begins with the assistant.
        """
        self.assertTurns(
            [("user", [text("…")]), ("assistant", [text("A")])], AssistantMessage("A")
        )

    def test_resultsFirst(self) -> None:
        """
        Results precede the texts of their turn.
        """
        call = ToolCall("c", "ls", "{}")
        result = {"type": "tool_result", "tool_use_id": "c", "content": "R"}
        turns = encoded(
            UserMessage("A"),
            AssistantMessage("", (call,)),
            UserMessage("B"),
            ToolMessage("c", "R"),
        )["messages"]
        self.assertEqual(turns[2]["content"], [result, text("B")])

    def test_failedTool(self) -> None:
        """
        A failed call's result has C{is_error}; one that only mentions an error has not.
        """
        result = {"type": "tool_result", "tool_use_id": "c"}
        for said, isError, more in (
            ("no such file", True, {"content": "no such file", "is_error": True}),
            ("Error: disk full", False, {"content": "Error: disk full"}),
        ):
            turns = encoded(
                UserMessage("A"),
                AssistantMessage("", (ToolCall("c", "ls", "{}"),)),
                ToolMessage("c", said, isError),
            )["messages"]
            self.assertEqual(turns[2]["content"], [result | more])

    def test_malformedArguments(self) -> None:
        """
        Arguments that are not an object are sent as the model wrote them.
        """
        for written, expected in (
            ('{"path', {"arguments": '{"path'}),
            ("[1]", {"arguments": [1]}),
        ):
            call = ToolCall("c", "ls", written)
            turns = encoded(UserMessage("A"), AssistantMessage("", (call,)))["messages"]
            self.assertEqual(turns[1]["content"][0]["input"], expected)

    def test_idsOfOthers(self) -> None:
        """
        An id of another provider that this one would reject is replaced, in call and
        result alike.
        """
        strange = "functions.ls:0"
        turns = encoded(
            UserMessage("A"),
            AssistantMessage("", (ToolCall(strange, "ls", "{}"),)),
            ToolMessage(strange, "R"),
        )["messages"]
        called = turns[1]["content"][0]["id"]
        self.assertRegex(called, r"^[a-zA-Z0-9_-]{1,64}$")
        self.assertEqual(turns[2]["content"][0]["tool_use_id"], called)


class ToolTests(SynchronousTestCase):
    """
    Tools and the choice among them.
    """

    def test_tools(self) -> None:
        """
        A tool has a name, a description and a schema.
        """
        body = encoded(tools=[TOOL])
        self.assertEqual(
            body["tools"],
            [
                {
                    "name": "read",
                    "description": "Reads a file.",
                    "input_schema": dict(TOOL.parameters),
                }
            ],
        )
        self.assertEqual(body["tool_choice"], {"type": "auto"})

    def test_withoutTools(self) -> None:
        """
        Without tools there are no related fields.
        """
        body = encoded(sampling=Sampling(parallel_tool_calls=False))
        self.assertEqual(set(body), {"model", "max_tokens", "messages", "stream"})

    def test_strict(self) -> None:
        """
        C{strict} is passed on.
        """
        tool = ToolSpec("ls", "", {}, strict=True)
        self.assertEqual(
            encoded(tools=[tool])["tools"],
            [
                {
                    "name": "ls",
                    "description": "",
                    "input_schema": {"type": "object"},
                    "strict": True,
                }
            ],
        )

    def test_choices(self) -> None:
        """
        The values of the choice.
        """
        for choice, expected in (
            ("auto", {"type": "auto"}),
            ("none", {"type": "none"}),
            ("required", {"type": "any"}),
            (NamedTool("read"), {"type": "tool", "name": "read"}),
        ):
            body = encoded(tools=[TOOL], toolChoice=choice)
            self.assertEqual(body["tool_choice"], expected)

    def test_oneAtATime(self) -> None:
        """
        Parallel calls can be disabled if there are tools.
        """
        for choice, parallel, expected in (
            ("auto", False, True),
            ("required", False, True),
            ("none", False, None),
            ("auto", True, None),
        ):
            sampling = Sampling(parallel_tool_calls=parallel)
            body = encoded(tools=[TOOL], toolChoice=choice, sampling=sampling)
            found = body["tool_choice"].get("disable_parallel_tool_use")
            self.assertEqual(found, expected, choice)


class SamplingTests(RequestTestCase):
    """
    Sampling fields are sent or reported, never silently dropped.
    """

    dialect = DIALECT
    api = API

    def test_mapped(self) -> None:
        """
        Supported fields are sent under the API's names.
        """
        body = sampled(temperature=0.0, top_p=0.5, stop="END")
        self.assertEqual(body["temperature"], 0)
        self.assertEqual(body["top_p"], 0.5)
        self.assertEqual(body["stop_sequences"], ["END"])
        self.assertEqual(sampled(stop=("A", "B"))["stop_sequences"], ["A", "B"])

    def test_bound(self) -> None:
        """
        There is always an output limit: the request's, up to the model's.
        """
        for sampling, most, expected in (
            (Sampling(), None, 4096),
            (Sampling(), 9000, 9000),
            (Sampling(max_tokens=5), 9000, 5),
            (Sampling(max_tokens=5, max_completion_tokens=6), None, 6),
            (Sampling(max_tokens=9001), 9000, 9000),
        ):
            body = encoded(sampling=sampling, maxOutputTokens=most)
            self.assertEqual(body["max_tokens"], expected)
        # Reasoning counts.
        self.assertEqual(encoded(reasoning=True)["max_tokens"], 16384)

    def test_effort(self) -> None:
        """
        The reasoning effort is sent in the API's field and values.
        """
        for effort, expected in (("minimal", "low"), ("low", "low"), ("high", "high")):
            body = sampled(reasoning_effort=effort)
            self.assertEqual(body["output_config"], {"effort": expected})
        body = sampled(reasoning_effort="none")
        self.assertEqual(body["thinking"], {"type": "disabled"})
        self.assertNotIn("output_config", body)

    def test_format(self) -> None:
        """
        A schema for the reply is passed on, beside the effort.
        """
        body = sampled(response_format=SCHEMA_FORMAT, reasoning_effort="low")
        self.assertEqual(
            body["output_config"],
            {"effort": "low", "format": {"type": "json_schema", "schema": SCHEMA}},
        )
        self.assertNotIn("output_config", sampled(response_format={"type": "text"}))

    def test_refused(self) -> None:
        """
        Fields that the API does not have are refused, by the field's name and the
        API's.
        """
        for field, value in (
            ("frequency_penalty", 0.5),
            ("presence_penalty", -1.0),
            ("seed", 0),
            ("logit_bias", {"50256": -100}),
            ("logprobs", True),
            ("top_logprobs", 2),
            ("response_format", {"type": "json_object"}),
        ):
            self.assertRefuses(field, sampling=Sampling(**{field: value}))

    def test_askingForNothing(self) -> None:
        """
        Values without an effect, which some clients always send, are accepted.
        """
        body = sampled(
            frequency_penalty=0.0, presence_penalty=0.0, logit_bias={}, logprobs=False
        )
        self.assertEqual(body, encoded())
