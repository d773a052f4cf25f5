"""
Tests of L{openclaw.api.chat_request} and L{openclaw.api.chat_schema}: valid requests.
"""

import msgspec
from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from openclaw.interfaces import Sampling
from openclaw.messages import AssistantMessage, ToolCall, ToolMessage, UserMessage
from tests.api.chat_bodies import chatRequestOf
from tests.api.request_strategies import KNOWN_FIELDS, valid

HI = {"role": "user", "content": "Hi."}


def asking(*messages, **fields):
    """
    Parse a request with these messages (one plain one by default) and fields.
    """
    return chatRequestOf(
        msgspec.json.encode({"messages": messages or [HI], **fields}),
    )


class PlainTests(SynchronousTestCase):
    """
    The fields of a request.
    """

    def test_least(self):
        """
        A message is enough; other fields are unset.
        """
        asked = asking()
        self.assertEqual(asked.opening, (UserMessage("Hi."),))
        self.assertEqual(asked.instructions, "")
        self.assertIsNone(asked.model)
        self.assertIsNone(asked.user)
        self.assertIs(asked.stream, False)
        self.assertIs(asked.includeUsage, False)
        self.assertEqual(asked.sampling, Sampling())
        self.assertEqual(asked.ignored, [])

    def test_nullIsUnset(self):
        """
        A field that is C{null} counts as absent, also an unknown one.
        """
        nothing = dict.fromkeys(KNOWN_FIELDS - {"messages"})
        self.assertEqual(asking(**nothing, zebra=None), asking())

    def test_nullWithBlanks(self):
        """
        This applies to any layout of the JSON.
        """
        body = b' { "messages" : [{"role":"user","content":"Hi."}],\n"store" : null\t}'
        self.assertEqual(chatRequestOf(body), asking())

    def test_whole(self):
        """
        The fields of the request are kept unchanged.
        """
        asked = asking(
            model="OpenClaw/Main ",
            user=" Anna ",
            stream=True,
            stream_options={"include_usage": True, "include_obfuscation": False},
            n=1,
            tools=[],
            tool_choice="none",
        )
        self.assertEqual(asked.model, "OpenClaw/Main ")
        self.assertEqual(asked.user, " Anna ")
        self.assertIs(asked.stream, True)
        self.assertIs(asked.includeUsage, True)

    def test_usageOnlyWhenAsked(self):
        """
        Stream options without C{include_usage} do not request usage.
        """
        for options in ({}, {"include_usage": False}, {"include_usage": None}):
            self.assertIs(asking(stream_options=options).includeUsage, False)

    def test_samplingIsPassedOn(self):
        """
        Each sampling field reaches the model unchanged.
        """
        fields = {
            "temperature": 0,
            "top_p": 1,
            "max_tokens": 1,
            "max_completion_tokens": 2,
            "frequency_penalty": -2,
            "presence_penalty": 2,
            "seed": -(2**63),
            "stop": ["a", "b"],
            "response_format": {"type": "json_schema", "json_schema": {"schema": {}}},
            "logit_bias": {"5": -100},
            "logprobs": True,
            "top_logprobs": 20,
            "reasoning_effort": "low",
            "parallel_tool_calls": False,
            "top_k": 40,
            "min_p": 0.05,
            "service_tier": "flex",
            "verbosity": "low",
            "metadata": {"a": "b"},
            "store": False,
            "safety_identifier": "x",
            "prompt_cache_key": "y",
        }
        self.assertEqual(fields.keys(), set(Sampling.__struct_fields__))
        found = msgspec.to_builtins(asking(**fields).sampling, enc_hook=dict)
        self.assertEqual({**found, "stop": list(found["stop"])}, fields)

    def test_oneStop(self):
        """
        A single stop sequence need not be a list.
        """
        self.assertEqual(asking(stop="x").sampling.stop, "x")

    def test_unknownFieldsAreListed(self):
        """
        The fields without an effect are listed.
        """
        asked = asking(audio={}, modalities=[], zebra=0, model="openclaw")
        self.assertEqual(asked.ignored, ["audio", "modalities", "zebra"])

    @given(valid)
    def test_anyValidRequest(self, document):
        """
        All requests that OpenAI's clients may send are accepted completely.
        """
        asked = chatRequestOf(msgspec.json.encode(document))
        spoken = [
            message
            for message in document["messages"]
            if message["role"] not in ("system", "developer")
        ]
        self.assertEqual(
            [type(message).__name__ for message in asked.opening],
            [f"{message['role'].title()}Message" for message in spoken],
        )
        self.assertEqual(asked.stream, bool(document.get("stream")))
        for name in document.keys() - KNOWN_FIELDS:
            self.assertEqual(name in asked.ignored, document[name] is not None)


