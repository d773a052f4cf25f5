"""
Tests for L{openclaw.tools.arguments}.
"""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.interfaces import ToolError
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


class BadTests(ReaderTestCase):
    """
    The error message says what is wrong with the arguments, and where.
    """

    def test_place(self):
        """
        The message names the field and the rule, and repeats no value.
        """
        for arguments, told in [
            ({}, "arguments must contain ['path'] properties"),
            ({"path": 5}, "path must be string"),
            ({"path": ""}, "path must be longer than or equal to 1 characters"),
            ({"path": "a", "limit": 0}, "limit must be bigger than or equal to 1"),
            ({"path": "a", "limit": True}, "limit must be integer"),
            (
                {"path": "a", "data": {"lines": ["x", 1]}},
                "data.lines[1] must be string",
            ),
            ([1], "arguments must be object"),
            (None, "arguments must be object"),
        ]:
            self.assertEqual(
                self.refusal(json.dumps(arguments)), f"The arguments are wrong: {told}."
            )

    def test_unknown(self):
        """
        The message names an unknown argument.
        """
        told = self.refusal('{"path": "a", "colour": "red"}')
        self.assertIn("colour", told)
        self.assertNotIn("red", told)

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
