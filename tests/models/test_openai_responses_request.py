"""
Tests of L{openclaw.models.dialects.openai_responses.response}: requests.
"""

from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import Secret
from openclaw.interfaces import ModelRequest, NamedTool, Sampling, ToolSpec
from openclaw.messages import AssistantMessage, Thought, ToolCall, ToolMessage
from openclaw.models.dialects.openai_responses.request import API
from openclaw.models.dialects.openai_responses.response import OpenAIResponses
from tests.models import model_requests
from tests.models.model_requests import (
    CONVERSATION,
    PIXEL,
    SCHEMA,
    SCHEMA_FORMAT,
    TOOL,
    RequestTestCase,
)

DIALECT = OpenAIResponses()
encoded = partial(model_requests.encoded, DIALECT)
sampled = partial(model_requests.sampled, DIALECT)


class PlaceTests(SynchronousTestCase):
    """
    The URL and the headers.
    """

    def test_path(self) -> None:
        """
        The base URL includes the version, as for chat completions.
        """
        self.assertEqual(DIALECT.path(ModelRequest("m", "", [])), "/responses")

    def test_headers(self) -> None:
        """
        The key is a Bearer token, and optional.
        """
        headers = dict(DIALECT.headers(Secret("hush")))
        self.assertEqual(headers["Authorization"], "Bearer hush")
        self.assertNotIn("Authorization", dict(DIALECT.headers(None)))


