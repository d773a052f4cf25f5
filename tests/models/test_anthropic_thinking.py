"""
Tests of L{openclaw.models.dialects.anthropic_messages.request}: the reasoning effort,
and earlier reasoning.
"""

from functools import partial
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import InvalidRequest
from openclaw.interfaces import NamedTool, Sampling
from openclaw.messages import (
    AssistantMessage,
    Thought,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.dialects.anthropic_messages.response import AnthropicMessages
from tests.models import model_requests
from tests.models.model_requests import TOOL

encoded = partial(model_requests.encoded, AnthropicMessages())


class ThinkingTests(SynchronousTestCase):
    """
    Reasoning models get their effort and earlier reasoning.
    """

    conversation = (
        UserMessage("Look."),
        AssistantMessage(
            "I look.",
            (ToolCall("c", "ls", "{}"),),
            (Thought("Hm", "EqQB"), Thought("", "redacted:EmwK"), Thought("", "EoMC")),
        ),
        ToolMessage("c", "a.txt"),
    )

    def thinking(self, model: str = "claude-opus-4-7", **more: Any) -> Any:
        """
        Return the C{thinking} of a request.
        """
        return encoded(*self.conversation, model=model, **more).get("thinking")

    def test_byEffort(self) -> None:
        """
        Later models get the effort, and send summaries of their reasoning.
        """
        for model in (
            "claude-opus-4-7",
            "claude-sonnet-4.6",
            "claude-fable-5",
            "other",
        ):
            for more in (
                {"reasoning": True},
                {"sampling": Sampling(reasoning_effort="low")},
            ):
                self.assertEqual(
                    self.thinking(model, **more),
                    {"type": "adaptive", "display": "summarized"},
                )
        self.assertIsNone(self.thinking())

    def test_byBudget(self) -> None:
        """
        Earlier models get a budget in tokens, which leaves as many for the reply.
        """
        for model in (
            "claude-haiku-4-5-20251001",
            "claude-opus-4-20250514",
            "claude-3-7-sonnet-20250219",
        ):
            for effort, limit, tokens in (
                ("low", None, 2048),
                ("high", None, 8192),
                ("high", 64000, 24576),
                ("high", 4000, 2000),
            ):
                sampling = Sampling(reasoning_effort=effort, max_tokens=limit)
                body = encoded(*self.conversation, model=model, sampling=sampling)
                self.assertEqual(
                    body["thinking"], {"type": "enabled", "budget_tokens": tokens}
                )
                self.assertNotIn("output_config", body)
        self.assertEqual(
            self.thinking("claude-opus-4-5", reasoning=True)["budget_tokens"], 8192
        )

    def test_noRoom(self) -> None:
        """
        If the output limit leaves no tokens for reasoning, it is disabled.
        """
        sampling = Sampling(reasoning_effort="high", max_tokens=2000)
        self.assertIsNone(self.thinking("claude-opus-4-5", sampling=sampling))

    def test_unknownEffort(self) -> None:
        """
        An effort without a budget is rejected.
        """
        with self.assertRaises(InvalidRequest) as caught:
            self.thinking("claude-opus-4-5", sampling=Sampling(reasoning_effort="max"))
        self.assertEqual(caught.exception.param, "reasoning_effort")

    def test_otherWishesFirst(self) -> None:
        """
        Options that the API does not allow together with reasoning disable it.
        """
        for more in (
            {"sampling": Sampling(temperature=0.2)},
            {"sampling": Sampling(top_p=0.5)},
            {"tools": [TOOL], "toolChoice": "required"},
            {"tools": [TOOL], "toolChoice": NamedTool("read")},
        ):
            self.assertIsNone(self.thinking(reasoning=True, **more))
        for more in (
            {"sampling": Sampling(temperature=1.0, top_p=0.99)},
            {"tools": [TOOL]},
        ):
            self.assertIsNotNone(self.thinking(reasoning=True, **more))

    def test_thoughtsGoBack(self) -> None:
        """
        Earlier reasoning precedes its texts and calls unchanged, in its form.
        """
        turns = encoded(*self.conversation, reasoning=True)["messages"]
        self.assertEqual(
            turns[1]["content"][:4],
            [
                {"type": "thinking", "thinking": "Hm", "signature": "EqQB"},
                {"type": "redacted_thinking", "data": "EmwK"},
                {"type": "thinking", "thinking": "", "signature": "EoMC"},
                {"type": "text", "text": "I look."},
            ],
        )

    def test_withoutThinking(self) -> None:
        """
        Without reasoning, earlier reasoning is not sent.
        """
        for more in ({}, {"sampling": Sampling(reasoning_effort="none")}):
            turns = encoded(*self.conversation, **more)["messages"]
            kinds = [block["type"] for block in turns[1]["content"]]
            self.assertEqual(kinds, ["text", "tool_use"])

    def test_lostThoughts(self) -> None:
        """
        Earlier models reject calls without reasoning, such as another model's; so
        reasoning is disabled until the next user's message.
        """
        call = AssistantMessage("", (ToolCall("c", "ls", "{}"),))
        begun = [UserMessage("Look."), call, ToolMessage("c", "a.txt")]
        again = [*begun, UserMessage("And now?")]
        for model, messages, thinks in (
            ("claude-opus-4-5", begun, False),
            ("claude-opus-4-5", again, True),
            ("claude-opus-4-7", begun, True),
        ):
            body = encoded(*messages, model=model, reasoning=True)
            self.assertEqual("thinking" in body, thinks)
