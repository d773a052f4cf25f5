"""
Tests of refusals and log probabilities in the answers of providers.
"""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.events import LogprobsDelta, RefusalDelta, TextDelta
from openclaw.interfaces import ModelReply, ModelRequest, Sampling
from openclaw.messages import UserMessage
from openclaw.models.dialects.google_generative_ai.response import GoogleGenerativeAI
from openclaw.models.dialects.ollama.chat import Ollama
from openclaw.models.dialects.openai_completions.response import OpenAICompletions
from openclaw.models.dialects.openai_responses.response import OpenAIResponses
from openclaw.models.logprobs import UNLIKELY, readLogprobs
from openclaw.models.provider import Dialect
from tests.models.event_reading import cut, decoderOf, places

A = {"token": "a", "logprob": -0.25, "bytes": [97], "top_logprobs": []}


def events(*documents: Any) -> bytes:
    """
    Server-sent events.
    """
    return b"".join(
        b"data: " + msgspec.json.encode(document) + b"\n\n" for document in documents
    )


def read(dialect: Dialect, *pieces: bytes) -> tuple[list[Any], ModelReply]:
    """
    Read an answer.

    @return: Its events and the reply.
    """
    decoder = decoderOf(dialect)
    found: list[Any] = []
    for piece in pieces:
        found += decoder.feed(piece)
    found += decoder.finish()
    return found, decoder.reply()


def choice(reason: str | None = None, **more: Any) -> dict[str, Any]:
    """
    A chunk of a chat completion.
    """
    return {"choices": [{"index": 0, "finish_reason": reason, **more}]}


class RefusalTests(SynchronousTestCase):
    """
    A refusal is an answer of its own kind.
    """

    WIRES = (
        (
            OpenAICompletions,
            events(
                choice(delta={"role": "assistant", "refusal": "I ca"}),
                choice(delta={"refusal": "n't \u20ac\U0001f600."}),
                choice("stop", delta={}),
            ),
        ),
        (
            OpenAICompletions,
            msgspec.json.encode(
                choice(
                    "stop",
                    message={"content": None, "refusal": "I can't \u20ac\U0001f600."},
                )
            ),
        ),
        (
            OpenAIResponses,
            events(
                *(
                    {
                        "type": "response.refusal.delta",
                        "output_index": 0,
                        "delta": piece,
                    }
                    for piece in ("I ca", "n't \u20ac\U0001f600.")
                ),
                {"type": "response.refusal.done", "refusal": "I can't"},
                {"type": "response.completed", "response": {}},
            ),
        ),
    )

    @given(st.sampled_from(WIRES), places(600))
    def test_understood(self, wire: tuple[type[Any], bytes], where: list[int]) -> None:
        """
        Its text is told as it comes and kept apart from text; it is no failure.
        """
        dialect, body = wire
        found, reply = read(dialect(), *cut(body, where))
        told = "".join(each.text for each in found if type(each) is RefusalDelta)
        self.assertEqual(told, "I can't \u20ac\U0001f600.")
        self.assertEqual((reply.text, reply.refusal), ("", told))
        self.assertEqual(reply.finishReason, "stop")
        self.assertFalse(any(type(each) is TextDelta for each in found))

    def test_reason(self) -> None:
        """
        The finish reason stays as it came.
        """
        wire = events(choice("content_filter", delta={"refusal": "No."}))
        _, reply = read(OpenAICompletions(), wire)
        self.assertEqual((reply.finishReason, reply.refusal), ("content_filter", "No."))


