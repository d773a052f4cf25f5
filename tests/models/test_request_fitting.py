"""
Tests of L{openclaw.models.request_fitting}: what is left out, and what takes its place.
"""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import Compat
from openclaw.interfaces import NamedTool, Sampling, ToolSpec
from openclaw.messages import (
    AssistantMessage,
    TextPart,
    Thought,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.dialects.anthropic_messages.response import AnthropicMessages
from openclaw.models.dialects.google_generative_ai.response import GoogleGenerativeAI
from openclaw.models.dialects.openai_completions.response import OpenAICompletions
from openclaw.models.dialects.openai_responses.response import OpenAIResponses
from openclaw.models.request_fitting import (
    ANY_OBJECT,
    EFFORTS,
    MUST_CALL,
    ONE_CALL,
    jsonInstructions,
    nearestEffort,
)
from openclaw.transcript import encodedIfPlain
from tests.models.model_requests import (
    PIXEL,
    SCHEMA,
    SCHEMA_FORMAT,
    TOOL,
    WEATHER,
    fitted,
    profileOf,
)

CHAT = OpenAICompletions()


def chat(*messages: Any, **more: Any) -> tuple[Any, Any]:
    """
    Fit and encode a request for chat completions.

    @param more: Settings of L{profileOf}, under C{settings}; fields of the request.
    """
    settings = more.pop("settings", {})
    profile = profileOf(more.get("model", "m"), **settings)
    return fitted(CHAT, *messages, profile=profile, **more)


class FieldTests(SynchronousTestCase):
    """
    Sampling fields.
    """

    def test_dropped(self) -> None:
        """
        A field that the model refuses is left out, and named; the others stay.
        """
        body, ignored = chat(
            model="claude-opus-4-7",
            sampling=Sampling(temperature=0.5, top_p=0.9, seed=1),
        )
        self.assertEqual(ignored, ["temperature", "top_p"])
        self.assertNotIn("temperature", body)
        self.assertNotIn("top_p", body)
        self.assertEqual(body["seed"], 1)

    def test_nothingDropped(self) -> None:
        """
        Only fields that the caller sent are named.
        """
        _, ignored = chat(model="claude-opus-4-7", sampling=Sampling(seed=1))
        self.assertEqual(ignored, [])

    def test_whenReasoning(self) -> None:
        """
        Later models of OpenAI take the sampling fields only when they don't reason.
        """
        for effort, isSent in ((None, False), ("low", False), ("none", True)):
            body, ignored = chat(
                model="gpt-5.2",
                sampling=Sampling(temperature=0.5, reasoning_effort=effort),
            )
            self.assertEqual("temperature" in body, isSent)
            self.assertEqual(ignored, [] if isSent else ["temperature"])

    def test_oneOfTwo(self) -> None:
        """
        Of two fields that exclude each other the first is sent.
        """
        both = Sampling(temperature=0.5, top_p=0.9)
        body, ignored = chat(model="claude-sonnet-4-5", sampling=both)
        self.assertEqual((body["temperature"], ignored), (0.5, ["top_p"]))
        body, ignored = chat(model="claude-sonnet-4-5", sampling=Sampling(top_p=0.9))
        self.assertEqual((body["top_p"], ignored), (0.9, []))

    def test_byHand(self) -> None:
        """
        C{dropParams} leaves out any field, also of the gateway's own; C{extraBody} adds
        and removes members.
        """
        body, ignored = chat(
            sampling=Sampling(seed=1, temperature=0.1),
            settings={
                "dropParams": ("seed", "stream_options"),
                "extraBody": {"safe_prompt": True, "temperature": 0.7, "model": "n"},
            },
        )
        self.assertEqual(
            body,
            {
                "model": "n",
                "messages": [{"role": "user", "content": "Hello"}],
                "stream": True,
                "temperature": 0.7,
                "safe_prompt": True,
            },
        )
        self.assertEqual(ignored, ["seed"])
        body, _ = chat(settings={"extraBody": {"stream_options": None}})
        self.assertNotIn("stream_options", body)

    def test_names(self) -> None:
        """
        Fields have the provider's names.
        """
        sampling = Sampling(seed=3, max_completion_tokens=5)
        body, ignored = chat(sampling=sampling, settings={"name": "mistral"})
        self.assertEqual((body["random_seed"], body["max_tokens"]), (3, 5))
        self.assertNotIn("stream_options", body)
        self.assertEqual(ignored, [])
        body, _ = chat(
            sampling=Sampling(max_tokens=5),
            settings={"baseUrl": "https://api.openai.com/v1"},
        )
        self.assertEqual(body["max_completion_tokens"], 5)
        self.assertNotIn("max_tokens", body)

    def test_clamped(self) -> None:
        """
        A temperature above the provider's range becomes its highest.
        """
        hot = Sampling(temperature=1.8)
        body, _ = chat(sampling=hot, settings={"name": "moonshot"})
        self.assertEqual(body["temperature"], 1)
        body, ignored = fitted(
            AnthropicMessages(), api="anthropic-messages", sampling=hot
        )
        self.assertEqual((body["temperature"], ignored), (1, []))

    def test_withoutEffect(self) -> None:
        """
        Fields that have no effect stay here: no stop sequences, parallel calls without
        tools.
        """
        idle = Sampling(stop=(), parallel_tool_calls=False)
        for dialect, api in (
            (CHAT, "openai-completions"),
            (OpenAIResponses(), "openai-responses"),
            (AnthropicMessages(), "anthropic-messages"),
            (GoogleGenerativeAI(), "google-generative-ai"),
        ):
            body, ignored = fitted(dialect, api=api, sampling=idle)
            plain, _ = fitted(dialect, api=api)
            self.assertEqual((body, ignored), (plain, []))

    def test_fieldsOfSome(self) -> None:
        """
        Fields that only some providers have go to those.
        """
        sampling = Sampling(top_k=4, min_p=0.1, service_tier="flex", verbosity="low")
        for name, sent in (
            ("openai", {"service_tier": "flex", "verbosity": "low"}),
            ("vllm", {"top_k": 4, "min_p": 0.1}),
            (
                "openrouter",
                {"top_k": 4, "min_p": 0.1}
                | {"service_tier": "flex"}
                | {"verbosity": "low"},
            ),
            ("deepseek", {}),
        ):
            body, ignored = chat(sampling=sampling, settings={"name": name})
            names = {"top_k", "min_p", "service_tier", "verbosity"}
            self.assertEqual({n: body[n] for n in names & body.keys()}, sent, name)
            self.assertEqual(list(ignored), sorted(names - sent.keys()))
        body, ignored = fitted(
            AnthropicMessages(),
            api="anthropic-messages",
            sampling=Sampling(top_k=4, min_p=0.1, safety_identifier="u"),
        )
        self.assertEqual((body["top_k"], body["metadata"]), (4, {"user_id": "u"}))
        self.assertEqual(ignored, ["min_p"])
        body, ignored = fitted(
            OpenAIResponses(), api="openai-responses", sampling=sampling
        )
        self.assertEqual(body["text"], {"verbosity": "low"})
        self.assertEqual(ignored, ["min_p", "top_k"])

    def test_cacheKey(self) -> None:
        """
        A session has one cache key, at providers that have a field for it; the
        caller's own goes first.
        """
        for name, sampling, key in (
            ("openai", Sampling(), "k"),
            ("openai", Sampling(prompt_cache_key="own"), "own"),
            ("groq", Sampling(), None),
            ("vendor", Sampling(), None),
        ):
            body, _ = chat(cacheKey="k", sampling=sampling, settings={"name": name})
            self.assertEqual(body.get("prompt_cache_key"), key)

    @given(st.sampled_from(EFFORTS), st.sets(st.sampled_from(EFFORTS), min_size=1))
    def test_nearestEffort(self, effort: str, supported: set[str]) -> None:
        """
        Another effort than a model has becomes the next that it has.
        """
        found = nearestEffort(effort, sorted(supported))
        self.assertIn(found, supported)
        if effort in supported:
            self.assertEqual(found, effort)

    def test_effortWords(self) -> None:
        """
        Reasoning is switched in the provider's words.
        """
        for name, model, effort, fields in (
            ("openai", "gpt-5", "low", {"reasoning_effort": "low"}),
            ("openrouter", "x/y", "high", {"reasoning": {"effort": "high"}}),
            ("deepseek", "deepseek-chat", "high", {"thinking": {"type": "enabled"}}),
            ("deepseek", "deepseek-chat", "none", {"thinking": {"type": "disabled"}}),
            ("qwen", "qwen3-max", "none", {"enable_thinking": False}),
            ("groq", "qwen/qwen3-32b", "high", {"reasoning_effort": "default"}),
            ("groq", "llama-3.3-70b", "high", {}),
            ("xai", "grok-4", "high", {}),
            ("xai", "grok-3-mini", "medium", {"reasoning_effort": "high"}),
        ):
            body, ignored = chat(
                model=model,
                sampling=Sampling(reasoning_effort=effort),
                settings={"name": name},
            )
            usual = {"model", "messages", "stream", "stream_options"}
            self.assertEqual({k: body[k] for k in body.keys() - usual}, fields, model)
            self.assertEqual(list(ignored), [] if fields else ["reasoning_effort"])


class ToolTests(SynchronousTestCase):
    """
    Tools, and the choice among them.
    """

    def test_none(self) -> None:
        """
        A model without tools gets none, and the caller is told.
        """
        body, ignored = chat(
            tools=[WEATHER],
            toolChoice="required",
            settings={"compat": Compat(supportsTools=False)},
        )
        self.assertNotIn("tools", body)
        self.assertNotIn("tool_choice", body)
        self.assertEqual(ignored, ["tools"])

    def test_named(self) -> None:
        """
        If no tool can be named, it is the only one, and must be called.
        """
        body, ignored = chat(
            tools=[WEATHER, TOOL],
            toolChoice=NamedTool("read"),
            settings={"name": "lmstudio"},
        )
        self.assertEqual([tool["function"]["name"] for tool in body["tools"]], ["read"])
        self.assertEqual((body["tool_choice"], ignored), ("required", []))

    def test_required(self) -> None:
        """
        If no call can be forced, the model is told to make one.
        """
        body, ignored = chat(
            tools=[TOOL], toolChoice="required", settings={"name": "moonshot"}
        )
        self.assertNotIn("tool_choice", body)
        self.assertEqual(body["messages"][0], {"role": "system", "content": MUST_CALL})
        self.assertEqual(ignored, ["tool_choice"])

    def test_oneCall(self) -> None:
        """
        If parallel calls can't be forbidden, the model is told not to make any.
        """
        single = Sampling(parallel_tool_calls=False)
        body, ignored = fitted(
            GoogleGenerativeAI(),
            api="google-generative-ai",
            tools=[TOOL],
            sampling=single,
        )
        self.assertEqual(body["systemInstruction"], {"parts": [{"text": ONE_CALL}]})
        self.assertEqual(ignored, ["parallel_tool_calls"])
        body, ignored = fitted(
            AnthropicMessages(), api="anthropic-messages", tools=[TOOL], sampling=single
        )
        self.assertIs(body["tool_choice"]["disable_parallel_tool_use"], True)
        self.assertEqual(ignored, [])

    def test_strict(self) -> None:
        """
        C{strict} goes only to servers that have it.
        """
        strict = ToolSpec("f", "", {"type": "object"}, strict=True)
        for name, isSent in (("openai", True), ("together", False)):
            body, _ = chat(tools=[strict], settings={"name": name})
            self.assertEqual("strict" in body["tools"][0]["function"], isSent)

    def test_keywords(self) -> None:
        """
        Keywords are left out of a schema at every depth, but no property is that has
        such a name.
        """
        inner = {"type": "string", "format": "uri", "minLength": 1}
        tool = ToolSpec(
            "f", "", {"type": "object", "properties": {"format": inner, "b": [inner]}}
        )
        body, _ = chat(
            tools=[tool],
            settings={"compat": Compat(unsupportedToolSchemaKeywords=("format",))},
        )
        pruned = {"type": "string", "minLength": 1}
        self.assertEqual(
            body["tools"][0]["function"]["parameters"],
            {"type": "object", "properties": {"format": pruned, "b": [pruned]}},
        )


class FormatTests(SynchronousTestCase):
    """
    Answers in JSON.
    """

    def test_jsonObject(self) -> None:
        """
        If there is no word for any object, there is a schema of one, or the prompt.
        """
        wanted = Sampling(response_format={"type": "json_object"})
        body, _ = chat(sampling=wanted, settings={"name": "lmstudio"})
        self.assertEqual(body["response_format"], ANY_OBJECT)
        body, ignored = fitted(
            AnthropicMessages(), api="anthropic-messages", sampling=wanted
        )
        self.assertEqual(body["system"][0]["text"], jsonInstructions())
        self.assertEqual(ignored, ["response_format"])

    def test_schema(self) -> None:
        """
        If there is no word for a schema, it is in the prompt.
        """
        body, ignored = chat(
            sampling=Sampling(response_format=SCHEMA_FORMAT),
            settings={"name": "deepseek"},
        )
        self.assertEqual(body["response_format"], {"type": "json_object"})
        self.assertEqual(body["messages"][0]["content"], jsonInstructions(SCHEMA))
        self.assertEqual(ignored, [])


CALL = ToolCall("call_1", "read", "{}")


class MessageTests(SynchronousTestCase):
    """
    Messages.
    """

    def test_empty(self) -> None:
        """
        Empty messages and empty parts are not sent, also of a conversation that is
        texts alone.
        """
        said = [UserMessage("a"), AssistantMessage(""), UserMessage("b")]
        for messages in (said, encodedIfPlain(said)):
            body, _ = fitted(CHAT, messages=messages)
            self.assertEqual(
                body["messages"],
                [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
            )
        body, _ = chat(UserMessage((TextPart(""), PIXEL, TextPart(" "))))
        [part] = body["messages"][0]["content"]
        self.assertEqual(part["type"], "image_url")

    def test_alternation(self) -> None:
        """
        Neighbours of one role are joined where the server wants that, so that a turn
        without an answer spoils nothing.
        """
        said = [
            UserMessage("a"),
            UserMessage("b"),
            AssistantMessage("c"),
            AssistantMessage(""),
            AssistantMessage("d"),
            UserMessage('"e"'),
        ]
        for messages in (said, encodedIfPlain(said)):
            body, _ = fitted(CHAT, messages=messages, profile=profileOf(name="vllm"))
            self.assertEqual(
                body["messages"],
                [
                    {"role": "user", "content": "a\n\nb"},
                    {"role": "assistant", "content": "c\n\nd"},
                    {"role": "user", "content": '"e"'},
                ],
            )
            body, _ = fitted(CHAT, messages=messages)
            self.assertEqual(len(body["messages"]), 5)

    def test_asItIs(self) -> None:
        """
        A conversation of texts that needs no change is not decoded.
        """
        plain = encodedIfPlain(
            [UserMessage('{"role":"user"'), AssistantMessage('"content":""')]
        )
        del plain._messages  # type: ignore[union-attr]
        body, _ = fitted(CHAT, messages=plain, profile=profileOf(name="vllm"))
        self.assertEqual(body["messages"][1]["content"], '"content":""')

    def test_stringContent(self) -> None:
        """
        Text in parts is a string where the server wants strings; images stay parts.
        """
        parts = UserMessage((TextPart("a"), TextPart("b")))
        body, _ = chat(parts, settings={"name": "deepseek"})
        self.assertEqual(body["messages"][0]["content"], "a\nb")

    def test_mistral(self) -> None:
        """
        Mistral's form: ids of nine characters, the same in call and result, the tool's
        name, and no member that OpenAI has not.
        """
        body, _ = chat(
            UserMessage("a"),
            AssistantMessage("", (CALL,), (Thought("Hm.", "reasoning_content"),)),
            ToolMessage("call_1", "b", isError=True),
            settings={"name": "mistral"},
        )
        _, called, result = body["messages"]
        [call] = called["tool_calls"]
        self.assertRegex(call["id"], r"\A[a-zA-Z0-9]{9}\Z")
        self.assertEqual(
            result,
            {
                "role": "tool",
                "content": "Error: b",
                "tool_call_id": call["id"],
                "name": "read",
            },
        )
        self.assertEqual(called.keys(), {"role", "content", "tool_calls"})

    def test_besideCalls(self) -> None:
        """
        The content beside calls without text is empty, C{null} or absent.
        """
        said = AssistantMessage("", (CALL,))
        for value, expected in (
            (None, {"content": ""}),
            ("null", {"content": None}),
            ("absent", {}),
        ):
            settings = {"compat": Compat(contentBesideCalls=value)}
            [message] = chat(said, settings=settings)[0]["messages"]
            del message["tool_calls"]
            self.assertEqual(message, {"role": "assistant"} | expected)

    def test_thoughts(self) -> None:
        """
        Thoughts go back as text, or an empty one stands in for them, where a server
        wants that.
        """
        said = AssistantMessage("x", (CALL,), (Thought("Hm.", "reasoning"),))
        asText = {"compat": Compat(requiresThinkingAsText=True)}
        [message] = chat(said, settings=asText)[0]["messages"]
        self.assertEqual(message["content"], "Hm.\n\nx")
        self.assertNotIn("reasoning", message)
        always = {"compat": Compat(requiresReasoningContentOnAssistantMessages=True)}
        [message] = chat(AssistantMessage("", (CALL,)), settings=always)[0]["messages"]
        self.assertEqual(message["reasoning_content"], "")

    def test_afterResults(self) -> None:
        """
        An assistant's message stands between a result and the user, where a server
        wants that.
        """
        settings = {"compat": Compat(requiresAssistantAfterToolResult=True)}
        said = (AssistantMessage("", (CALL,)), ToolMessage("call_1", "b"))
        body, _ = chat(*said, UserMessage("c"), settings=settings)
        roles = [message["role"] for message in body["messages"]]
        self.assertEqual(roles, ["assistant", "tool", "assistant", "user"])

    def test_developer(self) -> None:
        """
        OpenAI's reasoning models get their prompt from the developer.
        """
        for url, reasoning, role in (
            ("https://api.openai.com/v1", True, "developer"),
            ("https://api.openai.com/v1", False, "system"),
            ("http://localhost:8000/v1", True, "system"),
        ):
            body, _ = chat(
                system="Be kind.", reasoning=reasoning, settings={"baseUrl": url}
            )
            self.assertEqual(body["messages"][0]["role"], role)

    def test_cacheControl(self) -> None:
        """
        Anthropic's models at OpenRouter are told what to cache.
        """
        body, _ = chat(
            UserMessage("a"),
            AssistantMessage("b"),
            UserMessage("c"),
            model="anthropic/claude-sonnet-4.5",
            system="Be kind.",
            settings={"name": "openrouter"},
        )
        marked = [
            message["content"][-1]["text"]
            for message in body["messages"]
            if isinstance(message["content"], list)
            and message["content"][-1]["cache_control"] == {"type": "ephemeral"}
        ]
        self.assertEqual(marked, ["Be kind.", "c"])
