"""
Tests for L{openclaw.tools.arguments}.
"""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.interfaces import ToolError
from openclaw.tools.argument_conversion import Converter
from openclaw.tools.arguments import ArgumentReader, BadSchema

SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "minLength": 1},
        "limit": {"type": "integer", "minimum": 1, "default": 5},
        "data": {
            "type": "object",
            "properties": {"lines": {"type": "array", "items": {"type": "string"}}},
        },
    },
    "required": ["path"],
    "additionalProperties": False,
}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


class ReaderTestCase(SynchronousTestCase):
    """
    A reader of a tool's arguments.
    """

    def setUp(self):
        self.reader = ArgumentReader(SCHEMA)

    def refusal(self, text):
        """
        Return the error message for the model.
        """
        with self.assertRaises(ToolError) as caught:
            self.reader.read(text)
        return str(caught.exception)


class GoodTests(ReaderTestCase):
    """
    Valid arguments are parsed.
    """

    def test_values(self):
        """
        They are returned unchanged, without defaults.
        """
        self.assertEqual(
            self.reader.read(' {"path": "a", "data": {"lines": ["x"]}} '),
            {"path": "a", "data": {"lines": ["x"]}},
        )

    def test_nothing(self):
        """
        Empty text stands for no arguments.
        """
        reader = ArgumentReader({"type": "object", "properties": {}})
        for text in ["", " \n", "{}"]:
            self.assertEqual(reader.read(text), {})


TYPES = {
    "type": "object",
    "properties": {
        "text": {"type": "string"},
        "count": {"type": "integer"},
        "ratio": {"type": "number"},
        "flag": {"type": "boolean"},
        "list": {"type": "array", "items": {"type": "integer"}},
        "map": {"type": "object", "additionalProperties": {"type": "integer"}},
        "either": {"type": ["string", "integer"]},
        "maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "union": {"oneOf": [{"type": "boolean"}, {"type": "integer"}]},
        "level": {"enum": [1, 2, 3]},
        "any": {"description": "Anything."},
        "inner": {"$ref": "#/$defs/Inner"},
        "both": {"allOf": [{"type": "integer"}, {"minimum": 1}]},
    },
    "$defs": {
        "Inner": {
            "type": "object",
            "properties": {"n": {"type": "integer"}, "next": {"$ref": "#/$defs/Inner"}},
            "required": ["n"],
        }
    },
}


class ConvertedTests(SynchronousTestCase):
    """
    Values are converted where only one type can be meant.
    """

    def setUp(self):
        self.reader = ArgumentReader(TYPES)

    def test_converted(self):
        """
        Each value gets the type of the schema, at any depth.
        """
        for sent, expected in [
            ({"count": "20"}, {"count": 20}),
            ({"count": " -7 "}, {"count": -7}),
            ({"count": 20.0}, {"count": 20}),
            ({"count": "20.0"}, {"count": 20}),
            ({"count": 2e3}, {"count": 2000}),
            ({"ratio": "1.5"}, {"ratio": 1.5}),
            ({"ratio": "1e-3"}, {"ratio": 0.001}),
            ({"ratio": 2}, {"ratio": 2}),
            ({"flag": "true"}, {"flag": True}),
            ({"flag": "False"}, {"flag": False}),
            ({"list": ["1", 2.0, 3]}, {"list": [1, 2, 3]}),
            ({"list": '["1", 2]'}, {"list": [1, 2]}),
            ({"map": {"a": "1"}}, {"map": {"a": 1}}),
            ({"map": '{"a": 1}'}, {"map": {"a": 1}}),
            ({"either": "20"}, {"either": "20"}),
            ({"either": 20}, {"either": 20}),
            ({"maybe": "5"}, {"maybe": 5}),
            ({"maybe": None}, {"maybe": None}),
            ({"union": "5"}, {"union": 5}),
            ({"union": "true"}, {"union": True}),
            ({"level": "2"}, {"level": 2}),
            ({"any": "20"}, {"any": "20"}),
            ({"any": None}, {"any": None}),
            ({"both": "5"}, {"both": 5}),
            (
                {"inner": {"n": "1", "next": {"n": 2.0, "next": None}}},
                {"inner": {"n": 1, "next": {"n": 2}}},
            ),
            ({"text": "20"}, {"text": "20"}),
            ({"text": "null"}, {"text": "null"}),
            ({"count": None, "text": None, "list": None, "inner": None}, {}),
            ({"count": "null"}, {}),
            (json.dumps({"count": "20"}), {"count": 20}),
            (None, {}),
        ]:
            read = self.reader.read(json.dumps(sent))
            self.assertEqual(read, expected, sent)
            for name, value in expected.items() if isinstance(expected, dict) else ():
                self.assertIs(type(read[name]), type(value), sent)

    def test_refused(self):
        """
        Values of another type, and doubtful ones, are refused.
        """
        for sent in [
            {"count": "2.5"},
            {"count": "twenty"},
            {"count": "0x10"},
            {"count": ""},
            {"count": "9" * 400},
            {"count": [20]},
            {"ratio": "nan"},
            {"ratio": "1e999"},
            {"flag": "yes"},
            {"flag": 1},
            {"text": 20},
            {"list": "1, 2"},
            {"list": "[1"},
            {"map": "[1]"},
            {"level": "4"},
            {"maybe": "x"},
            {"inner": {"n": None}},
        ]:
            with self.assertRaises(ToolError, msg=sent) as caught:
                self.reader.read(json.dumps(sent))
            self.assertIn(str(next(iter(sent))), str(caught.exception))

    def test_recursive(self):
        """
        A reference that leads nowhere ends.
        """
        schema = {"type": "object", "properties": {"a": {"$ref": "#/properties/a"}}}
        self.assertEqual(Converter(schema).convert({"a": "1"}), {"a": "1"})
        nested = inner = {}
        for _ in range(100):
            inner["next"] = inner = {"n": "1"}
        read = Converter(TYPES).convert({"inner": nested["next"]})
        self.assertEqual(read["inner"]["next"]["n"], 1)

    @given(JSON)
    def test_valid(self, value):
        """
        Valid arguments stay as they are.
        """
        for sent in [{"any": value}, {"either": "x", "any": value}]:
            text = json.dumps(sent)
            try:
                expected = json.loads(text)
                self.assertEqual(self.reader.read(text), expected)
            except ToolError:
                # JSON has no NaN.
                self.assertTrue("NaN" in text or "Infinity" in text or "\\u" in text)


