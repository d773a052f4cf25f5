"""
Tests of L{openclaw.api.json_bounds}.
"""

import json
import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.api import body_parsing, json_bounds
from openclaw.api.body_parsing import MAX_FIELDS, checkUTF8
from openclaw.api.chat_request import MAX_PASSTHROUGH_VALUES
from openclaw.api.chat_schema import MAX_MESSAGES
from openclaw.api.client_tools import MAX_CHOICE_VALUES, MAX_TOOL_VALUES
from openclaw.api.embeddings import MAX_INPUTS, parseEmbeddingsRequest
from openclaw.api.json_bounds import (
    CHEAP_VALUES,
    MAX_DEPTH,
    MAX_ESCAPES,
    MAX_MESSAGE_VALUES,
    MAX_SLOW_BYTES,
    MAX_VALUES,
    checkPassthrough,
    extractStructure,
)
from openclaw.errors import InvalidRequest
from tests.api.chat_bodies import chatRequestOf
from tests.api.request_strategies import anything

SAID = b'"messages":[{"role":"user","content":"Hi."}]'

_nasty = st.recursive(
    st.text(st.sampled_from('\\"[]{},:a\u00e9\n')) | st.integers() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('\\"{,'), inner),
)


def many(value, count):
    """
    Return an array of this many equal values.
    """
    return b"[" + b",".join([value] * count) + b"]"


def nested(depth):
    """
    Return an object nested this deep.
    """
    return b'{"a":' * depth + b"1" + b"}" * depth


class StructureTests(SynchronousTestCase):
    """
    Structural characters outside of strings.
    """

    def expected(self, body):
        """
        Return the same, computed character by character.
        """
        found, inString, escaped = [], False, False
        for character in body.decode():
            if escaped:
                escaped = False
            elif inString and character == "\\":
                escaped = True
            elif character == '"':
                inString = not inString
            elif not inString and character in "[]{},:":
                found.append(character)
        return "".join(found).encode()

    @given(_nasty | anything, st.integers(1, 20), st.booleans())
    def test_slices(self, value, size, ascii):
        """
        It is found for any slices.
        """
        body = json.dumps(value, ensure_ascii=ascii).encode()
        self.patch(json_bounds, "SLICE_BYTES", size)
        self.assertEqual(extractStructure(body, len(body)), self.expected(body))

    def test_stops(self):
        """
        The scan stops when the limit is exceeded.
        """
        body = many(b"[]", 1_000_000)
        self.assertLessEqual(len(extractStructure(body, 10)), json_bounds.SLICE_BYTES)

    def test_depth(self):
        """
        JSON of the maximum depth passes, also beside many other values.
        """
        for beside in (b"1", many(b'"]"', 10)):
            body = b'{"b":' + beside + b',"c":%b}'
            checkPassthrough(body % nested(MAX_DEPTH - 1), "field", 1000)
            error = self.assertRaises(
                InvalidRequest,
                checkPassthrough,
                body % nested(MAX_DEPTH),
                "field",
                1000,
            )
            self.assertEqual(error.param, "field")


MIB = 2**20


def content(text):
    """
    Return a request with one message.
    """
    return b'{"messages":[{"role":"user","content":"Hi. %b"}]}' % text


