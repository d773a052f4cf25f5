"""
Tests for L{openclaw.config.syntax}.
"""

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.config.syntax import ConfigSyntaxError, parseJSON5, parseYAML


def plainData(texts):
    """
    Build data that both syntaxes can express, with texts of a strategy.
    """
    return st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
        ),
        max_leaves=8,
    )


class YAMLTests(SynchronousTestCase):
    """
    YAML.
    """

    def faultIn(self, text):
        """
        Return the error about invalid YAML.
        """
        return str(self.assertRaises(ConfigSyntaxError, parseYAML, text))

    def test_aSyntaxErrorSaysWhere(self):
        """
        The error has the line and column.
        """
        self.assertEqual(
            self.faultIn("gateway:\n  port: 1: 2\n"),
            "line 2, column 10: mapping values are not allowed in this context",
        )

    def test_anOpenBracketIsFoundWhereItBegins(self):
        """
        An unclosed bracket is reported at its beginning.
        """
        self.assertIn("begins at line 1, column 4", self.faultIn("a: [1,\nb: 2\n\n"))

    def test_nothingOfTheFileIsQuoted(self):
        """
        The message does not quote the file, which may contain tokens.
        """
        for value in (
            "*hunter2",
            "!hunter2 x",
            '"\\hunter2"',
            "@hunter2",
            "'hunter2",
            "{hunter2",
            "!!int hunter2",
            "hunter2: hunter2: hunter2",
            "&hunter2 a\nb: &hunter2 c",
            "\x01hunter2",
        ):
            fault = self.faultIn(f"token: {value}\n")
            self.assertNotIn("hunter2", fault)
            self.assertRegex(fault, r"^line \d, column \d+: \w", value)

    def test_aKeyThatComesTwiceIsRefused(self):
        """
        A duplicate key is an error.
        """
        self.assertEqual(
            self.faultIn("gateway:\n  port: 1\n  bind: lan\n  port: 2\n"),
            "line 4, column 3: duplicate key port",
        )

    def test_mergedMappingsMayRepeatKeys(self):
        """
        With YAML's C{<<}, nested or not, keys may be repeated.
        """
        text = (
            "top: {<<: &m {<<: &b {x: 1, y: 1}, x: 2}, x: 3}\n"
            "deep: {mid: {<<: *m, y: 9}, base: *b}\n"
            "last: {<<: *m}\n"
        )
        self.assertEqual(
            parseYAML(text),
            {
                "top": {"x": 3, "y": 1},
                "deep": {"mid": {"x": 2, "y": 9}, "base": {"x": 1, "y": 1}},
                "last": {"x": 2, "y": 1},
            },
        )

    def test_aDateIsText(self):
        """
        A date is read as text.
        """
        self.assertEqual(parseYAML("model: 2026-01-31"), {"model": "2026-01-31"})

    def test_whatCannotBeBuiltIsASyntaxFault(self):
        """
        Tags run no code, and an invalid value is an error without a traceback.
        """
        for text in (
            "a: !!python/object/apply:os.getcwd []",
            "a: !!timestamp never",
            "a: 0b_",
            "a: " + "9" * 5000,
            "? [1]\n: 2",
            "---\na: 1\n---\nb: 2",
            "[" * 5000,
        ):
            self.faultIn(text)

    def test_whatMultipliesIsRefused(self):
        """
        References that multiply, or refer to themselves, are rejected before expansion;
        small ones are accepted.
        """
        for first, rest in (("[x, x]", "[{}]"), ("{k: v}", "{{<<: [{}]}}")):
            lines = [f"a0: &a0 {first}"]
            for level in range(1, 30):
                again = ", ".join([f"*a{level - 1}"] * 9)
                lines.append(f"a{level}: &a{level} {rest.format(again)}")
            fault = self.assertRaises(ConfigSyntaxError, parseYAML, "\n".join(lines))
            self.assertIn("found too many values", str(fault))
            parseYAML("\n".join(lines[:3]))
        for text in ("&a [*a]", "&a {b: *a}", "&a {<<: *a}", "a: &a [&b [*a, *b]]"):
            fault = self.assertRaises(ConfigSyntaxError, parseYAML, text)
            self.assertIn("contains itself", str(fault))

    def test_emptyIsNothing(self):
        """
        A file of comments is empty.
        """
        for text in ("", "\n# nothing yet\n"):
            self.assertIsNone(parseYAML(text))

    @given(st.text(max_size=40))
    def test_anyTextIsReadOrRefused(self, text):
        """
        Any text results in a value or one clear error.
        """
        try:
            parseYAML(text)
        except ConfigSyntaxError as fault:
            self.assertTrue(str(fault))


class JSON5Tests(SynchronousTestCase):
    """
    JSON5, which includes JSON.
    """

    def faultIn(self, text):
        """
        Return the error about invalid JSON5.
        """
        return str(self.assertRaises(ConfigSyntaxError, parseJSON5, text))

    def test_commentsAndBareKeysAreFine(self):
        """
        Comments and unquoted keys are accepted.
        """
        self.assertEqual(
            parseJSON5("// ours\n{ port: 0x10, 'a-b': [.5, +1,], }"),
            {"port": 16, "a-b": [0.5, 1]},
        )

    def test_aSyntaxErrorSaysWhere(self):
        """
        The error has the line and column.
        """
        self.assertEqual(
            self.faultIn("{\n  port: ,\n}"), "line 2, column 9: unexpected character"
        )
        self.assertEqual(
            self.faultIn("{\n  port: 1"),
            "line 2, column 10: unexpected end of the text",
        )

    def test_nothingOfTheFileIsQuoted(self):
        """
        The message does not quote the file, which may contain tokens.
        """
        for text in (
            "{token: hunter2}",
            '{token: "a"hunter2}',
            '{token: "hunter2\n"}',
            '{"token": hunter2}',
        ):
            fault = self.faultIn(text)
            self.assertNotRegex(fault, "hunter2|unexpected h")
            self.assertRegex(fault, r"^line \d, column \d+: unexpected character$")

    def test_aKeyThatComesTwiceIsRefused(self):
        """
        A duplicate key is an error, in JSON and JSON5.
        """
        for text in ('{"port": 1, "port": 2}', "{port: 1, port: 2,}"):
            self.assertEqual(self.faultIn(text), "duplicate key port")

    def test_whatIsTooMuchIsASyntaxFault(self):
        """
        Deep nesting and huge numbers are errors without a traceback.
        """
        for text in ("[" * 100_000, "{a:" * 5000, "[" + "9" * 5000 + "]"):
            self.faultIn(text)

    def test_emptyIsNothing(self):
        """
        An empty file has no value.
        """
        self.assertIsNone(parseJSON5(" \n"))

    @given(plainData(st.text()))
    def test_jsonComesThrough(self, data):
        """
        JSON of other programs is read unchanged.
        """
        self.assertEqual(parseJSON5(json.dumps(data)), data)

    @given(st.text("{}[]:,'\"\\/*ab1 \n", max_size=12))
    def test_anyTextIsReadOrRefused(self, text):
        """
        Any text results in a value or one clear error.
        """
        try:
            parseJSON5(text)
        except ConfigSyntaxError as fault:
            self.assertTrue(str(fault))


class BothSyntaxesTests(SynchronousTestCase):
    """
    The equivalence of the syntaxes.
    """

    @given(plainData(st.text(st.characters(max_codepoint=126))))
    def test_asciiJSONIsYAMLToo(self, data):
        """
        ASCII JSON is valid YAML with the same value.
        """
        text = json.dumps(data)
        self.assertEqual(parseYAML(text), parseJSON5(text))