class ConversationTests(SynchronousTestCase):
    """
    Conversations in the API's format, with C{store} false.
    """

    def test_whole(self) -> None:
        """
        Images are parts of a message; calls and results are separate items.
        """
        self.assertEqual(
            encoded(*CONVERSATION, system="Be kind."),
            {
                "model": "m",
                "stream": True,
                "store": False,
                "instructions": "Be kind.",
                "input": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "input_text", "text": "What is on this?"},
                            {
                                "type": "input_image",
                                "image_url": f"data:image/png;base64,{PIXEL.data}",
                                "detail": "auto",
                            },
                        ],
                    },
                    {"type": "message", "role": "assistant", "content": "I look."},
                    {
                        "type": "function_call",
                        "call_id": "call_1",
                        "name": "read",
                        "arguments": '{"path":"a"}',
                    },
                    {
                        "type": "function_call",
                        "call_id": "call_2",
                        "name": "ls",
                        "arguments": "{}",
                    },
                    {
                        "type": "function_call_output",
                        "call_id": "call_1",
                        "output": "A cat.",
                    },
                    {
                        "type": "function_call_output",
                        "call_id": "call_2",
                        "output": "",
                    },
                    {"role": "user", "content": "Well?"},
                    {"type": "message", "role": "assistant", "content": "A cat."},
                ],
            },
        )

    def test_callAlone(self) -> None:
        """
        A call without text has no empty message.
        """
        call = ToolCall("call_1", "ls", "{oops")
        (item,) = encoded(AssistantMessage("", (call,)))["input"]
        self.assertEqual((item["type"], item["arguments"]), ("function_call", "{oops"))

    def test_thoughts(self) -> None:
        """
        The model's reasoning precedes its calls, without the id of a stored item.
        """
        call = ToolCall("call_1", "ls", "{}")
        said = AssistantMessage("I look.", (call,), (Thought("", "gAAA"),))
        items = encoded(said)["input"]
        self.assertEqual(
            items[0], {"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}
        )
        self.assertEqual(items[2]["type"], "function_call")

    def test_askingForThoughts(self) -> None:
        """
        Encrypted reasoning is requested from reasoning models; others would reject
        that.
        """
        wanted = ["reasoning.encrypted_content"]
        self.assertEqual(encoded(reasoning=True)["include"], wanted)
        self.assertEqual(sampled(reasoning_effort="low")["include"], wanted)
        self.assertNotIn("include", encoded())

    def test_idsOfOthers(self) -> None:
        """
        An id of another provider that is too long is replaced, in call and result
        alike.
        """
        strange = "x" * 65
        called, result = encoded(
            AssistantMessage("", (ToolCall(strange, "ls", "{}"),)),
            ToolMessage(strange, "R"),
        )["input"]
        self.assertLess(len(called["call_id"]), 65)
        self.assertEqual(result["call_id"], called["call_id"])

    def test_failedTool(self) -> None:
        """
        A failed call's result has a text about the failure.
        """
        call = AssistantMessage("", (ToolCall("c", "ls", "{}"),))
        for isError, text in ((True, "Error: no disk"), (False, "no disk")):
            result = encoded(call, ToolMessage("c", "no disk", isError))["input"][-1]
            self.assertEqual(
                result,
                {"type": "function_call_output", "call_id": "c", "output": text},
            )


class ToolTests(SynchronousTestCase):
    """
    Tools and the choice among them.
    """

    def test_tools(self) -> None:
        """
        A tool has a name, a description and a schema, and C{strict} false, since the
        API's default is true.
        """
        body = encoded(tools=[TOOL, ToolSpec("ls", "", {}, strict=True)])
        self.assertEqual(
            body["tools"],
            [
                {
                    "type": "function",
                    "name": "read",
                    "description": "Reads a file.",
                    "parameters": dict(TOOL.parameters),
                    "strict": False,
                },
                {
                    "type": "function",
                    "name": "ls",
                    "description": "",
                    "parameters": {},
                    "strict": True,
                },
            ],
        )

    def test_withoutTools(self) -> None:
        """
        Without tools there are no related fields.
        """
        body = encoded(sampling=Sampling(parallel_tool_calls=False))
        self.assertEqual(set(body), {"model", "input", "store", "stream"})

    def test_choices(self) -> None:
        """
        The values of the choice.
        """
        for choice, expected in (
            ("auto", "auto"),
            ("none", "none"),
            ("required", "required"),
            (NamedTool("read"), {"type": "function", "name": "read"}),
        ):
            body = encoded(tools=[TOOL], toolChoice=choice)
            self.assertEqual(body["tool_choice"], expected)
            self.assertNotIn("parallel_tool_calls", body)

    def test_oneAtATime(self) -> None:
        """
        Parallel calls can be disabled and enabled.
        """
        for parallel in (False, True):
            sampling = Sampling(parallel_tool_calls=parallel)
            body = encoded(tools=[TOOL], sampling=sampling)
            self.assertIs(body["parallel_tool_calls"], parallel)


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
        body = sampled(temperature=0.0, top_p=0.5, reasoning_effort="minimal")
        self.assertEqual(body["temperature"], 0)
        self.assertEqual(body["top_p"], 0.5)
        self.assertEqual(body["reasoning"], {"effort": "minimal"})

    def test_bound(self) -> None:
        """
        The request's output limit is sent if there is one.
        """
        self.assertEqual(sampled(max_tokens=50)["max_output_tokens"], 50)
        both = sampled(max_tokens=50, max_completion_tokens=60)
        self.assertEqual(both["max_output_tokens"], 60)
        self.assertNotIn("max_output_tokens", encoded(maxOutputTokens=9000))

    def test_format(self) -> None:
        """
        The format of the reply is passed on, a schema in the API's form.
        """
        self.assertEqual(
            sampled(response_format=SCHEMA_FORMAT)["text"],
            {
                "format": {
                    "type": "json_schema",
                    "name": "count",
                    "schema": SCHEMA,
                    "strict": True,
                }
            },
        )
        plain = {"type": "json_object"}
        self.assertEqual(sampled(response_format=plain)["text"], {"format": plain})

    def test_refused(self) -> None:
        """
        Fields that the API does not have are refused, by the field's name and the
        API's.
        """
        for field, value in (
            ("frequency_penalty", 0.5),
            ("presence_penalty", -1.0),
            ("seed", 0),
            ("stop", "END"),
            ("stop", ("END",)),
            ("logit_bias", {"50256": -100}),
        ):
            self.assertRefuses(field, sampling=Sampling(**{field: value}))

    def test_askingForNothing(self) -> None:
        """
        Values without an effect, which some clients always send, are accepted.
        """
        body = sampled(
            frequency_penalty=0.0,
            presence_penalty=0.0,
            stop=(),
            logit_bias={},
            logprobs=False,
        )
        self.assertEqual(body, encoded())