class BadTests(ReaderTestCase):
    """
    The error message says what is wrong with the arguments, and where.
    """

    def test_place(self):
        """
        The message names the argument, what it is and what it should be.
        """
        for arguments, told in [
            ({}, "path is missing"),
            (None, "path is missing"),
            ({"path": None}, "path must be string, and is null"),
            ({"path": 5}, "path must be string, and is 5"),
            (
                {"path": ""},
                "path must be longer than or equal to 1 characters, and is the string"
                ' ""',
            ),
            (
                {"path": "a", "limit": 0},
                "limit must be bigger than or equal to 1, and is 0",
            ),
            ({"path": "a", "limit": True}, "limit must be integer, and is true"),
            (
                {"path": "a", "limit": "ten"},
                'limit must be integer, and is the string "ten"',
            ),
            ({"path": "a", "limit": 2.5}, "limit must be integer, and is 2.5"),
            (
                {"path": "a", "data": {"lines": ["x", 1]}},
                "data.lines[1] must be string, and is 1",
            ),
            (
                {"path": "a", "data": ["x"]},
                "data must be object, and is an array of 1",
            ),
            ([1], "arguments must be object, and is an array of 1"),
            ({"path": ["a"] * 3}, "path must be string, and is an array of 3"),
            ({"path": {}}, "path must be string, and is an object"),
            (
                {"path": "a", "limit": "x" * 500},
                f'limit must be integer, and is the string "{"x" * 60}..."',
            ),
        ]:
            self.assertEqual(
                self.refusal(json.dumps(arguments)), f"The arguments are wrong: {told}."
            )

    def test_unknown(self):
        """
        The message names an unknown argument, and those that there are.  One that is
        null counts as absent.
        """
        self.assertEqual(
            self.reader.read('{"path": "a", "colour": null}'), {"path": "a"}
        )
        told = self.refusal('{"path": "a", "colour": "red"}')
        self.assertEqual(
            told,
            "The arguments are wrong: there is no colour; there are path, limit, data.",
        )

    def test_noJSON(self):
        """
        Invalid JSON is reported with the position of the error.
        """
        for text in ['{"path": "a"', "path=a", '{"path": NaN}', '{"path": "\\ud800"}']:
            self.assertIn("The arguments are not valid JSON: ", self.refusal(text))

    def test_deep(self):
        """
        Deeply nested arguments are refused.
        """
        self.assertIn("The arguments", self.refusal("[" * 100_000))
        self.assertIn("The arguments", self.refusal("[" * 900 + "]" * 900))

    @given(st.text() | JSON.map(json.dumps))
    def test_anything(self, text):
        """
        Any text is parsed or refused with a L{ToolError}.
        """
        try:
            arguments = self.reader.read(text)
        except ToolError:
            return
        self.assertIsInstance(arguments["path"], str)
        self.assertLessEqual(set(arguments), set(SCHEMA["properties"]))


class SchemaTests(SynchronousTestCase):
    """
    An unusable schema is refused when the tool is found.
    """

    def test_bad(self):
        """
        A schema that is not of an object, not valid, or refers to another document is
        refused.
        """
        for schema in [
            {},
            {"type": "string"},
            {"type": "object", "properties": {"a": {"type": "no such"}}},
            {"type": "object", "properties": 5},
            {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:1/"}}},
            {"type": "object", "properties": {"a": {"pattern": "("}}},
        ]:
            with self.assertRaises(BadSchema, msg=schema):
                ArgumentReader(schema)

    def test_own(self):
        """
        The schema is not modified.
        """
        before = json.dumps(SCHEMA)
        ArgumentReader(SCHEMA).read('{"path": "a"}')
        self.assertEqual(json.dumps(SCHEMA), before)