class LogprobsTests(SynchronousTestCase):
    """
    Log probabilities reach the listener beside the text.
    """

    def test_dialects(self) -> None:
        """
        Each dialect that has them yields OpenAI's form.
        """
        google = {
            "chosenCandidates": [{"token": "a", "logProbability": -0.25}],
            "topCandidates": [
                {"candidates": [{"token": "b", "logProbability": -1.5, "tokenId": 3}]}
            ],
        }
        other = {"token": "b", "logprob": -1.5, "bytes": [98]}
        text = {"type": "response.output_text.delta", "output_index": 0, "delta": "a"}
        content = {"parts": [{"text": "a"}]}
        for dialect, wire, top in (
            (
                OpenAICompletions(),
                events(
                    choice(delta={"content": "a"}, logprobs={"content": [A]}),
                    choice("stop", delta={}, logprobs=None),
                ),
                [],
            ),
            (
                OpenAIResponses(),
                events(
                    {**text, "logprobs": [A]},
                    {"type": "response.completed", "response": {}},
                ),
                [],
            ),
            (
                GoogleGenerativeAI(),
                events(
                    {"candidates": [{"content": content, "logprobsResult": google}]},
                    {"candidates": [{"finishReason": "STOP"}]},
                ),
                [other],
            ),
            (
                Ollama(),
                msgspec.json.encode({"message": {"content": "a"}, "logprobs": [A]})
                + b'\n{"done":true}\n',
                [],
            ),
        ):
            found, reply = read(dialect, wire)
            self.assertEqual(reply.text, "a")
            self.assertEqual(
                [type(each) for each in found], [TextDelta, LogprobsDelta], dialect
            )
            self.assertEqual(found[1].tokens, ({**A, "top_logprobs": top},))

    def test_asked(self) -> None:
        """
        The fields that ask for them are those of each API.
        """
        request = ModelRequest(
            model="m",
            system="",
            messages=[UserMessage("a")],
            sampling=Sampling(logprobs=True, top_logprobs=2),
        )
        for dialect, expected in (
            (OpenAICompletions(), {"logprobs": True, "top_logprobs": 2}),
            (
                OpenAIResponses(),
                {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
            ),
            (
                GoogleGenerativeAI(),
                {"generationConfig": {"responseLogprobs": True, "logprobs": 2}},
            ),
            (Ollama(), {"logprobs": True, "top_logprobs": 2}),
        ):
            body = msgspec.json.decode(dialect.encode(request))
            self.assertEqual({name: body.get(name) for name in expected}, expected)

    def test_odd(self) -> None:
        """
        Odd values can't break an answer: what is not a number is very unlikely, and
        what is no token is left out.
        """
        wire = (
            b'data: {"choices":[{"delta":{"content":"a"},"logprobs":{"content":['
            b'{"token":"a","logprob":-Infinity,"bytes":null,"top_logprobs":null},'
            b'{"token":7},null,{"token":"\\ud83d","logprob":"x","bytes":[300]},'
            b'{"token":"c","logprob":NaN,"top_logprobs":[{"token":"d"},4]}]}}]}\n\n'
            b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
        )
        found, reply = read(OpenAICompletions(), wire)
        self.assertEqual(reply.text, "a")
        tokens = found[1].tokens
        self.assertEqual([each["token"] for each in tokens], ["a", "\ufffd", "c"])
        self.assertEqual({each["logprob"] for each in tokens}, {UNLIKELY})
        self.assertEqual(tokens[0]["bytes"], [97])
        self.assertEqual([each["token"] for each in tokens[2]["top_logprobs"]], ["d"])

    def test_olderForm(self) -> None:
        """
        Lists of tokens and of their log probabilities are read, too.
        """
        (token,) = readLogprobs({"tokens": ["a"], "token_logprobs": [-0.25]})
        self.assertEqual(token, A)

    @given(
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "content",
                            "token",
                            "logprob",
                            "top_logprobs",
                            "tokens",
                            "bytes",
                        ]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=12,
        )
    )
    def test_anything(self, value: Any) -> None:
        """
        Whatever comes, the result can be encoded, and has OpenAI's members.
        """
        for token in readLogprobs(value):
            msgspec.json.encode(token)
            self.assertEqual(
                token.keys(), {"token", "logprob", "bytes", "top_logprobs"}
            )