class TextTests(SynchronousTestCase):
    """
    The forms of text.
    """

    def test_parts(self):
        """
        Parts are joined by line ends, whatever their type's name.
        """
        content = [
            {"type": "text", "text": "One."},
            {"type": "input_text", "text": "Two."},
            {"type": "input_text", "input_text": "Three.", "cache_control": {}},
        ]
        for role in ("user", "assistant"):
            asked = asking({"role": role, "content": content}, HI)
            self.assertEqual(asked.opening[0].content, "One.\nTwo.\nThree.")

    def test_partsOfInstructions(self):
        """
        System and tool texts can have parts, too.
        """
        content = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
        call = {"id": "c", "function": {"name": "f", "arguments": ""}}
        asked = asking(
            {"role": "system", "content": content},
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": content},
        )
        self.assertEqual(asked.instructions, "a\nb")
        self.assertEqual(asked.opening[-1].content, "a\nb")

    def test_exactText(self):
        """
        Blanks, line ends and unusual characters are unchanged.
        """
        text = " a\r\n\u2028\x00\U0001f980 "
        self.assertEqual(
            asking({"role": "user", "content": text}).opening, (UserMessage(text),)
        )

    def test_instructions(self):
        """
        System and developer texts are separated from the conversation, in order; empty
        ones are dropped.
        """
        asked = asking(
            {"role": "system", "content": "Be brief."},
            HI,
            {"role": "system", "content": " \n"},
            {"role": "developer", "content": "Be exact."},
        )
        self.assertEqual(asked.instructions, "Be brief.\n\nBe exact.")
        self.assertEqual(asked.opening, (UserMessage("Hi."),))

    def test_toolCalls(self):
        """
        Earlier tool calls and their results keep their structure.
        """
        call = {
            "id": "call_1",
            "type": "function",
            "function": {"name": "look", "arguments": '{"at": "it'},
        }
        asked = asking(
            HI,
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": ""},
        )
        self.assertEqual(
            asked.opening,
            (
                UserMessage("Hi."),
                AssistantMessage("", (ToolCall("call_1", "look", '{"at": "it'),)),
                ToolMessage("call_1", ""),
            ),
        )
        self.assertEqual(asked.following, (ToolMessage("call_1", ""),))


class FollowingTests(SynchronousTestCase):
    """
    The new messages of a request in a session.
    """

    def test_nothingSaidYet(self):
        """
        Without an assistant's message, all messages are new.
        """
        asked = asking(HI, {"role": "user", "content": "Hello?"})
        self.assertEqual(asked.following, asked.opening)
        self.assertEqual(len(asked.opening), 2)

    def test_afterTheLastAnswer(self):
        """
        Only the messages after the assistant's last one are new.
        """
        answer = {"role": "assistant", "content": "Yes?"}
        asked = asking(
            HI,
            answer,
            {"role": "user", "content": "A"},
            answer,
            {"role": "system", "content": "S"},
            {"role": "user", "content": "B"},
            {"role": "user", "content": "C"},
        )
        self.assertEqual(asked.following, (UserMessage("B"), UserMessage("C")))
        self.assertEqual(len(asked.opening), 6)

    def test_nothingNew(self):
        """
        If the assistant's message is the last, none is new.
        """
        asked = asking(HI, {"role": "assistant", "content": "And"})
        self.assertEqual(asked.following, ())
