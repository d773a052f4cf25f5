"""
Tests of the state that a provider wants back: from its answer into the transcript or to
the client, and into the next request.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.api.call_state import decodeState, encodeState
from openclaw.errors import UpstreamMalformed
from openclaw.interfaces import ModelReply, ModelRequest, ToolSpec
from openclaw.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from openclaw.models.dialects.anthropic_messages.response import AnthropicMessages
from openclaw.models.dialects.google_generative_ai.response import GoogleGenerativeAI
from openclaw.models.dialects.openai_completions.response import OpenAICompletions
from openclaw.models.dialects.openai_responses.response import OpenAIResponses
from openclaw.models.opaque_members import joinDetails
from openclaw.models.profiles import DEFAULT_PROFILE
from openclaw.models.provider import Dialect
from openclaw.models.thought_signatures import bindThoughts, selectThoughts
from tests.models.event_reading import cut, decoderOf, places

OWNER = "acme/big"


def events(*documents: Any) -> bytes:
    """
    Server-sent events.
    """
    return b"".join(
        b"data: " + msgspec.json.encode(document) + b"\n\n" for document in documents
    )


def chunk(reason: str | None = None, **delta: Any) -> dict[str, Any]:
    """
    A chunk of a chat completion.
    """
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


SIGNED = {"google": {"thought_signature": "c2lnbmVk"}}
FUNCTION = {"name": "look", "arguments": "{}"}
DETAILS = [
    {"type": "reasoning.text", "text": "I must look.", "index": 0, "signature": "s1"},
    {"type": "reasoning.encrypted", "data": "xyz", "index": 1},
]

COMPLETIONS = events(
    chunk(role="assistant", content="", session_mark={"a": [1]}),
    chunk(
        reasoning="I must",
        reasoning_details=[{"type": "reasoning.text", "text": "I must", "index": 0}],
    ),
    chunk(
        reasoning=" look.",
        reasoning_details=[{"type": "reasoning.text", "text": " look.", "index": 0}],
    ),
    chunk(
        reasoning_details=[
            {"type": "reasoning.text", "signature": "s1", "index": 0, "text": None},
            DETAILS[1],
        ]
    ),
    chunk(tool_calls=[{"index": 0, "id": "c1", "function": {"name": "look"}}]),
    chunk(
        tool_calls=[
            {"index": 0, "function": {"arguments": "{}"}, "extra_content": SIGNED}
        ]
    ),
    chunk("tool_calls"),
)

WHOLE = msgspec.json.encode(
    {
        "choices": [
            {
                "finish_reason": "tool_calls",
                "message": {
                    "role": "assistant",
                    "content": None,
                    "session_mark": {"a": [1]},
                    "reasoning": "I must look.",
                    "reasoning_details": DETAILS,
                    "tool_calls": [
                        {"id": "c1", "function": FUNCTION, "extra_content": SIGNED}
                    ],
                    "annotations": ["not for requests"],
                },
            }
        ]
    }
)

THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "s2"}
ANTHROPIC = events(
    {"type": "content_block_start", "index": 0, "content_block": THINKING},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "redacted_thinking", "data": "zzz"},
    },
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "c1", "name": "look", "input": {}},
    },
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
    {"type": "message_stop"},
)

GOOGLE = events(
    {
        "candidates": [
            {
                "content": {
                    "parts": [
                        {"functionCall": {"name": "look"}, "thoughtSignature": "c2ln"}
                    ]
                },
                "finishReason": "STOP",
            }
        ]
    }
)

RESPONSES = events(
    {
        "type": "response.output_item.done",
        "output_index": 0,
        "item": {"type": "reasoning", "encrypted_content": "cipher"},
    },
    {
        "type": "response.output_item.done",
        "output_index": 1,
        "item": {
            "type": "message",
            "phase": "commentary",
            "content": [{"type": "output_text", "text": "I look."}],
        },
    },
    {
        "type": "response.output_item.done",
        "output_index": 2,
        "item": {
            "type": "function_call",
            "call_id": "c1",
            "name": "look",
            "arguments": "{}",
        },
    },
    {"type": "response.completed", "response": {}},
)


def said(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """
    The assistant's message in a request of C{openai-completions}.
    """
    return next(each for each in body["messages"] if each["role"] == "assistant")


def completionsState(body: Mapping[str, Any]) -> Any:
    """
    The state in a request of C{openai-completions}.
    """
    message = said(body)
    names = ("reasoning", "reasoning_details", "session_mark", "annotations")
    return (
        [call.get("extra_content") for call in message["tool_calls"]],
        {name: message[name] for name in names if name in message},
    )


def anthropicState(body: Mapping[str, Any]) -> Any:
    """
    The same of C{anthropic-messages}.
    """
    content = body["messages"][1]["content"]
    return [block for block in content if "thinking" in block["type"]]


def googleState(body: Mapping[str, Any]) -> Any:
    """
    The same of C{google-generative-ai}.
    """
    parts = body["contents"][1]["parts"]
    return [part.get("thoughtSignature") for part in parts]


def responsesState(body: Mapping[str, Any]) -> Any:
    """
    The same of C{openai-responses}.
    """
    return [
        item.get("encrypted_content") or item.get("phase")
        for item in body["input"]
        if item.get("type") in ("reasoning", "message")
    ]


FULL = (
    [SIGNED],
    {
        "reasoning": "I must look.",
        "reasoning_details": DETAILS,
        "session_mark": {"a": [1]},
    },
)
REDACTED = {"type": "redacted_thinking", "data": "zzz"}
CASES: Sequence[
    tuple[Callable[[], Dialect], bytes, Callable[[Mapping[str, Any]], Any], Any, Any]
] = (
    (OpenAICompletions, COMPLETIONS, completionsState, FULL, ([None], {})),
    (OpenAICompletions, WHOLE, completionsState, FULL, ([None], {})),
    (AnthropicMessages, ANTHROPIC, anthropicState, [THINKING, REDACTED], []),
    (
        lambda: GoogleGenerativeAI(),
        GOOGLE,
        googleState,
        ["c2ln"],
        [None],
    ),
    (OpenAIResponses, RESPONSES, responsesState, ["cipher", "commentary"], [None]),
)
"""
Dialect, answer, the reading of the state in a request, the state that must be there,
and the one for another model.
"""


def replyTo(dialect: Callable[[], Dialect], *pieces: bytes) -> ModelReply:
    """
    Read an answer of L{OWNER}.
    """
    decoder = decoderOf(dialect())
    for piece in pieces:
        decoder.feed(piece)
    decoder.finish()
    return bindThoughts(decoder.reply(), OWNER)


def messageOf(reply: ModelReply) -> AssistantMessage:
    """
    The message that a run keeps of a reply.
    """
    return AssistantMessage(reply.text, tuple(reply.toolCalls), tuple(reply.thoughts))


def bodyFor(
    dialect: Callable[[], Dialect], message: AssistantMessage, owner: str = OWNER
) -> dict[str, Any]:
    """
    The next request, with the results of the message's calls.
    """
    results = [ToolMessage(call.id, "Nothing.") for call in message.tool_calls]
    conversation: list[Message] = [UserMessage("Look."), message, *results]
    request = ModelRequest(
        model="big",
        system="",
        messages=selectThoughts(conversation, owner),
        tools=[ToolSpec("look", "", {"type": "object"})],
        maxOutputTokens=30_000,
        reasoning=True,
    )
    body: dict[str, Any] = msgspec.json.decode(
        dialect().encode(request, DEFAULT_PROFILE)
    )
    return body


def throughClient(message: AssistantMessage) -> AssistantMessage:
    """
    Return a message as it comes back from a client that keeps the conversation.
    """
    state = encodeState(message.tool_calls, message.thoughts)
    calls: list[ToolCall] = []
    thoughts: tuple[Any, ...] = ()
    for call, members in zip(message.tool_calls, state, strict=True):
        wire = msgspec.json.decode(msgspec.json.encode(members))
        signature, more = decodeState(wire.get("extra_content"))
        thoughts = thoughts or more
        calls.append(ToolCall(call.id, call.name, call.arguments, signature))
    return AssistantMessage(message.content, tuple(calls), thoughts)


class RoundTripTests(SynchronousTestCase):
    """
    The state of each dialect, on all ways.
    """

    def test_nextRound(self) -> None:
        """
        It is in the next request to the same model, as it came.
        """
        for dialect, wire, stateOf, expected, _ in CASES:
            message = messageOf(replyTo(dialect, wire))
            self.assertEqual(stateOf(bodyFor(dialect, message)), expected)

    def test_session(self) -> None:
        """
        A transcript keeps it.
        """
        for dialect, wire, stateOf, expected, _ in CASES:
            encoded = msgspec.json.encode(messageOf(replyTo(dialect, wire)))
            message = msgspec.json.decode(encoded, type=AssistantMessage)
            self.assertEqual(stateOf(bodyFor(dialect, message)), expected)

    def test_client(self) -> None:
        """
        It goes to the client with the calls, and comes back with them; the client does
        not learn the model's name.
        """
        for dialect, wire, stateOf, expected, _ in CASES:
            message = messageOf(replyTo(dialect, wire))
            state = encodeState(message.tool_calls, message.thoughts)
            self.assertNotIn(OWNER.encode(), msgspec.json.encode(state))
            body = bodyFor(dialect, throughClient(message))
            self.assertEqual(stateOf(body), expected)

    def test_otherModel(self) -> None:
        """
        Another model gets none of it.
        """
        for dialect, wire, stateOf, _, expected in CASES:
            message = messageOf(replyTo(dialect, wire))
            for each in (message, throughClient(message)):
                body = bodyFor(dialect, each, "acme/small")
                if dialect is not CASES[3][0]:
                    self.assertEqual(stateOf(body), expected)
                else:
                    self.assertNotIn("c2ln", stateOf(body))

    @given(st.sampled_from([case[:2] for case in CASES]), places(3000))
    def test_everyCut(self, case: tuple[Any, bytes], where: list[int]) -> None:
        """
        Reads may end anywhere.
        """
        dialect, wire = case
        whole = replyTo(dialect, wire)
        found = replyTo(dialect, *cut(wire, where))
        self.assertEqual(found.thoughts, whole.thoughts)
        self.assertEqual(
            [call.signature for call in found.toolCalls],
            [call.signature for call in whole.toolCalls],
        )

    def test_google(self) -> None:
        """
        The member that Google's endpoint sends stands where its own clients look for
        it.
        """
        message = messageOf(replyTo(OpenAICompletions, COMPLETIONS))
        (members,) = encodeState(message.tool_calls, message.thoughts)
        self.assertEqual(members["extra_content"]["google"], SIGNED["google"])

    def test_strict(self) -> None:
        """
        A provider that refuses unknown members gets none.
        """
        message = messageOf(replyTo(OpenAICompletions, COMPLETIONS))
        request = ModelRequest(
            model="big",
            system="",
            messages=selectThoughts([UserMessage("Look."), message], OWNER),
        )
        profile = DEFAULT_PROFILE.adjusted(strictMessageKeys=True)
        body = msgspec.json.decode(OpenAICompletions().encode(request, profile))
        self.assertEqual(
            said(body).keys(), {"role", "content", "tool_calls"}, said(body)
        )
        self.assertEqual(
            said(body)["tool_calls"],
            [{"id": "c1", "type": "function", "function": FUNCTION}],
        )

    def test_phase(self) -> None:
        """
        The phase of a message without calls goes back in all later turns.
        """
        item = {
            "type": "message",
            "phase": "final_answer",
            "content": [{"type": "output_text", "text": "Done."}],
        }
        wire = events(
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.completed", "response": {}},
        )
        message = messageOf(replyTo(OpenAIResponses, wire))
        conversation = [UserMessage("Go."), message, UserMessage("And now?")]
        request = ModelRequest(
            model="big", system="", messages=selectThoughts(conversation, OWNER)
        )
        body = msgspec.json.decode(OpenAIResponses().encode(request))
        self.assertEqual(responsesState(body), ["final_answer"])


class StateTests(SynchronousTestCase):
    """
    State that a client sends back.
    """

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=4),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        [
                            "openclaw",
                            "owner",
                            "signature",
                            "thoughts",
                            "members",
                            "google",
                        ]
                    ),
                    inner,
                    max_size=4,
                )
            ),
            max_leaves=16,
        )
    )
    def test_anything(self, value: Any) -> None:
        """
        Whatever it is, it is read or ignored.
        """
        if isinstance(value, dict):
            signature, thoughts = decodeState(value)
            self.assertIsInstance(signature, str)
            self.assertIsInstance(thoughts, tuple)


class DepthTests(SynchronousTestCase):
    """
    Members that are nested too deep to be kept.
    """

    def test_leftOut(self) -> None:
        """
        It is left out, and the answer is understood.
        """
        deep = b"[" * 900 + b"]" * 900
        for member in (b'"mark":%s', b'"reasoning_details":[%s]'):
            wire = (
                b'{"choices":[{"message":{"content":"Hi.",'
                + member % deep
                + b'},"finish_reason":"stop"}]}'
            )
            reply = replyTo(OpenAICompletions, wire)
            self.assertEqual((reply.text, reply.thoughts), ("Hi.", ()))

    def test_arguments(self) -> None:
        """
        Arguments that are too deep make the answer malformed.
        """
        deep = b'{"a":' * 900 + b"1" + b"}" * 900
        wire = (
            b'data: {"choices":[{"message":{"tool_calls":[{"function":{"name":"f",'
            b'"arguments":%s}}]},"finish_reason":"stop"}]}\n\n' % deep
        )
        self.assertRaises(UpstreamMalformed, replyTo, OpenAICompletions, wire)


class DetailsTests(SynchronousTestCase):
    """
    C{reasoning_details} come in pieces.
    """

    def test_joined(self) -> None:
        """
        Pieces of one kind and index are one; others stay apart, in their order.
        """
        for pieces, expected in (
            (
                [
                    {"type": "t", "text": "a"},
                    {"type": "t", "text": "b", "signature": "s"},
                ],
                [{"type": "t", "text": "ab", "signature": "s"}],
            ),
            (
                [{"type": "t", "text": "a", "id": "1"}, {"type": "t", "id": "2"}],
                [{"type": "t", "text": "a", "id": "1"}, {"type": "t", "id": "2"}],
            ),
            (
                [{"type": "t", "index": 0}, "x", None],
                [{"type": "t", "index": 0}, "x", None],
            ),
            ([], []),
        ):
            self.assertEqual(joinDetails(pieces), expected)

    def test_keepsPieces(self) -> None:
        """
        The pieces themselves are not changed.
        """
        pieces: Iterable[dict[str, str]] = [{"type": "t", "text": "a"}] * 3
        self.assertEqual(joinDetails(pieces), [{"type": "t", "text": "aaa"}])
        self.assertEqual(list(pieces), [{"type": "t", "text": "a"}] * 3)