class WeightTests(SynchronousTestCase):
    """
    Bodies with few values that take long to decode.
    """

    def assertHeavy(self, body, words):
        """
        Assert that a body is rejected on both endpoints, before it is decoded.
        """
        for parse in (chatRequestOf, parseEmbeddingsRequest):
            error = self.assertRaises(InvalidRequest, parse, body)
            self.assertEqual((error.status, error.code), (400, "body_too_complex"))
            self.assertIn(words, error.message)

    def test_escapes(self):
        """
        The number of escapes is limited, of any kind and at any position.
        """
        for escape in (b"\\n", b'\\"', b"\\\\", b"\\u0041", b"\\ud83d\\ude00"):
            text = escape * (MAX_ESCAPES + 1)
            for body in (
                content(text),
                b'{%b,"%b":1}' % (SAID, text),
                b'{%b,"x":["%b"]}' % (SAID, text),
                b'{"input":["%b"]}' % text,
            ):
                self.assertHeavy(body, "2000000 escapes")

    def test_escapesPass(self):
        """
        Slightly fewer are accepted; an escaped backslash counts as one.
        """
        few = MAX_ESCAPES - 1000
        for escape, letter in ((b"\\n", "\n"), (b"\\\\", "\\")):
            read = chatRequestOf(content(escape * few))
            self.assertEqual(read.opening[0].text, "Hi. " + letter * few)

    def test_filling(self):
        """
        Blanks and digits between strings are limited.
        """
        blanks, digits = b" \n" * (MAX_SLOW_BYTES // 2 + 1), b"1" * (MAX_SLOW_BYTES + 1)
        for body in (
            blanks + b"{%b}" % SAID,
            b"{%b}" % SAID + blanks,
            b'{"messages":[%b{"role":"user","content":"x"}]}' % blanks,
            b'{%b,"seed":%b}' % (SAID, digits),
            b'{%b,"x":0.%b}' % (SAID, digits),
            b'{"input":[%b]}' % b",".join([b"1" * 60] * (MAX_SLOW_BYTES // 50)),
            b'{"input":[%b%b]}' % (b'"1",' * 100_000, blanks),
        ):
            self.assertHeavy(body, "whitespace and numbers")

    def test_wide(self):
        """
        The total of strings beyond ASCII is limited, escaped or not, in one string or
        many, wherever such a character is.
        """
        half = b"a" * (MAX_SLOW_BYTES // 2)
        for letter in ("\u00e9".encode(), "\U0001f600".encode(), b"\\u20ac"):
            for text in (
                letter + half + half,
                half + letter + half,
                half + half + letter,
                half + letter + b'","x":"' + half + letter,
                b'","x":"'.join([half[:1000] + letter] * (MAX_SLOW_BYTES // 1000)),
            ):
                self.assertHeavy(content(text), "not ASCII")
                self.assertHeavy(b'{%b,"%b":"1"}' % (SAID, text), "not ASCII")

    def test_large(self):
        """
        Usual requests pass: long ASCII texts, with base64 as some encoders write it,
        together with texts in any language; and 7 MB of those.
        """
        image = (b"QUJD" * 15 + b"\\u002bABC") * (19 * MIB // 69)
        words = b'","x":"'.join(["\u00e9\U0001f600".encode() * 10_000] * 100)
        for text in (
            b"It, says [so]. " * (19 * MIB // 15),
            image,
            b"0123456789" * (19 * MIB // 10),
            image[: 12 * MIB] + b'","x":"' + words,
            "\u4e2d".encode() * (7 * MIB // 3),
        ):
            chatRequestOf(content(text))

    @given(_nasty | anything, st.integers(1, 20), st.integers(0, 300))
    def test_slices(self, value, size, most):
        """
        Text outside of strings is counted for any slices.
        """
        text = json.dumps(value, indent=2)
        outside = len(re.sub(r'"(?:[^"\\]|\\.)*"', "", text))
        self.patch(json_bounds, "SLICE_BYTES", size)
        self.patch(json_bounds, "MAX_SLOW_BYTES", most)
        try:
            json_bounds._checkSlowBytes(text.encode())
        except InvalidRequest as error:
            refused = "blanks" in error.message
        else:
            refused = False
            self.assertLessEqual(outside, most)
        if refused:
            self.assertGreater(outside, most)

    @given(
        st.lists(st.text("a\u00e9\U0001f600"), max_size=9),
        st.booleans(),
        st.integers(1, 20),
        st.integers(0, 60),
    )
    def test_wideSlices(self, texts, ascii, size, most):
        """
        Strings beyond ASCII are counted for any slices.
        """
        body = json.dumps(texts, ensure_ascii=ascii, separators=(",", ":")).encode()
        wide = [
            json.dumps(text, ensure_ascii=ascii).encode()[1:-1]
            for text in texts
            # Without characters that take more than one byte of memory, escaped or not.
            if not text.isascii() and not (ascii and "\U0001f600" not in text)
        ]
        self.patch(json_bounds, "SLICE_BYTES", size)
        self.patch(json_bounds, "MAX_SLOW_BYTES", 10 + most)
        if sum(map(len, wide)) > 10 + most:
            error = self.assertRaises(InvalidRequest, json_bounds._checkSlowBytes, body)
            self.assertIn("not ASCII", error.message)
        else:
            json_bounds._checkSlowBytes(body)

    @given(st.text(), st.binary(min_size=1, max_size=4), st.integers(1, 9))
    def test_notUTF8(self, text, wrong, size):
        """
        The position of the first invalid byte is reported, for any slices.
        """
        body = text.encode() + wrong
        self.patch(body_parsing, "SLICE_BYTES", size)
        try:
            body.decode()
        except UnicodeDecodeError as error:
            place = f"(byte {error.start})"
            caught = self.assertRaises(InvalidRequest, checkUTF8, body)
            self.assertIn(place, caught.message)
        else:
            checkUTF8(body)

    def test_oneMessage(self):
        """
        A message has its own limit, since one call decodes it.
        """
        parts = many(b'{"type":"text","text":"x"}', MAX_MESSAGE_VALUES // 3 + 1)
        body = b'{"messages":[%b,{"role":"user","content":%b}]}' % (SAID[12:-1], parts)
        error = self.assertRaises(InvalidRequest, chatRequestOf, body)
        self.assertEqual(error.param, "messages[1]")
        self.assertIn("more than 50000 JSON values", error.message)


class BoundTests(SynchronousTestCase):
    """
    Bodies with too many values, in each field.
    """

    def refused(self, read, body, param, words):
        """
        Assert that a body is rejected, with the field and the reason.
        """
        error = self.assertRaises(InvalidRequest, read, body)
        self.assertEqual((error.status, error.param), (400, param))
        self.assertIn(words, error.message)

    def test_all(self):
        """
        The limit of a whole body applies to each field, used or not.
        """
        filled = many(b"[]", MAX_VALUES)
        for name in (b"tools", b"metadata", b"response_format", b"messages", b"stop"):
            body = b"{%b,%b:%b}" % (SAID, b'"%b"' % name, filled)
            self.refused(chatRequestOf, body, None, "more than 300000 JSON values")
        self.refused(
            parseEmbeddingsRequest, b'{"input":%b}' % filled, None, "more than 300000"
        )

    def test_fields(self):
        """
        Each field has its own limit, and is named.
        """
        for name, most in (
            ("tools", MAX_TOOL_VALUES),
            ("response_format", MAX_PASSTHROUGH_VALUES),
            ("logit_bias", MAX_PASSTHROUGH_VALUES),
            ("stop", MAX_PASSTHROUGH_VALUES),
            ("tool_choice", MAX_CHOICE_VALUES),
        ):
            body = b'{%b,"%b":%b}' % (SAID, name.encode(), many(b"[]", most))
            self.refused(chatRequestOf, body, name, f"more than {most} JSON values")
        messages = many(b'{"role":"user"}', MAX_MESSAGES + 1)
        self.refused(chatRequestOf, b'{"messages":%b}' % messages, "messages", "20000")
        inputs = many(b"[1]", MAX_INPUTS + 1)
        self.refused(parseEmbeddingsRequest, b'{"input":%b}' % inputs, "input", "2048")
        for inputs in (many(b'"a"', 100_000), b'[1,["%b"]]' % (b'","' * 100_000)):
            self.refused(
                parseEmbeddingsRequest, b'{"input":%b}' % inputs, "input", "more than"
            )

    def test_depth(self):
        """
        JSON that is passed on is limited to the depth that its readers support.
        """
        schema = nested(MAX_DEPTH)
        tool = b'{"type":"function","function":{"name":"a","parameters":%b}}' % schema
        for name, value in (
            ("response_format", b'{"b":%b}' % schema),
            ("tools", b"[%b]" % tool),
        ):
            body = b'{%b,"%b":%b}' % (SAID, name.encode(), value)
            self.refused(chatRequestOf, body, name, "nested too deeply")

    def test_manyFields(self):
        """
        Very many fields are counted before they are parsed.
        """
        fields = b",".join(b'"%d":1' % number for number in range(CHEAP_VALUES))
        self.refused(
            chatRequestOf,
            b"{%b,%b}" % (SAID, fields),
            None,
            f"more than {MAX_FIELDS} fields",
        )

    def test_generous(self):
        """
        Usual requests pass: long conversations, with tools, and images.
        """
        call = (
            b'{"role":"assistant","content":"[,{","tool_calls":[{"id":"c","type":'
            b'"function","function":{"name":"f","arguments":"{\\"a\\": [1, 2]}"}}]},'
            b'{"role":"tool","tool_call_id":"c","content":"' + b"[1,2],\\n" * 40 + b'"}'
        )
        conversation = b",".join([b'{"role":"user","content":"Hi."}', *[call] * 9_000])
        asking = chatRequestOf(b'{"messages":[%b]}' % conversation)
        self.assertEqual(len(asking.opening), 18_001)
        schema = b'{"type":"object","properties":{%b}}' % b",".join(
            b'"p%d":{"type":"string","description":"A, b."}' % n for n in range(40)
        )
        tools = b",".join(
            b'{"type":"function","function":{"name":"t%d","parameters":%b}}'
            % (n, schema)
            for n in range(128)
        )
        asking = chatRequestOf(b'{%b,"tools":[%b]}' % (SAID, tools))
        self.assertEqual(str(asking.tools[127].parameters), schema.decode())

    def test_quoted(self):
        """
        An error repeats little of the invalid value.
        """
        long = "x" * 10_000
        call = {"role": "tool", "tool_call_id": long, "content": ""}
        for fields in (
            {"messages": [{"role": long, "content": ""}]},
            {"messages": [{"role": "user", "content": [{"type": long}]}]},
            {"messages": [call]},
            {"tool_choice": long},
            {"tool_choice": {"type": "function", "function": {"name": long}}},
        ):
            said = {"messages": [{"role": "user", "content": "Hi."}]}
            body = json.dumps({**said, **fields}).encode()
            try:
                asking = chatRequestOf(body)
            except InvalidRequest as caught:
                error = caught
            else:
                error = asking.unmatched.error()
            self.assertLess(len(error.message), 300)

    def test_rangeOfNumbers(self):
        """
        A number out of range is the caller's error when it is accessed.
        """
        body = b'{%b,"response_format":{"type":"text","a":1e999}}' % SAID
        wanted = chatRequestOf(body).sampling.response_format
        error = self.assertRaises(InvalidRequest, wanted.get, "type")
        self.assertEqual(error.param, "response_format")
