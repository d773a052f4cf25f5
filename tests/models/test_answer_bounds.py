"""
Tests of the limits of a response, in each dialect.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import UpstreamTooLarge
from openclaw.json_size import (
    MOST_ESCAPES,
    MOST_VALUES,
    hasTooManyEscapes,
    hasTooManyValues,
)
from openclaw.messages import MOST_CALLS
from openclaw.models import answer_limits as limits
from openclaw.models import reply_decoding
from openclaw.models.dialects.anthropic_messages.response import AnthropicMessages
from openclaw.models.dialects.google_generative_ai.request import (
    MAX_SIGNATURE_CHARACTERS,
    ThoughtSignatures,
)
from openclaw.models.dialects.google_generative_ai.response import GoogleGenerativeAI
from openclaw.models.dialects.ollama.chat import Ollama
from openclaw.models.dialects.openai_completions.response import OpenAICompletions
from openclaw.models.dialects.openai_responses.response import OpenAIResponses
from openclaw.models.provider import Dialect
from openclaw.models.reply_decoding import StreamedReply
from openclaw.models.think_tags import MOST_HELD, ThinkingSplitter
from openclaw.models.tool_calls import MOST_ARGUMENTS, MOST_PIECES
from openclaw.net.sse import MAX_EVENT_LINES
from tests.models.event_reading import decoderOf

PIECE = 2**18
"""
The bytes of one read.
"""


def eventOf(*values: Any) -> bytes:
    """
    Return values as server-sent events.
    """
    return b"".join(b"data: " + msgspec.json.encode(each) + b"\n\n" for each in values)


class BoundsContract:
    """
    A mixin for a dialect's test case.

    @cvar dialect: The class of the dialect.
    """

    dialect: Callable[[], Dialect]

    def decoder(self) -> StreamedReply:
        """
        Return a decoder of one response.
        """
        return decoderOf(self.dialect())

    def saying(self, text: str) -> bytes:
        """
        Return an event with text.
        """
        raise NotImplementedError

    def thinking(self, text: str) -> bytes:
        """
        Return an event with reasoning.
        """
        raise NotImplementedError

    def calling(self, index: int, arguments: str) -> bytes:
        """
        Return the events of a complete tool call.
        """
        raise NotImplementedError

    end = b""
    empty = eventOf({})

    def read(self, wires: Iterable[bytes]) -> tuple[StreamedReply, int]:
        """
        Decode until the decoder is complete.

        @return: The decoder, and the bytes that it got.
        """
        decoder, given = self.decoder(), 0
        for wire in wires:
            for at in range(0, len(wire), PIECE):
                piece = wire[at : at + PIECE]
                decoder.feed(piece)
                given += len(piece)
                if decoder.complete:
                    return decoder, given
        return decoder, given

    def assertTooLarge(self, wires: Iterable[bytes], most: int) -> None:
        """
        Assert that a response is aborted, before more than C{most} bytes are read.
        """
        decoder, given = self.read(wires)
        self.assertTrue(decoder.complete, "it is still read")
        self.assertLess(given, most)
        decoder.finish()
        error = self.assertRaises(UpstreamTooLarge, decoder.reply)
        self.assertEqual(error.code, "upstream_too_large")
        self.assertIs(error.shouldRetry, False)
        self.assertIn("'vendor'", error.message)

    def test_calls(self) -> None:
        """
        As many calls as the limit are accepted, one more is not.
        """
        wires = [self.calling(index, "{}") for index in range(MOST_CALLS)]
        decoder, _ = self.read([*wires, self.end])
        decoder.finish()
        self.assertEqual(len(decoder.reply().toolCalls), MOST_CALLS)
        self.assertTooLarge([*wires, self.calling(MOST_CALLS, "{}")], 2**20)

    def test_arguments(self) -> None:
        """
        The arguments of one call are limited.
        """
        fit = '{"a":"%s"}' % ("x" * (MOST_ARGUMENTS - 100))
        decoder, _ = self.read([self.calling(0, fit), self.end])
        decoder.finish()
        [call] = decoder.reply().toolCalls
        self.assertEqual(len(call.arguments), len(fit))
        large = '{"a":"%s"}' % ("x" * MOST_ARGUMENTS)
        self.assertTooLarge([self.calling(0, large), self.end], 2 * MOST_ARGUMENTS)

    def test_text(self) -> None:
        """
        The text is limited.
        """
        wire = self.saying("x" * PIECE)
        self.assertTooLarge([wire] * 100, limits.MOST_CONTENT + 4 * PIECE)

    def test_thoughts(self) -> None:
        """
        The reasoning is limited.
        """
        wire = self.thinking("x" * PIECE)
        self.assertTooLarge([wire] * 100, limits.MOST_CONTENT + 4 * PIECE)

    def test_events(self) -> None:
        """
        The number of events without content is limited.
        """
        self.patch(reply_decoding, "MOST_EVENTS", 1000)
        self.patch(reply_decoding, "UNCOUNTED_BYTES", 0)
        self.assertTooLarge([self.empty] * 2000, 1500 * len(self.empty))

    def test_escapes(self) -> None:
        """
        An event with very many escapes is not decoded, in any field or in total.
        """
        for escape in ("\\n", '\\"', "\\\\", "\\u0041"):
            text = escape * (MOST_ESCAPES + 1)
            for name in ("error", "content", "candidates", "delta", "response"):
                whole = b'{"%b":"%b"}' % (name.encode(), text.encode())
                self.assertTooLarge([b"data: " + whole + b"\n\n", self.end], 2**24)
                decoder, _ = self.read([whole])
                decoder.finish()
                self.assertRaises(UpstreamTooLarge, decoder.reply)

    def test_values(self) -> None:
        """
        An event of very many values is not decoded.
        """
        for values in (b"[],", b"{},", b'"",', b"1,"):
            many = values * (2 * MOST_VALUES)
            for name in (b"error", b"choices", b"candidates", b"content", b"response"):
                text = b'{"%b":[%b1]}' % (name, many)
                self.assertTooLarge([b"data: " + text + b"\n\n", self.end], 2**21)
                decoder, _ = self.read([text])
                decoder.finish()
                self.assertRaises(UpstreamTooLarge, decoder.reply)

    def test_valuesInStrings(self) -> None:
        """
        Text that resembles many values is text.
        """
        text = '{"[],\\"' * MOST_VALUES
        decoder, _ = self.read([self.saying(text), self.end])
        decoder.finish()
        self.assertEqual(decoder.reply().text, text)


class OpenAICompletionsTests(BoundsContract, SynchronousTestCase):
    """
    C{openai-completions}.
    """

    end = b"data: [DONE]\n\n"

    dialect = OpenAICompletions

    def _delta(self, **delta: Any) -> bytes:
        return eventOf({"choices": [{"delta": delta}]})

    def saying(self, text: str) -> bytes:
        return self._delta(content=text)

    def thinking(self, text: str) -> bytes:
        return self._delta(reasoning_content=text)

    def calling(self, index: int, arguments: str) -> bytes:
        function = {"name": "f", "arguments": arguments}
        return self._delta(tool_calls=[{"index": index, "function": function}])

    def test_whole(self) -> None:
        """
        A plain response has the same limits.
        """
        call = {"id": "same", "function": {"name": "f", "arguments": "{}"}}
        message = {"tool_calls": [call] * 20_000}
        wire = msgspec.json.encode({"choices": [{"message": message}]})
        decoder, _ = self.read([wire])
        decoder.finish()
        self.assertRaises(UpstreamTooLarge, decoder.reply)

    def test_pieces(self) -> None:
        """
        Arguments that arrive a character at a time are joined.
        """
        decoder, _ = self.read([self.calling(0, "")])
        [(key, call)] = decoder._calls._byKey.items()
        for _ in range(3 * MOST_PIECES):
            decoder.continueCall(key, "x")
        self.assertLessEqual(len(call.pieces), MOST_PIECES)
        self.assertEqual(len(decoder._calls.calls()[0].arguments), 3 * MOST_PIECES)


class OpenAIResponsesTests(BoundsContract, SynchronousTestCase):
    """
    C{openai-responses}.
    """

    end = eventOf({"type": "response.completed", "response": {}})

    dialect = OpenAIResponses

    def saying(self, text: str) -> bytes:
        return eventOf({"type": "response.output_text.delta", "delta": text})

    def thinking(self, text: str) -> bytes:
        return eventOf({"type": "response.reasoning_text.delta", "delta": text})

    def calling(self, index: int, arguments: str) -> bytes:
        item = {"type": "function_call", "name": "f", "arguments": arguments}
        return eventOf(
            {
                "type": "response.output_item.done",
                "output_index": index,
                "item": {**item, "call_id": f"c{index}"},
            }
        )

    def test_items(self) -> None:
        """
        The number of remembered items is limited.
        """
        wires = (
            eventOf(
                {"type": "response.output_text.delta", "delta": "", "output_index": i}
            )
            for i in range(2 * limits.MOST_ITEMS)
        )
        self.assertTooLarge(wires, 2**21)


class AnthropicTests(BoundsContract, SynchronousTestCase):
    """
    C{anthropic-messages}.
    """

    end = eventOf({"type": "message_stop"})

    dialect = AnthropicMessages

    empty = eventOf({"type": "ping"})

    def _delta(self, kind: str, **delta: Any) -> bytes:
        delta["type"] = kind
        return eventOf({"type": "content_block_delta", "index": 0, "delta": delta})

    def saying(self, text: str) -> bytes:
        return self._delta("text_delta", text=text)

    def thinking(self, text: str) -> bytes:
        return self._delta("thinking_delta", thinking=text)

    def calling(self, index: int, arguments: str) -> bytes:
        block = {"type": "tool_use", "id": f"c{index}", "name": "f"}
        return eventOf(
            {"type": "content_block_start", "index": index, "content_block": block},
            {
                "type": "content_block_delta",
                "index": index,
                "delta": {"type": "input_json_delta", "partial_json": arguments},
            },
        )

    def test_signedAgain(self) -> None:
        """
        Long reasoning that is signed repeatedly is kept once.
        """
        wires = [self.thinking("x" * PIECE)] * 4
        wires += [self._delta("signature_delta", signature="s")] * 1000
        self.assertTooLarge(wires, 2**22)

    def test_manyThoughts(self) -> None:
        """
        The number of kept pieces of reasoning is limited, too.
        """
        wires = [self._delta("signature_delta", signature="s")] * 3000
        self.assertTooLarge(wires, 2**20)

    def test_emptyThoughts(self) -> None:
        """
        Empty reasoning takes no memory.
        """
        decoder, _ = self.read([self.thinking("")] * 1000)
        self.assertEqual(len(decoder._thought), 0)

    def test_otherBlocks(self) -> None:
        """
        The number of remembered blocks of other kinds is limited.
        """
        block = {"type": "x"}
        wires = (
            eventOf(
                {
                    "type": "content_block_start",
                    "index": i,
                    "content_block": block,
                }
            )
            for i in range(2 * limits.MOST_ITEMS)
        )
        self.assertTooLarge(wires, 2**21)


class OllamaTests(BoundsContract, SynchronousTestCase):
    """
    C{ollama}.
    """

    end = b'{"done":true}\n'
    empty = b"{}\n"

    dialect = Ollama

    def _line(self, **message: Any) -> bytes:
        return msgspec.json.encode({"message": message}) + b"\n"

    def saying(self, text: str) -> bytes:
        return self._line(content=text)

    def thinking(self, text: str) -> bytes:
        return self._line(thinking=text)

    def calling(self, index: int, arguments: str) -> bytes:
        function = {"name": "f", "arguments": msgspec.Raw(arguments.encode())}
        return self._line(tool_calls=[{"id": f"c{index}", "function": function}])

    def test_values(self) -> None:
        """
        An event of very many values is not decoded.
        """
        many = b"[]," * (2 * MOST_VALUES)
        self.assertTooLarge([b'{"error":[%b1]}\n' % many, self.end], 2**21)


class GoogleTests(BoundsContract, SynchronousTestCase):
    """
    C{google-generative-ai}.
    """

    end = eventOf({"candidates": [{"finishReason": "STOP"}]})

    dialect = GoogleGenerativeAI

    def _part(self, **part: Any) -> bytes:
        return eventOf({"candidates": [{"content": {"parts": [part]}}]})

    def saying(self, text: str) -> bytes:
        return self._part(text=text)

    def thinking(self, text: str) -> bytes:
        return self._part(text=text, thought=True)

    def calling(self, index: int, arguments: str) -> bytes:
        call = {"name": "f", "args": msgspec.Raw(arguments.encode())}
        return self._part(functionCall=call)

    def test_signatures(self) -> None:
        """
        The remembered signatures have their own limit.
        """
        signatures = ThoughtSignatures()
        long = "s" * (MAX_SIGNATURE_CHARACTERS // 4)
        for index in range(9):
            signatures.keep(f"c{index}", "f", long + str(index))
        self.assertEqual(len(signatures._known), 3)
        signatures.keep("c8", "f", "short")
        signatures.keep("c9", "f", long)
        self.assertEqual(len(signatures._known), 4)


class PartTests(SynchronousTestCase):
    """
    Parts of decoders.
    """

    def test_blanks(self) -> None:
        """
        Leading blank text that is held back is limited.
        """
        splitter = ThinkingSplitter()
        told = []
        for _ in range(2 * MOST_HELD):
            told += splitter.feed(" ")
        self.assertTrue(splitter.passing)
        self.assertEqual("".join(event.text for event in told), " " * 2 * MOST_HELD)

    def test_manyBlocks(self) -> None:
        """
        Many blocks in one text are processed in linear time.  When each was removed,
        this took hours.
        """
        splitter = ThinkingSplitter()
        told = splitter.feed("<think>a</think> " * 400_000 + "Hi.")
        self.assertEqual(len(told), 400_001)
        self.assertEqual(told[-1].text, "Hi.")

    def test_dataLines(self) -> None:
        """
        An event with very many lines is aborted.
        """
        decoder = decoderOf(OpenAICompletions())
        decoder.feed(b"data: x\n" * (MAX_EVENT_LINES + 1))
        self.assertTrue(decoder.complete)
        self.assertRaises(UpstreamTooLarge, decoder.reply)

    def test_values(self) -> None:
        """
        Values are counted as in JSON: not inside strings, with any escapes.
        """
        self.assertTrue(hasTooManyValues(b"[1,2,3,4,5,6,7,8,9]", 4))
        self.assertFalse(hasTooManyValues(b'["[1,2,3,4,5,6,7,8,9]"]', 4))
        self.assertFalse(hasTooManyValues(b'["\\"[1,2,3,4,5,6,7,8,9]"]', 4))
        self.assertTrue(hasTooManyValues(b'["\\\\",[1,2,3,4,5,6,7,8,9]]', 4))

    def test_escapes(self) -> None:
        """
        Escapes are counted, too.
        """
        self.assertTrue(hasTooManyEscapes(b'["\\n\\u0041x\\"", "\\t"]', 3))
        self.assertFalse(hasTooManyEscapes(b'["\\n\\u0041x\\"", ","]', 3))


__all__ = ["BoundsContract"]
