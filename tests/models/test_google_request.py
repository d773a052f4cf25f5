"""
Tests of L{openclaw.models.dialects.google_generative_ai.response} and
L{openclaw.models.dialects.google_generative_ai.request}: requests.
"""

from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import Secret
from openclaw.interfaces import (
    ModelRequest,
    NamedTool,
    Sampling,
    ToolChoice,
    ToolSpec,
)
from openclaw.messages import (
    AssistantMessage,
    ImagePart,
    TextPart,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.dialects.google_generative_ai.response import GoogleGenerativeAI
from tests.models import model_requests
from tests.models.model_requests import CALL, SCHEMA, WEATHER, RequestTestCase

DIALECT = GoogleGenerativeAI()
encoded = partial(model_requests.encoded, DIALECT, model="gemini-2.5-flash")


class ConversationTests(SynchronousTestCase):
    """
    Conversations in Google's format.
    """

    def test_plain(self) -> None:
        """
        A prompt and a message.
        """
        self.assertEqual(
            encoded(UserMessage("Hi"), system="Be kind."),
            {
                "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
                "systemInstruction": {"parts": [{"text": "Be kind."}]},
            },
        )

    def test_images(self) -> None:
        """
        Images keep their positions between the texts.
        """
        parts = (TextPart("What"), ImagePart("image/png", "aGk="), TextPart("is it?"))
        self.assertEqual(
            encoded(UserMessage(parts))["contents"][0]["parts"],
            [
                {"text": "What"},
                {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                {"text": "is it?"},
            ],
        )

    def test_toolResults(self) -> None:
        """
        Calls are the model's contents, and the results of one turn one content, each
        with the name and the id of its call.
        """
        other = ToolCall("call_2", "now", "")
        body = encoded(
            UserMessage("How is it?"),
            AssistantMessage("I look.", (CALL, other)),
            ToolMessage("fc1", "Rain"),
            ToolMessage("call_2", "12:00"),
            UserMessage("And?"),
        )
        city = {"id": "fc1", "name": "weather", "args": {"city": "Köln"}}
        time = {"id": "call_2", "name": "now", "args": {}}
        rain = {"id": "fc1", "name": "weather", "response": {"output": "Rain"}}
        noon = {"id": "call_2", "name": "now", "response": {"output": "12:00"}}
        self.assertEqual(
            body["contents"][1:],
            [
                {
                    "role": "model",
                    "parts": [
                        {"text": "I look."},
                        {"functionCall": city},
                        {"functionCall": time},
                    ],
                },
                {
                    "role": "user",
                    "parts": [{"functionResponse": rain}, {"functionResponse": noon}],
                },
                {"role": "user", "parts": [{"text": "And?"}]},
            ],
        )

    def test_failedTool(self) -> None:
        """
        A failed call's result has the API's name for errors.
        """
        for isError, key in ((True, "error"), (False, "output")):
            body = encoded(
                AssistantMessage("", (CALL,)), ToolMessage("fc1", "Error: x", isError)
            )
            result = body["contents"][-1]["parts"][0]["functionResponse"]
            self.assertEqual(result["response"], {key: "Error: x"})

    def test_silentModel(self) -> None:
        """
        An empty turn of the model is left out, and its neighbours are joined, as the
        API requires.
        """
        body = encoded(UserMessage("a"), AssistantMessage(""), UserMessage("b"))
        self.assertEqual(
            body["contents"], [{"role": "user", "parts": [{"text": "a\n\nb"}]}]
        )

    def test_malformedArguments(self) -> None:
        """
        Malformed arguments of a call are sent as they are.
        """
        body = encoded(AssistantMessage("", (ToolCall("a", "f", "[1"),)))
        called = body["contents"][0]["parts"][0]["functionCall"]
        self.assertEqual(called["args"], {"arguments": "[1"})


class RequestTests(RequestTestCase):
    """
    The fields of a request.
    """

    dialect = DIALECT
    api = "google-generative-ai"
    model = "gemini-2.5-flash"

    def wanting(self, model: str = "gemini-2.5-flash", **sampling: Any) -> Any:
        """
        Return the C{generationConfig} for these sampling fields.
        """
        body = encoded(UserMessage("Hi"), model=model, sampling=Sampling(**sampling))
        return body.get("generationConfig")

    def test_sampling(self) -> None:
        """
        Sampling fields have Google's names.
        """
        config = self.wanting(
            temperature=0.0,
            top_p=0.5,
            max_tokens=7,
            max_completion_tokens=8,
            frequency_penalty=0.1,
            presence_penalty=0.2,
            seed=0,
            stop=("END", "STOP"),
        )
        self.assertEqual(
            config,
            {
                "temperature": 0.0,
                "topP": 0.5,
                "maxOutputTokens": 8,
                "frequencyPenalty": 0.1,
                "presencePenalty": 0.2,
                "seed": 0,
                "stopSequences": ["END", "STOP"],
            },
        )

    def test_tools(self) -> None:
        """
        Schemas are sent completely, except for C{$schema}; a tool without parameters
        has none.
        """
        bare = ToolSpec("now", "The time.", {"type": "object", "properties": {}})
        anything = ToolSpec("log", "", {"$ref": "#/$defs/a", "$defs": {"a": {}}})
        schema = {**WEATHER.parameters}
        del schema["$schema"]
        self.assertEqual(
            encoded(UserMessage("Hi"), tools=[WEATHER, bare, anything])["tools"],
            [
                {
                    "functionDeclarations": [
                        {
                            "name": "weather",
                            "description": "How it is out there.",
                            "parametersJsonSchema": schema,
                        },
                        {"name": "now", "description": "The time."},
                        {
                            "name": "log",
                            "description": "",
                            "parametersJsonSchema": anything.parameters,
                        },
                    ]
                }
            ],
        )

    def test_toolChoice(self) -> None:
        """
        Each choice has its mode.
        """
        choices: list[tuple[ToolChoice, object]] = [
            ("auto", {"mode": "AUTO"}),
            ("none", {"mode": "NONE"}),
            ("required", {"mode": "ANY"}),
            (
                NamedTool("weather"),
                {"mode": "ANY", "allowedFunctionNames": ["weather"]},
            ),
        ]
        for choice, expected in choices:
            body = encoded(UserMessage("Hi"), tools=[WEATHER], toolChoice=choice)
            self.assertEqual(body["toolConfig"], {"functionCallingConfig": expected})

    def test_format(self) -> None:
        """
        JSON, or JSON with a schema, is requested.
        """
        json = {"responseMimeType": "application/json"}
        for wanted, config in (
            ({"type": "text"}, None),
            ({"type": "json_object"}, json),
            (
                {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
                {**json, "responseJsonSchema": SCHEMA},
            ),
        ):
            self.assertEqual(self.wanting(response_format=wanted), config)

    def test_thinking(self) -> None:
        """
        The reasoning effort is sent as a level, and to older models as tokens; the
        reasoning is requested.
        """
        for model, effort, expected in (
            ("gemini-2.5-flash", "low", {"thinkingBudget": 1024}),
            ("gemini-2.5-flash", "high", {"thinkingBudget": 24576}),
            ("gemini-3-pro", "low", {"thinkingLevel": "LOW"}),
            ("gemini-flash-latest", "minimal", {"thinkingLevel": "MINIMAL"}),
        ):
            config = self.wanting(model, reasoning_effort=effort)
            self.assertEqual(
                config, {"thinkingConfig": {**expected, "includeThoughts": True}}
            )
        self.assertEqual(
            self.wanting(reasoning_effort="none"),
            {"thinkingConfig": {"thinkingBudget": 0, "includeThoughts": False}},
        )

    def test_thoughts(self) -> None:
        """
        The reasoning of known reasoning models is requested, with any effort.
        """
        body = encoded(UserMessage("Hi"), reasoning=True)
        self.assertEqual(
            body["generationConfig"], {"thinkingConfig": {"includeThoughts": True}}
        )

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
        unthinking = Sampling(reasoning_effort="none")
        self.assertRefuses(
            "reasoning_effort", model="gemini-3-pro", sampling=unthinking
        )

    def test_idle(self) -> None:
        """
        Values without an effect are accepted.
        """
        idle = {"logprobs": False, "top_logprobs": 0, "parallel_tool_calls": False}
        self.assertEqual(self.wanting(logit_bias={}, **idle), None)


class TargetTests(SynchronousTestCase):
    """
    The URL and the headers of requests.
    """

    def test_path(self) -> None:
        """
        The model is in the path, and escaped.
        """
        for model, path in (
            ("gemini-2.5-flash", "/models/gemini-2.5-flash"),
            ("models/gemini-2.5-flash", "/models/gemini-2.5-flash"),
            ("tunedModels/mine-1", "/tunedModels/mine-1"),
            ("../x?key=1#a", "/models/..%2Fx%3Fkey%3D1%23a"),
        ):
            request = ModelRequest(model, "", [])
            self.assertEqual(
                GoogleGenerativeAI().path(request),
                f"{path}:streamGenerateContent?alt=sse",
            )

    def test_key(self) -> None:
        """
        The key is in a header, never in the URL.
        """
        shown = dict(GoogleGenerativeAI().headers(Secret("hush")))
        self.assertEqual(shown["X-Goog-Api-Key"], "hush")
        self.assertNotIn("X-Goog-Api-Key", dict(GoogleGenerativeAI().headers(None)))
