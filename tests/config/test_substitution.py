"""
Tests for L{openclaw.config.substitution}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.config.substitution import SubstitutionFailed, substitute


def escaped(text):
    """
    Escape a text so that nothing in it is replaced.
    """
    return text.replace("${", "$${")


class SubstitutionTests(SynchronousTestCase):
    """
    Variables in strings.
    """

    def test_everyPlaceIsFilled(self):
        """
        A string can contain several variables among other text.
        """
        environ = {"HOST": "example.com", "PORT_2": "80"}
        self.assertEqual(
            substitute("http://${HOST}:${PORT_2}/v1", environ),
            "http://example.com:80/v1",
        )

    def test_whatCameFromTheEnvironmentIsFinal(self):
        """
        The value of a variable is not substituted again.
        """
        self.assertEqual(substitute("${A}", {"A": "${B} $${C}"}), "${B} $${C}")

    def test_dollarsAloneAreText(self):
        """
        A dollar sign alone needs no escape.
        """
        self.assertEqual(substitute("$5, $HOME, $$", {}), "$5, $HOME, $$")

    def test_everyMissingVariableIsNamed(self):
        """
        The error lists all missing variables.
        """
        error = self.assertRaises(
            SubstitutionFailed, substitute, "${A}${B}${C}", {"B": "b"}
        )
        self.assertEqual(
            error.problems,
            [
                f"the environment has no variable {name}; set it for the daemon and"
                " restart"
                for name in ("A", "C")
            ],
        )

    def test_otherSyntaxIsRefused(self):
        """
        A default value in shell syntax is an error.
        """
        for text in ("${A:-b}", "${}", "${A", "${A B}", "a ${"):
            error = self.assertRaises(
                SubstitutionFailed, substitute, text, {"A": "a", "A B": "ab"}
            )
            self.assertIn('write "$${"', error.problems[0])
            self.assertNotIn("-b", error.problems[0])

    @given(st.text("${}aB_ "))
    def test_anEscapedTextComesBack(self, text):
        """
        Any text can be escaped.
        """
        self.assertEqual(substitute(escaped(text), {}), text)

    @given(st.text("${}a"), st.from_regex(r"[A-Za-z_]\w{0,9}", fullmatch=True))
    def test_anyValueComesThrough(self, value, name):
        """
        Any value of a variable is unchanged.
        """
        if name.isascii():
            self.assertEqual(
                substitute("<${" + name + "}>", {name: value}), f"<{value}>"
            )
