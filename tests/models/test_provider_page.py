"""
Tests of C{docs/providers.md}: its configurations, its table, and a whole turn of an
agent with tools at each provider.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

import tests
from openclaw.agents.turns import TurnLoop
from openclaw.config import Provider, loadConfig
from openclaw.interfaces import ModelReply, ModelRequest, Sampling
from openclaw.messages import Message, ToolCall, ToolMessage, UserMessage
from openclaw.models.dialects.anthropic_messages.response import AnthropicMessages
from openclaw.models.dialects.google_generative_ai.response import GoogleGenerativeAI
from openclaw.models.dialects.ollama.chat import Ollama
from openclaw.models.dialects.openai_completions.response import OpenAICompletions
from openclaw.models.dialects.openai_responses.response import OpenAIResponses
from openclaw.models.profile_table import ROWS
from openclaw.models.profiles import Profile, resolveProfile
from openclaw.models.provider import Dialect
from openclaw.models.request_fitting import fitRequest
from openclaw.models.thought_signatures import bindThoughts, selectThoughts
from tests.models.event_reading import decoderOf
from tests.models.model_requests import SCHEMA_FORMAT, TOOL
from tests.models.official_types import faults

PAGE = Path(tests.__file__).parents[1] / "docs" / "providers.md"
NAMES = (
    *("openai", "azure", "anthropic", "google", "mistral", "deepseek", "groq", "xai"),
    *("openrouter", "together", "fireworks", "moonshot", "qwen", "ollama"),
    *("llamacpp", "vllm", "lmstudio", "litellm"),
)
DIALECTS: Mapping[str, Callable[[], Dialect]] = {
    "openai-completions": OpenAICompletions,
    "openai-responses": OpenAIResponses,
    "anthropic-messages": AnthropicMessages,
    "google-generative-ai": GoogleGenerativeAI,
    "ollama": Ollama,
}

EVERYTHING = Sampling(
    temperature=1.9,
    top_p=0.5,
    max_tokens=500,
    frequency_penalty=0.5,
    presence_penalty=0.5,
    seed=7,
    stop=("END",),
    reasoning_effort="low",
    parallel_tool_calls=False,
    top_k=5,
    min_p=0.1,
    service_tier="auto",
    verbosity="low",
    store=False,
    safety_identifier="x",
)
"""
Nearly all sampling fields.  Only what a dialect refuses for all providers is left out.
"""

REFUSED: Mapping[str, Sequence[str]] = {
    # By each provider's own documentation, not by the table that is tested.
    "azure": ("top_k", "min_p"),
    "deepseek": ("seed", "parallel_tool_calls", "top_k", "min_p", "store", "verbosity"),
    "groq": ("logprobs", "logit_bias", "top_logprobs", "store", "metadata", "top_k"),
    "xai": ("presence_penalty", "frequency_penalty", "stop", "reasoning_effort"),
    "openrouter": ("store", "reasoning_effort"),
    "together": ("store", "verbosity", "service_tier"),
    "fireworks": ("store", "verbosity", "service_tier", "safety_identifier"),
    "moonshot": ("reasoning_effort", "store", "verbosity", "top_k", "min_p"),
    "qwen": ("store", "reasoning_effort", "min_p", "service_tier"),
    "llamacpp": ("store",),
    "vllm": ("store", "verbosity", "safety_identifier"),
    "lmstudio": ("store",),
}


def eventsOf(*documents: Any) -> bytes:
    """
    Server-sent events.
    """
    return b"".join(
        b"data: " + msgspec.json.encode(document) + b"\n\n" for document in documents
    )


def completion(delta: Mapping[str, Any], reason: str) -> bytes:
    """
    A streamed chat completion.
    """
    return eventsOf(
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
    )


def responsesAnswer(item: Mapping[str, Any]) -> bytes:
    """
    A streamed response.
    """
    return eventsOf(
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {}},
    )


def anthropicAnswer(block: Mapping[str, Any], reason: str) -> bytes:
    """
    A streamed message.
    """
    return eventsOf(
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "message_delta", "delta": {"stop_reason": reason}},
        {"type": "message_stop"},
    )


def googleAnswer(part: Mapping[str, Any]) -> bytes:
    """
    A streamed answer of Google's.
    """
    content = {"role": "model", "parts": [part]}
    return eventsOf({"candidates": [{"content": content, "finishReason": "STOP"}]})


def ollamaAnswer(message: Mapping[str, Any]) -> bytes:
    """
    A streamed answer of Ollama's.
    """
    return b"".join(
        msgspec.json.encode(line) + b"\n"
        for line in ({"message": message}, {"done": True, "done_reason": "stop"})
    )


ARGUMENTS = '{"path":"a"}'
FUNCTION = {"name": "read", "arguments": ARGUMENTS}
OBJECT = {"path": "a"}
ANSWERS: Mapping[str, tuple[bytes, bytes]] = {
    "openai-completions": (
        completion(
            {"tool_calls": [{"index": 0, "id": "call_1", "function": FUNCTION}]},
            "tool_calls",
        ),
        completion({"content": "Done."}, "stop"),
    ),
    "openai-responses": (
        responsesAnswer({"type": "function_call", "call_id": "call_1", **FUNCTION}),
        responsesAnswer(
            {"type": "message", "content": [{"type": "output_text", "text": "Done."}]}
        ),
    ),
    "anthropic-messages": (
        anthropicAnswer(
            {"type": "tool_use", "id": "toolu_1", "name": "read", "input": OBJECT},
            "tool_use",
        ),
        anthropicAnswer({"type": "text", "text": "Done."}, "end_turn"),
    ),
    "google-generative-ai": (
        googleAnswer({"functionCall": {"name": "read", "args": OBJECT}}),
        googleAnswer({"text": "Done."}),
    ),
    "ollama": (
        ollamaAnswer(
            {"tool_calls": [{"function": {"name": "read", "arguments": OBJECT}}]}
        ),
        ollamaAnswer({"content": "Done."}),
    ),
}
"""
A call of the tool and a final answer, in each dialect.
"""


class StrictServer:
    """
    A scripted server of a provider, which refuses what that refuses.
    """

    def __init__(self, name: str, settings: Provider) -> None:
        self.name = name
        self.settings = settings
        self.bodies: list[Any] = []

    def answer(self, encoded: bytes) -> bytes:
        """
        Check a request, and return the answer: at first a tool call, then text.
        """
        body = msgspec.json.decode(encoded)
        assert (found := self.faults(body)) == [], (self.name, found, body)
        self.bodies.append(body)
        return ANSWERS[self.settings.api][len(self.bodies) - 1]

    def faults(self, body: Any) -> list[str]:
        """
        Return what the provider would refuse.
        """
        refused = [name for name in REFUSED.get(self.name, ()) if name in body]
        return [f"{name}: unknown" for name in refused] + self.typeFaults(body)

    def typeFaults(self, body: Any) -> list[str]:
        """
        Return what the types of the provider's own package do not allow.
        """
        match self.name:
            case "openai":
                from openai.types.responses import response_create_params

                return faults(
                    body, response_create_params.ResponseCreateParamsStreaming
                )
            case "azure":
                from openai.types.chat import completion_create_params

                kind = completion_create_params.CompletionCreateParamsStreaming
                return faults(body, kind)
            case "anthropic":
                from anthropic.types import message_create_params

                return faults(body, message_create_params.MessageCreateParamsStreaming)
            case "mistral":
                from mistralai.client import models

                return faults(body, models.ChatCompletionStreamRequest)
            case "ollama":
                from ollama._types import ChatRequest

                return faults(body, ChatRequest)
            case "google":
                from google.genai import types

                return faults(body["contents"], list[types.Content]) + faults(
                    body["generationConfig"], types.GenerationConfig
                )
        return []


class PageTests(SynchronousTestCase):
    """
    The page and the table of profiles agree.
    """

    def setUp(self) -> None:
        """
        Read the page.
        """
        self.text = PAGE.read_text()
        self.examples = re.findall(r"```yaml\n(.*?)```", self.text, re.S)
        variables = re.findall(r"\$\{(\w+)\}", self.text)
        self.environ = {"HOME": "/home/claw", **dict.fromkeys(variables, "key")}

    def load(self, example: str) -> Mapping[str, Provider]:
        """
        Return the providers of an example, which has no fault.
        """
        path = Path(f"{self.mktemp()}.yaml").absolute()
        path.write_text(example)
        loaded = loadConfig(path, self.environ)
        self.assertEqual(loaded.warnings, ())
        return loaded.config.models.providers

    def profile(self, name: str, settings: Provider) -> Profile:
        """
        Return the profile of the example's model.
        """
        return resolveProfile(ROWS, name, settings, settings.models[0].id)

    def test_examples(self) -> None:
        """
        The examples are valid, and all providers are there.
        """
        self.assertEqual(len(self.examples), 2)
        self.assertEqual(tuple(self.load(self.examples[0])), NAMES)
        self.assertEqual(tuple(self.load(self.examples[1])), ("acme",))

    def test_table(self) -> None:
        """
        The fields listed as not sent are those of the profile.
        """
        providers = self.load(self.examples[0])
        rows = re.findall(
            r"^\| [^|]+ \| `(\w+)` \| ([^|]*) \| [^|]+ \|$", self.text, re.M
        )
        self.assertEqual([name for name, _ in rows], list(NAMES))
        for name, listed in rows:
            dropped = self.profile(name, providers[name]).dropParams
            self.assertEqual(re.findall(r"`(\w+)`", listed), sorted(dropped), name)

    def test_turn(self) -> None:
        """
        A turn with a call of a tool, and nearly every field set, is accepted by each
        provider.
        """
        for name, settings in self.load(self.examples[0]).items():
            server = StrictServer(name, settings)
            result = self.turn(server, EVERYTHING)
            self.assertEqual((result.text, len(server.bodies)), ("Done.", 2), name)

    def test_formats(self) -> None:
        """
        So is one with a C{response_format}.
        """
        for wanted in ({"type": "json_object"}, SCHEMA_FORMAT):
            for name, settings in self.load(self.examples[0]).items():
                server = StrictServer(name, settings)
                self.turn(server, Sampling(response_format=wanted))
                self.assertEqual(len(server.bodies), 2, name)

    def turn(self, server: StrictServer, sampling: Sampling) -> Any:
        """
        Run a turn of an agent.
        """
        settings = server.settings
        dialect, model = DIALECTS[settings.api](), settings.models[0]
        profile = self.profile(server.name, settings)
        if settings.api in ("openai-responses", "anthropic-messages"):
            # These APIs have no words for them, for any provider.
            sampling = msgspec.structs.replace(
                sampling,
                frequency_penalty=None,
                presence_penalty=None,
                seed=None,
                stop=None if settings.api == "openai-responses" else sampling.stop,
            )

        async def ask(conversation: Sequence[Message], listener: Any) -> ModelReply:
            request = ModelRequest(
                model=model.id,
                system="Be brief.",
                messages=selectThoughts(conversation, "owner"),
                sampling=sampling,
                tools=[TOOL],
                maxOutputTokens=20_000,
                reasoning=model.reasoning,
                cacheKey="cache",
            )
            fitting, _ = fitRequest(request, profile)
            decoder = decoderOf(dialect)
            decoder.feed(server.answer(dialect.encode(fitting, profile)))
            decoder.finish()
            return bindThoughts(decoder.reply(), "owner")

        async def callTools(calls: Sequence[ToolCall]) -> Sequence[ToolMessage]:
            self.assertEqual([call.name for call in calls], ["read"])
            return [ToolMessage(call.id, "text") for call in calls]

        loop = TurnLoop(
            ask=ask, callTools=callTools, listener=lambda _: None, maxModelCalls=3
        )
        running = loop.run([UserMessage("Read the file.")])
        return self.successResultOf(Deferred.fromCoroutine(running))
