"""
Tests of L{openclaw.models.dialects.openai_completions.request}.
"""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from openclaw.interfaces import ModelRequest, Sampling
from openclaw.messages import (
    AssistantMessage,
    Message,
    Thought,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.dialects.openai_completions.response import OpenAICompletions
from tests.models.model_requests import profileOf


class RequestTests(SynchronousTestCase):
    """
    The request that a provider gets.
    """

    def sent(
        self, *messages: Message, system: str = "", **sampling: object
    ) -> dict[str, object]:
        """
        Return the body of a request.
        """
        request = ModelRequest("some-model", system, messages, Sampling(**sampling))
        return msgspec.json.decode(OpenAICompletions().encode(request))

    def test_least(self) -> None:
        """
        A stream with usage is requested; unset fields are not sent, since a provider
        may reject them.
        """
        self.assertEqual(
            self.sent(UserMessage("Hello?")),
            {
                "model": "some-model",
                "messages": [{"role": "user", "content": "Hello?"}],
                "stream": True,
                "stream_options": {"include_usage": True},
            },
        )

    def test_conversation(self) -> None:
        """
        The system prompt comes first; each message keeps its role and position.
        """
        body = self.sent(
            UserMessage("Weather?"),
            AssistantMessage(
                "One moment.", (ToolCall("call_1", "look", '{"at": "sky"'),)
            ),
            ToolMessage("call_1", "blue"),
            AssistantMessage("It is fine."),
            UserMessage('"Thanks", é🦞\u2028'),
            system="Be kind.",
        )
        self.assertEqual(
            body["messages"],
            [
                {"role": "system", "content": "Be kind."},
                {"role": "user", "content": "Weather?"},
                {
                    "role": "assistant",
                    "content": "One moment.",
                    "tool_calls": [
                        {
                            "id": "call_1",
                            "type": "function",
                            "function": {"name": "look", "arguments": '{"at": "sky"'},
                        }
                    ],
                },
                {"role": "tool", "content": "blue", "tool_call_id": "call_1"},
                {"role": "assistant", "content": "It is fine."},
                {"role": "user", "content": '"Thanks", é🦞\u2028'},
            ],
        )

    def test_failedTool(self) -> None:
        """
        A failed call's result has a text about the failure, since the API has no field
        for it; our own field is not sent.
        """
        call = AssistantMessage("", (ToolCall("call_1", "look", "{}"),))
        for said, isError, text in (
            ("no such sky", True, "Error: no such sky"),
            ("Error: on the sky", False, "Error: on the sky"),
        ):
            body = self.sent(call, ToolMessage("call_1", said, isError))
            self.assertEqual(
                body["messages"][-1],
                {"role": "tool", "content": text, "tool_call_id": "call_1"},
            )

    def test_sampling(self) -> None:
        """
        Sampling fields are sent unchanged, also if the value is falsy.
        """
        fields = {
            "temperature": 0.0,
            "top_p": 0.5,
            "frequency_penalty": -1.0,
            "presence_penalty": 0.0,
            "seed": 0,
            "stop": ["a", "b"],
            "response_format": {"type": "json_object"},
            "logit_bias": {"50256": -100.0},
            "logprobs": False,
            "top_logprobs": 0,
            "reasoning_effort": "low",
            "parallel_tool_calls": False,
        }
        body = self.sent(**fields)
        self.assertEqual({name: body[name] for name in fields}, fields)
        self.assertEqual(self.sent(stop="a")["stop"], "a")

    def test_tokenLimits(self) -> None:
        """
        The two fields of the output limit are kept apart: older servers only accept
        one, newer models of OpenAI only the other.
        """
        names = {"max_tokens", "max_completion_tokens"}
        for name in names:
            body = self.sent(**{name: 5})
            self.assertEqual(body[name], 5)
            self.assertEqual(names & body.keys(), {name})

    def test_limitOfReasoningModels(self) -> None:
        """
        OpenAI's later models get the limit in the field that they accept; of both the
        newer takes precedence.
        """
        for model, newer in (
            ("o3-mini", True),
            ("gpt-5.2", True),
            ("openai/gpt-6", True),
            ("gpt-4o", False),
            ("gpt-oss-120b", False),
            ("olmo-3", False),
        ):
            request = ModelRequest(model, "", [], Sampling(max_tokens=5))
            body = msgspec.json.decode(
                OpenAICompletions().encode(request, profileOf(model=model))
            )
            self.assertEqual(body.get("max_completion_tokens"), 5 if newer else None)
            self.assertEqual(body.get("max_tokens"), None if newer else 5)
        both = Sampling(max_tokens=5, max_completion_tokens=6)
        body = OpenAICompletions().encode(
            ModelRequest("o3", "", [], both), profileOf(model="o3")
        )
        self.assertEqual(msgspec.json.decode(body)["max_completion_tokens"], 6)

    def test_thoughts(self) -> None:
        """
        A model that sent reasoning before a call gets it back in the same field.
        """
        call = ToolCall("call_1", "look", "{}")
        for field in ("reasoning_content", "reasoning"):
            said = AssistantMessage("", (call,), (Thought("Hm.", field),))
            body = self.sent(UserMessage("Hi"), said, ToolMessage("call_1", "blue"))
            self.assertEqual(body["messages"][1][field], "Hm.")
        plain = self.sent(AssistantMessage("", (call,)))["messages"][0]
        self.assertEqual(set(plain), {"role", "content", "tool_calls"})

    def test_everySamplingField(self) -> None:
        """
        All fields are tested.
        """
        some = {
            "stop": "a",
            "response_format": {},
            "logit_bias": {},
            "reasoning_effort": "low",
        }
        for name in Sampling.__struct_fields__:
            body = self.sent(**{name: some.get(name, 1)})
            self.assertIn(name, body)
