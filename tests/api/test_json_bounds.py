"""
Tests of L{openclaw.api.json_bounds}.
"""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.api import json_bounds
from openclaw.api.body_parsing import MAX_FIELDS
from openclaw.api.chat_request import MAX_PASSED_VALUES, parseChatRequest
from openclaw.api.chat_schema import MAX_MESSAGES
from openclaw.api.client_tools import MAX_CHOICE_VALUES, MAX_TOOL_VALUES
from openclaw.api.embeddings import MAX_INPUTS, parseEmbeddingsRequest
from openclaw.api.json_bounds import (
    EASY_VALUES,
    MAX_DEPTH,
    MAX_VALUES,
    checkPassed,
    structureOf,
)
from openclaw.errors import InvalidRequest
from tests.api.request_strategies import anything

SAID = b'"messages":[{"role":"user","content":"Hi."}]'

_nasty = st.recursive(
    st.text(st.sampled_from('\\"[]{},:a\u00e9\n')) | st.integers() | st.none(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text('\\"{,'), inner),
)


def many(value, count):
    """
    An array of so many equal values.
    """
    return b"[" + b",".join([value] * count) + b"]"


def nested(depth):
    """
    An object that is nested so deep.
    """
    return b'{"a":' * depth + b"1" + b"}" * depth


class StructureTests(SynchronousTestCase):
    """
    The structural characters, outside of strings.
    """

    def expected(self, body):
        """
        The same, character by character.
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
        It is found wherever the slices end.
        """
        body = json.dumps(value, ensure_ascii=ascii).encode()
        self.patch(json_bounds, "SLICE_BYTES", size)
        self.assertEqual(structureOf(body, len(body)), self.expected(body))

    def test_stops(self):
        """
        Nobody looks further than it takes to know that there is too much.
        """
        body = many(b"[]", 1_000_000)
        self.assertLessEqual(len(structureOf(body, 10)), json_bounds.SLICE_BYTES)

    def test_depth(self):
        """
        JSON of the greatest allowed depth passes, also beside much else.
        """
        for beside in (b"1", many(b'"]"', 10)):
            body = b'{"b":' + beside + b',"c":%b}'
            checkPassed(body % nested(MAX_DEPTH - 1), "field", 1000)
            error = self.assertRaises(
                InvalidRequest, checkPassed, body % nested(MAX_DEPTH), "field", 1000
            )
            self.assertEqual(error.param, "field")


class BoundTests(SynchronousTestCase):
    """
    Bodies of too many values, in each field that could hold them.
    """

    def refused(self, read, body, param, words):
        """
        Assert that a body is refused, naming a field and what is wrong.
        """
        error = self.assertRaises(InvalidRequest, read, body)
        self.assertEqual((error.status, error.param), (400, param))
        self.assertIn(words, error.message)

    def test_all(self):
        """
        No field may hold more than a whole body may, used or not.
        """
        filled = many(b"[]", MAX_VALUES)
        for name in (b"tools", b"metadata", b"response_format", b"messages", b"stop"):
            body = b"{%b,%b:%b}" % (SAID, b'"%b"' % name, filled)
            self.refused(parseChatRequest, body, None, "more than 300000 JSON values")
        self.refused(
            parseEmbeddingsRequest, b'{"input":%b}' % filled, None, "more than 300000"
        )

    def test_fields(self):
        """
        Each has a bound of its own, and is named.
        """
        for name, most in (
            ("tools", MAX_TOOL_VALUES),
            ("response_format", MAX_PASSED_VALUES),
            ("logit_bias", MAX_PASSED_VALUES),
            ("tool_choice", MAX_CHOICE_VALUES),
        ):
            body = b'{%b,"%b":%b}' % (SAID, name.encode(), many(b"[]", most))
            self.refused(parseChatRequest, body, name, f"more than {most} JSON values")
        messages = many(b'{"role":"user"}', MAX_MESSAGES + 1)
        self.refused(
            parseChatRequest, b'{"messages":%b}' % messages, "messages", "20000"
        )
        inputs = many(b"[1]", MAX_INPUTS + 1)
        self.refused(parseEmbeddingsRequest, b'{"input":%b}' % inputs, "input", "2048")

    def test_depth(self):
        """
        JSON that is passed on is not nested more deeply than its readers can follow.
        """
        schema = nested(MAX_DEPTH)
        tool = b'{"type":"function","function":{"name":"a","parameters":%b}}' % schema
        for name, value in (
            ("response_format", b'{"b":%b}' % schema),
            ("tools", b"[%b]" % tool),
        ):
            body = b'{%b,"%b":%b}' % (SAID, name.encode(), value)
            self.refused(parseChatRequest, body, name, "nested too deeply")

    def test_manyFields(self):
        """
        Very many fields are counted before they are looked at.
        """
        fields = b",".join(b'"%d":1' % number for number in range(EASY_VALUES))
        self.refused(
            parseChatRequest,
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
        asking = parseChatRequest(b'{"messages":[%b]}' % conversation)
        self.assertEqual(len(asking.opening), 18_001)
        schema = b'{"type":"object","properties":{%b}}' % b",".join(
            b'"p%d":{"type":"string","description":"A, b."}' % n for n in range(40)
        )
        tools = b",".join(
            b'{"type":"function","function":{"name":"t%d","parameters":%b}}'
            % (n, schema)
            for n in range(128)
        )
        asking = parseChatRequest(b'{%b,"tools":[%b]}' % (SAID, tools))
        self.assertEqual(str(asking.tools[127].parameters), schema.decode())

    def test_quoted(self):
        """
        An error repeats little of what it is about.
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
                asking = parseChatRequest(body)
            except InvalidRequest as caught:
                error = caught
            else:
                error = asking.stray.error()
            self.assertLess(len(error.message), 300)

    def test_rangeOfNumbers(self):
        """
        A number that has no value is the caller's mistake, when somebody looks.
        """
        body = b'{%b,"response_format":{"a":1e999}}' % SAID
        wanted = parseChatRequest(body).sampling.response_format
        error = self.assertRaises(InvalidRequest, wanted.get, "type")
        self.assertEqual(error.param, "response_format")
