"""
Requests of every dialect, checked against the types of the providers' own packages.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import InvalidRequest
from openclaw.interfaces import NamedTool, Sampling, ToolSpec
from openclaw.messages import (
    AssistantMessage,
    ImagePart,
    Message,
    TextPart,
    Thought,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.dialects.anthropic_messages.response import AnthropicMessages
from openclaw.models.dialects.google_generative_ai.response import GoogleGenerativeAI
from openclaw.models.dialects.ollama.chat import Ollama
from openclaw.models.dialects.openai_completions.response import OpenAICompletions
from openclaw.models.dialects.openai_responses.response import OpenAIResponses
from openclaw.models.provider import Dialect
from tests.models.model_requests import PIXEL, SCHEMA_FORMAT, TOOL, fitted, profileOf
from tests.models.official_types import faults

CALL = ToolCall("call_1", "read", '{"path":"a"}')
OTHER = ToolCall("call_2", "read", "{}")

CONVERSATIONS: Sequence[Sequence[Message]] = (
    (UserMessage("Hello"),),
    (UserMessage("Hello"), AssistantMessage("Hi."), UserMessage("And now?")),
    (UserMessage((TextPart("What is this?"), PIXEL)),),
    (UserMessage((ImagePart("image/jpeg", "/9j/"),)),),
    (
        UserMessage("Read."),
        AssistantMessage("", (CALL, OTHER)),
        ToolMessage("call_1", "text"),
        ToolMessage("call_2", "No such file.", isError=True),
        UserMessage("Go on."),
    ),
    (
        UserMessage("Read."),
        AssistantMessage("I will.", (CALL,), (Thought("Hm.", "sig"),)),
        ToolMessage("call_1", ""),
    ),
    (UserMessage("a"), UserMessage("b"), AssistantMessage(""), UserMessage("c")),
)

SAMPLINGS: Sequence[Mapping[str, Any]] = (
    {},
    {"temperature": 1.9, "top_p": 0.5, "max_tokens": 100, "seed": 7},
    {"max_completion_tokens": 1, "stop": "x"},
    {"stop": ("x", " ")},
    {"stop": ()},
    {"frequency_penalty": 1.0, "presence_penalty": 1.0},
    {"logprobs": True, "top_logprobs": 2},
    {"reasoning_effort": "low"},
    {"reasoning_effort": "high", "temperature": 0.2},
    {"response_format": {"type": "json_object"}},
    {"response_format": SCHEMA_FORMAT},
    {"parallel_tool_calls": False},
    {"top_k": 5, "min_p": 0.1},
    {"service_tier": "auto", "verbosity": "low", "store": False},
    {"metadata": {"a": "b"}, "safety_identifier": "x", "prompt_cache_key": "k"},
)

TOOLS: Sequence[tuple[Sequence[ToolSpec], Any]] = (
    ((), "auto"),
    ((TOOL,), "auto"),
    ((TOOL,), "required"),
    ((TOOL,), "none"),
    ((TOOL,), NamedTool("read")),
)


class OfficialTypesTestCase(SynchronousTestCase):
    """
    A test case of one provider's types.

    @cvar dialect: The dialect.
    @cvar settings: Settings of its profile.
    @cvar models: Models of several families.
    """

    dialect: Callable[[], Dialect]
    settings: Mapping[str, Any] = {}
    models: Sequence[str] = ("m",)

    def bodies(self) -> Iterator[Any]:
        """
        Yield bodies of requests of all kinds, but for those that the dialect refuses.
        """
        for model in self.models:
            profile = profileOf(model, **self.settings)
            for messages in CONVERSATIONS:
                yield self.body(profile, model, messages)
            for sampling in SAMPLINGS:
                yield self.body(profile, model, CONVERSATIONS[0], sampling)
            for tools, choice in TOOLS:
                for sampling in ({}, {"reasoning_effort": "low"}):
                    yield self.body(
                        profile, model, CONVERSATIONS[0], sampling, tools, choice
                    )

    def body(
        self,
        profile: Any,
        model: str,
        messages: Sequence[Message],
        sampling: Mapping[str, Any] = {},
        tools: Sequence[ToolSpec] = (TOOL,),
        choice: Any = "auto",
    ) -> Any:
        """
        Return a body, or C{None} if the request is refused.
        """
        try:
            body, _ = fitted(
                self.dialect(),
                *messages,
                profile=profile,
                model=model,
                system="Be brief.",
                tools=tools,
                toolChoice=choice,
                cacheKey="cache",
                reasoning=True,
                maxOutputTokens=20_000,
                sampling=Sampling(**sampling),
            )
        except InvalidRequest:
            return None
        return body

    def check(self, *kinds: tuple[str, Any]) -> None:
        """
        Check all bodies.

        @param kinds: Members of the body and their types; an empty name stands for the
            whole body.
        """
        checked = 0
        for body in self.bodies():
            if body is None:
                continue
            checked += 1
            for name, kind in kinds:
                part = body if not name else body.get(name)
                if part is not None:
                    self.assertEqual(faults(part, kind, name or "body"), [], body)
        self.assertGreater(checked, 20 * len(self.models))


class OpenAITests(OfficialTypesTestCase):
    """
    Chat completions of OpenAI.
    """

    dialect = OpenAICompletions
    settings = {"baseUrl": "https://api.openai.com/v1", "name": "openai"}
    models = ("gpt-4o", "gpt-5", "gpt-5.2", "o3")

    def test_types(self) -> None:
        """
        Every member is known, and of its type.
        """
        from openai.types.chat.completion_create_params import (
            CompletionCreateParamsStreaming,
        )

        self.check(("", CompletionCreateParamsStreaming))


class ResponsesTests(OfficialTypesTestCase):
    """
    Responses of OpenAI.
    """

    dialect = OpenAIResponses
    settings = {
        "baseUrl": "https://api.openai.com/v1",
        "name": "openai",
        "api": "openai-responses",
    }
    models = ("gpt-4o", "gpt-5", "gpt-5.2", "o3")

    def test_types(self) -> None:
        """
        Every member is known, and of its type.
        """
        from openai.types.responses.response_create_params import (
            ResponseCreateParamsStreaming,
        )

        self.check(("", ResponseCreateParamsStreaming))

    def body(self, *arguments: Any, **more: Any) -> Any:
        """
        Return a body with ids of reasoning items.  The types require them, while the
        API takes items that it does not store without one.
        """
        body = super().body(*arguments, **more)
        for item in body["input"] if body else ():
            if item.get("type") == "reasoning":
                item.setdefault("id", "rs_1")
        return body


class AnthropicTests(OfficialTypesTestCase):
    """
    Messages of Anthropic.
    """

    dialect = AnthropicMessages
    settings = {
        "baseUrl": "https://api.anthropic.com",
        "name": "anthropic",
        "api": "anthropic-messages",
    }
    models = ("claude-3-5-haiku-20241022", "claude-sonnet-4-5", "claude-opus-4-7")

    def test_types(self) -> None:
        """
        Every member is known, and of its type.
        """
        from anthropic.types.message_create_params import MessageCreateParamsStreaming

        self.check(("", MessageCreateParamsStreaming))

    def body(self, profile: Any, model: str, *arguments: Any, **more: Any) -> Any:
        """
        Return a body without what earlier models accept, which the types have no more.
        """
        body = super().body(profile, model, *arguments, **more)
        if body is not None and model != "claude-opus-4-7":
            for name in ("temperature", "top_k", "top_p"):
                body.pop(name, None)
        return body


class GoogleTests(OfficialTypesTestCase):
    """
    Google's C{streamGenerateContent}.
    """

    dialect = GoogleGenerativeAI
    settings = {
        "baseUrl": "https://generativelanguage.googleapis.com/v1beta",
        "name": "google",
        "api": "google-generative-ai",
    }
    models = ("gemini-2.5-flash", "gemini-3-pro-preview")

    def test_types(self) -> None:
        """
        Every member is known, and of its type.
        """
        from google.genai import types

        self.check(
            ("contents", list[types.Content]),
            ("systemInstruction", types.Content),
            ("generationConfig", types.GenerationConfig),
            ("tools", list[types.Tool]),
            ("toolConfig", types.ToolConfig),
        )
        known = {
            "contents",
            "systemInstruction",
            "generationConfig",
            "tools",
            "toolConfig",
        }
        for body in self.bodies():
            self.assertLessEqual(set(body or ()), known)


class OllamaTests(OfficialTypesTestCase):
    """
    Ollama's chat.
    """

    dialect = Ollama
    settings = {"baseUrl": "http://127.0.0.1:11434", "name": "ollama", "api": "ollama"}

    def test_types(self) -> None:
        """
        Every member is known, and of its type.
        """
        from ollama._types import ChatRequest

        self.check(("", ChatRequest))


class MistralTests(OfficialTypesTestCase):
    """
    Chat completions of Mistral, which refuses unknown members.
    """

    dialect = OpenAICompletions
    settings = {"baseUrl": "https://api.mistral.ai/v1", "name": "mistral"}
    models = ("mistral-large-latest", "magistral-medium-latest")

    def test_types(self) -> None:
        """
        Every member is known, and of its type.
        """
        from mistralai.client import models

        self.check(("", models.ChatCompletionStreamRequest))


class CheckTests(SynchronousTestCase):
    """
    The check itself finds faults.
    """

    def test_faults(self) -> None:
        """
        Unknown members, wrong types and missing members are found, at any depth.
        """
        from openai.types.chat.completion_create_params import (
            CompletionCreateParamsStreaming,
        )

        right = {
            "model": "m",
            "stream": True,
            "messages": [{"role": "user", "content": "a"}],
        }
        self.assertEqual(faults(right, CompletionCreateParamsStreaming), [])
        for wrong in (
            {**right, "top_k": 3},
            {**right, "temperature": "1"},
            {**right, "messages": [{"role": "user", "content": "a", "x": 1}]},
            {**right, "messages": [{"role": "nobody", "content": "a"}]},
            {"model": "m", "stream": True},
        ):
            self.assertTrue(faults(wrong, CompletionCreateParamsStreaming), wrong)
