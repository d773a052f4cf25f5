"""
Tests of parallel tool calls, with all ways in which servers identify their pieces.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.models.dialects.anthropic_messages.response import AnthropicMessages
from openclaw.models.dialects.google_generative_ai.response import GoogleGenerativeAI
from openclaw.models.dialects.ollama.chat import Ollama
from openclaw.models.dialects.openai_completions.response import OpenAICompletions
from openclaw.models.dialects.openai_responses.response import OpenAIResponses
from openclaw.models.provider import Dialect
from tests.models.event_reading import cut, places, understood

Called = tuple[str, str]
"""
The name of a called tool and its arguments.
"""

ARGUMENTS = st.dictionaries(
    st.text(max_size=4), st.text(max_size=8) | st.integers(), max_size=3
).map(lambda value: msgspec.json.encode(value).decode())
CALLS = st.lists(
    st.tuples(st.sampled_from(["look", "go"]), ARGUMENTS), min_size=1, max_size=4
)


def pieces(text: str, size: int) -> list[str]:
    """
    Split a text into at least one piece.
    """
    return [text[at : at + size] for at in range(0, len(text), size)] or [""]


def event(document: Any) -> bytes:
    """
    Return a server-sent event.
    """
    return b"data: " + msgspec.json.encode(document) + b"\n\n"


def delta(**call: Any) -> bytes:
    """
    Return a chunk with a piece of one call.
    """
    function = {key: call.pop(key) for key in ("name", "arguments") if key in call}
    call["function"] = function
    return event({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})


END = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})


def standard(calls: Sequence[Called], size: int) -> bytes:
    """
    OpenAI's way: the index in each piece, id and name in the first one.
    """
    wire = b""
    for index, (name, arguments) in enumerate(calls):
        wire += delta(index=index, id=f"c{index}", name=name, arguments="")
        for piece in pieces(arguments, size):
            wire += delta(index=index, arguments=piece)
    return wire


def interleaved(calls: Sequence[Called], size: int) -> bytes:
    """
    The pieces of all calls alternate.
    """
    wire, queues = b"", []
    for index, (name, arguments) in enumerate(calls):
        wire += delta(index=str(index), id=f"c{index}", name=name)
        queues.append(pieces(arguments, size))
    while any(queues):
        for index, queue in enumerate(queues):
            if queue:
                wire += delta(index=float(index), id=None, arguments=queue.pop(0))
    return wire


def sameIndex(calls: Sequence[Called], size: int) -> bytes:
    """
    Google's way: index 0 for all, each with an id.
    """
    wire = b""
    for number, (name, arguments) in enumerate(calls):
        first, *others = pieces(arguments, size)
        wire += delta(index=0, id=f"c{number}", name=name, arguments=first)
        for piece in others:
            wire += delta(index=0, arguments=piece)
    return wire


def sameIndexNoID(calls: Sequence[Called], size: int) -> bytes:
    """
    Complete calls, all with index 0 and an empty id.
    """
    return b"".join(
        delta(index=0, id="", name=name, arguments=arguments)
        for name, arguments in calls
    )


def noIndex(calls: Sequence[Called], size: int) -> bytes:
    """
    An id in each piece, alternating, without an index.
    """
    wire, queues = b"", []
    for number, (name, arguments) in enumerate(calls):
        wire += delta(id=f"c{number}", name=name)
        queues.append(pieces(arguments, size))
    while any(queues):
        for number, queue in enumerate(queues):
            if queue:
                wire += delta(id=f"c{number}", arguments=queue.pop(0))
    return wire


def nothing(calls: Sequence[Called], size: int) -> bytes:
    """
    Neither ids nor indexes; a name begins a call.
    """
    wire = b""
    for name, arguments in calls:
        first, *others = pieces(arguments, size)
        wire += delta(name=name, arguments=first)
        for piece in others:
            wire += delta(arguments=piece)
    return wire


def repeated(calls: Sequence[Called], size: int) -> bytes:
    """
    Id, index and name in each piece.
    """
    return b"".join(
        delta(index=index, id=f"c{index}", name=name, arguments=piece)
        for index, (name, arguments) in enumerate(calls)
        for piece in pieces(arguments, size)
    )


def sameID(calls: Sequence[Called], size: int) -> bytes:
    """
    The same id for all calls, with indexes.
    """
    return b"".join(
        delta(index=index, id="same", name=name, arguments=arguments)
        for index, (name, arguments) in enumerate(calls)
    )


def freshIDs(calls: Sequence[Called], size: int) -> bytes:
    """
    A new id in each piece, of which only the first has a name.
    """
    wire, number = b"", 0
    for index, (name, arguments) in enumerate(calls):
        wire += delta(index=index, id=f"n{index}", name=name)
        for piece in pieces(arguments, size):
            number += 1
            wire += delta(index=index, id=f"x{number}", arguments=piece)
    return wire


def unstreamed(calls: Sequence[Called], size: int) -> bytes:
    """
    A complete message, in which all calls have the same id and no index.
    """
    message = {
        "content": None,
        "tool_calls": [
            {"id": "same", "function": {"name": name, "arguments": arguments}}
            for name, arguments in calls
        ],
    }
    return event({"choices": [{"message": message}]})


WAYS = (
    standard,
    interleaved,
    sameIndex,
    sameIndexNoID,
    noIndex,
    nothing,
    repeated,
    sameID,
    freshIDs,
    unstreamed,
)


class CompletionsTests(SynchronousTestCase):
    """
    C{openai-completions}, the API of many servers.
    """

    def assertCalls(self, wire: bytes, expected: Sequence[Called]) -> None:
        """
        Assert the calls of a response, which have different ids.
        """
        outcome = understood(OpenAICompletions, wire)
        called = [(call.name, call.arguments) for call in outcome.calls]
        self.assertEqual(called, list(expected), wire)
        self.assertEqual(outcome.end.finishReason, "tool_calls")

    @given(st.sampled_from(WAYS), CALLS, st.integers(1, 20))
    def test_everyWay(
        self,
        way: Callable[[Sequence[Called], int], bytes],
        calls: list[Called],
        size: int,
    ) -> None:
        """
        Each way results in the actual calls, in order.
        """
        self.assertCalls(way(calls, size) + END, calls)

    @given(st.sampled_from(WAYS), CALLS, places(2000))
    def test_everyCut(
        self,
        way: Callable[[Sequence[Called], int], bytes],
        calls: list[Called],
        where: list[int],
    ) -> None:
        """
        Reads may end anywhere.
        """
        wire = way(calls, 3) + END
        self.assertEqual(
            understood(OpenAICompletions, *cut(wire, where)),
            understood(OpenAICompletions, wire),
        )

    def test_repeatedName(self) -> None:
        """
        A name that is repeated in each piece, without an id, begins no new call before
        the arguments are complete.
        """
        for index in ({"index": 0}, {}):
            wire = b"".join(
                delta(name="look", arguments=piece, **index)
                for piece in ('{"a":', '"}"', "}", '{"b":1}')
            )
            expected = [("look", '{"a":"}"}'), ("look", '{"b":1}')]
            self.assertCalls(wire + END, expected)

    def test_legacy(self) -> None:
        """
        C{function_call}, the predecessor of C{tool_calls}, is one call.
        """
        wire = b"".join(
            event({"choices": [{"delta": {"function_call": piece}}]})
            for piece in ({"name": "look", "arguments": ""}, {"arguments": '{"a":1}'})
        )
        self.assertCalls(wire + END, [("look", '{"a":1}')])

    def test_manyChecks(self) -> None:
        """
        The number of checks for complete arguments is limited.
        """
        wire = b"".join(delta(name="f", arguments="}") for _ in range(5000))
        self.assertCalls(wire + END, [("f", "}" * 5000)])


class OthersTests(SynchronousTestCase):
    """
    The other dialects.
    """

    def assertCalls(
        self, dialect: Callable[[], Dialect], wire: bytes, *expected: Called
    ) -> None:
        """
        Assert the calls of a response.
        """
        outcome = understood(dialect, wire)
        called = [(call.name, call.arguments) for call in outcome.calls]
        self.assertEqual(called, list(expected))
        self.assertEqual(outcome.end.finishReason, "tool_calls")

    def test_responses(self) -> None:
        """
        Calls of the Responses API are distinguished by the index or the item's id.
        """
        for identities in (
            [{"output_index": 0}, {"output_index": 1}],
            [{"item_id": "a"}, {"item_id": "b"}],
            [{"output_index": 0, "item_id": "a"}, {"output_index": 0, "item_id": "b"}],
        ):
            wire = b""
            for number, identity in enumerate(identities):
                item = {"type": "function_call", "name": "f", "call_id": f"c{number}"}
                if "item_id" in identity:
                    item["id"] = identity["item_id"]
                wire += event(
                    {"type": "response.output_item.added", "item": item, **identity}
                )
            for piece in ("{", "}"):
                for identity in identities:
                    wire += event(
                        {
                            "type": "response.function_call_arguments.delta",
                            "delta": piece,
                            **identity,
                        }
                    )
            wire += event({"type": "response.completed", "response": {}})
            self.assertCalls(OpenAIResponses, wire, ("f", "{}"), ("f", "{}"))

    def test_responsesItems(self) -> None:
        """
        Complete items without an index are separate calls.
        """
        item = {"type": "function_call", "name": "f", "arguments": "{}"}
        for more in ([{}, {}], [{"id": "a"}, {"id": "b"}]):
            wire = b"".join(
                event({"type": "response.output_item.done", "item": {**item, **each}})
                for each in more
            )
            wire += event({"type": "response.completed", "response": {}})
            self.assertCalls(OpenAIResponses, wire, ("f", "{}"), ("f", "{}"))

    def test_anthropic(self) -> None:
        """
        A block that begins at a used index is another call.
        """
        wire = b""
        for number in range(2):
            block = {"type": "tool_use", "id": f"t{number}", "name": "f", "input": {}}
            wire += event(
                {"type": "content_block_start", "index": 0, "content_block": block}
            )
            for piece in ('{"n":', f"{number}}}"):
                wire += event(
                    {
                        "type": "content_block_delta",
                        "index": 0,
                        "delta": {"type": "input_json_delta", "partial_json": piece},
                    }
                )
        wire += event({"type": "message_stop"})
        self.assertCalls(AnthropicMessages, wire, ("f", '{"n":0}'), ("f", '{"n":1}'))

    def test_google(self) -> None:
        """
        Calls in one chunk and in several, with and without ids.
        """
        wire = b""
        for parts in (
            [{"name": "f"}, {"name": "g", "args": {"a": 1}}],
            [{"name": "f"}],
        ):
            content = {"parts": [{"functionCall": part} for part in parts]}
            wire += event({"candidates": [{"content": content}]})
        wire += event({"candidates": [{"finishReason": "STOP"}]})
        expected = [("f", "{}"), ("g", '{"a":1}'), ("f", "{}")]
        self.assertCalls(GoogleGenerativeAI, wire, *expected)

    def test_ollama(self) -> None:
        """
        Whole calls in several lines.
        """
        lines = [
            {"message": {"tool_calls": [{"function": {"name": "f", "arguments": {}}}]}}
            for _ in range(2)
        ]
        wire = b"\n".join(map(msgspec.json.encode, [*lines, {"done": True}]))
        self.assertCalls(Ollama, wire, ("f", "{}"), ("f", "{}"))
