"""
Tests of L{openclaw.models.dialects.ollama.chat}: requests.
"""

from functools import partial
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import Secret
from openclaw.interfaces import (
    ModelRequest,
    NamedTool,
    Sampling,
    ToolChoice,
)
from openclaw.messages import (
    AssistantMessage,
    ImagePart,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.dialects.ollama.chat import Ollama
from openclaw.models.request_fitting import MUST_CALL
from tests.models import model_requests
from tests.models.model_requests import (
    SCHEMA,
    TOOL,
    WEATHER,
    RequestTestCase,
    fitted,
)

DIALECT = Ollama()
encoded = partial(model_requests.encoded, DIALECT, model="qwen3")


class ConversationTests(SynchronousTestCase):
    """
    Conversations in Ollama's format.
    """

    def test_plain(self) -> None:
        """
        A prompt and a message.
        """
        body = Ollama().encode(ModelRequest("qwen3", "Be kind.", [UserMessage("Hi")]))
        self.assertEqual(
            msgspec.json.decode(body),
            {
                "model": "qwen3",
                "messages": [
                    {"role": "system", "content": "Be kind."},
                    {"role": "user", "content": "Hi"},
                ],
                "stream": True,
            },
        )

    def test_images(self) -> None:
        """
        Images are beside the text.
        """
        parts = (TextPart("What"), ImagePart("image/png", "aGk="), TextPart("is it?"))
        self.assertEqual(
            encoded(UserMessage(parts))["messages"],
            [{"role": "user", "content": "What\nis it?", "images": ["aGk="]}],
        )

    def test_toolResults(self) -> None:
        """
        Calls have objects as arguments, results the name and the id of their call.
        """
        call = ToolCall("call_1", "weather", '{"city": "Köln"}')
        body = encoded(
            UserMessage("How is it?"),
            AssistantMessage("I look.", (call,)),
            ToolMessage("call_1", "Rain"),
        )
        self.assertEqual(
            body["messages"][1:],
            [
                {
                    "role": "assistant",
                    "content": "I look.",
                    "tool_calls": [
                        {
                            "type": "function",
                            "id": "call_1",
                            "function": {
                                "index": 0,
                                "name": "weather",
                                "arguments": {"city": "Köln"},
                            },
                        }
                    ],
                },
                {
                    "role": "tool",
                    "content": "Rain",
                    "tool_name": "weather",
                    "tool_call_id": "call_1",
                },
            ],
        )

    def test_failedTool(self) -> None:
        """
        A failed call's result has a text about the failure.
        """
        call = AssistantMessage("", (ToolCall("call_1", "weather", "{}"),))
        for isError, text in ((True, "Error: no sky"), (False, "no sky")):
            body = encoded(call, ToolMessage("call_1", "no sky", isError))
            self.assertEqual(
                body["messages"][-1],
                {
                    "role": "tool",
                    "content": text,
                    "tool_name": "weather",
                    "tool_call_id": "call_1",
                },
            )

    def test_malformedArguments(self) -> None:
        """
        Malformed arguments of a call are sent as they are.
        """
        for written, shown in (('{"a":', '{"a":'), ("[1]", [1]), ('"x"', "x")):
            body = encoded(AssistantMessage("", (ToolCall("a", "f", written),)))
            function = body["messages"][0]["tool_calls"][0]["function"]
            self.assertEqual(function["arguments"], {"arguments": shown})


class RequestTests(RequestTestCase):
    """
    The fields of a request.
    """

    dialect = DIALECT
    api = "ollama"

    def wanting(self, **sampling: Any) -> dict[str, Any]:
        """
        Return a request with these sampling fields.
        """
        return encoded(UserMessage("Hi"), sampling=Sampling(**sampling))

    def choosing(self, choice: ToolChoice) -> dict[str, Any]:
        """
        Return a request with a tool.
        """
        return encoded(UserMessage("Hi"), tools=[WEATHER], toolChoice=choice)

    def test_options(self) -> None:
        """
        Sampling fields become options with Ollama's names.
        """
        body = self.wanting(
            temperature=0.0,
            top_p=0.5,
            max_tokens=7,
            frequency_penalty=0.1,
            presence_penalty=0.2,
            seed=0,
            stop="END",
        )
        self.assertEqual(
            body["options"],
            {
                "temperature": 0.0,
                "top_p": 0.5,
                "num_predict": 7,
                "frequency_penalty": 0.1,
                "presence_penalty": 0.2,
                "seed": 0,
                "stop": ["END"],
            },
        )

    def test_bound(self) -> None:
        """
        The newer field of the output limit takes precedence; the model's limit is the
        default and the maximum.
        """
        limits = self.wanting(max_tokens=7, max_completion_tokens=8)["options"]
        self.assertEqual(limits, {"num_predict": 8})
        limits = encoded(
            UserMessage("Hi"), maxOutputTokens=5, sampling=Sampling(max_tokens=7)
        )
        self.assertEqual(limits["options"], {"num_predict": 5})
        body = encoded(UserMessage("Hi"), maxOutputTokens=512)
        self.assertEqual(body["options"], {"num_predict": 512})

    def test_context(self) -> None:
        """
        The context window is requested, since the server would truncate longer
        conversations by default.
        """
        body = encoded(UserMessage("Hi"), contextWindow=32768)
        self.assertEqual(body["options"], {"num_ctx": 32768})

    def test_tools(self) -> None:
        """
        Tools have unchanged schemas.
        """
        self.assertEqual(
            self.choosing("auto")["tools"],
            [
                {
                    "type": "function",
                    "function": {
                        "name": "weather",
                        "description": "How it is out there.",
                        "parameters": WEATHER.parameters,
                    },
                }
            ],
        )

    def test_toolChoice(self) -> None:
        """
        With C{none} no tools are sent.
        """
        self.assertNotIn("tools", self.choosing("none"))

    def test_forcedTool(self) -> None:
        """
        The API can't require a call: the model is instructed to make one, and a named
        tool is sent alone.
        """
        for choice in ("required", NamedTool("weather")):
            body, ignored = fitted(
                Ollama(),
                api="ollama",
                tools=[WEATHER, TOOL],
                toolChoice=choice,
                system="Be kind.",
            )
            named = [tool["function"]["name"] for tool in body["tools"]]
            self.assertEqual(
                named, ["weather"] if choice != "required" else ["weather", "read"]
            )
            self.assertEqual(body["messages"][0]["content"], f"Be kind.\n\n{MUST_CALL}")
            self.assertEqual(ignored, ["tool_choice"])

    def test_format(self) -> None:
        """
        JSON, or JSON with a schema, is requested by C{format}.
        """
        for wanted, format in (
            ({"type": "text"}, None),
            ({"type": "json_object"}, "json"),
            ({"type": "json_schema", "json_schema": {"name": "n"}}, "json"),
            (
                {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
                SCHEMA,
            ),
        ):
            self.assertEqual(self.wanting(response_format=wanted).get("format"), format)

    def test_thinking(self) -> None:
        """
        The reasoning effort is sent as far as the model supports it.
        """
        for effort, think in (("none", False), ("minimal", True), ("high", True)):
            self.assertIs(self.wanting(reasoning_effort=effort)["think"], think)
        self.assertIs(encoded(UserMessage("Hi"), reasoning=True)["think"], True)
        idle = Sampling(reasoning_effort="none")
        body = encoded(UserMessage("Hi"), reasoning=True, sampling=idle)
        self.assertIs(body["think"], False)
        sampling = Sampling(reasoning_effort="minimal")
        body = Ollama().encode(ModelRequest("gpt-oss:20b", "", [], sampling))
        self.assertEqual(msgspec.json.decode(body)["think"], "low")

    def test_refused(self) -> None:
        """
        Unsupported fields are refused instead of ignored.
        """
        for field, value in (
            ("logit_bias", {"1": 5.0}),
            ("reasoning_effort", "xhigh"),
            ("response_format", {"type": "grammar"}),
        ):
            self.assertRefuses(field, sampling=Sampling(**{field: value}))

    def test_idle(self) -> None:
        """
        Values without an effect are accepted.
        """
        body = self.wanting(
            logit_bias={}, logprobs=False, top_logprobs=0, parallel_tool_calls=False
        )
        self.assertEqual(body, encoded(UserMessage("Hi")))


class TargetTests(SynchronousTestCase):
    """
    The URL and the headers of requests.
    """

    def test_path(self) -> None:
        """
        Chats have one path.
        """
        self.assertEqual(Ollama().path(ModelRequest("qwen3", "", [])), "/api/chat")

    def test_key(self) -> None:
        """
        The key is optional.
        """
        shown = dict(Ollama().headers(Secret("hush")))
        self.assertEqual(shown["Authorization"], "Bearer hush")
        self.assertNotIn("Authorization", dict(Ollama().headers(None)))
