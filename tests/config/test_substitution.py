"""
Tests for L{openclaw.config.substitution}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.config.substitution import SubstitutionFailed, substitute


def escaped(text):
    """
    The way to write a text so that nothing in it is filled in.
    """
    return text.replace("${", "$${")


class SubstitutionTests(SynchronousTestCase):
    """
    Strings take values from the environment.
    """

    def test_everyPlaceIsFilled(self):
        """
        A string can hold several variables among other text.
        """
        environ = {"HOST": "example.com", "PORT_2": "80"}
        self.assertEqual(
            substitute("http://${HOST}:${PORT_2}/v1", environ),
            "http://example.com:80/v1",
        )

    def test_whatCameFromTheEnvironmentIsFinal(self):
        """
        A value that itself looks like a place is not filled in again.
        """
        self.assertEqual(substitute("${A}", {"A": "${B} $${C}"}), "${B} $${C}")

    def test_dollarsAloneAreText(self):
        """
        Prices and shell-like words need no escape.
        """
        self.assertEqual(substitute("$5, $HOME, $$", {}), "$5, $HOME, $$")

    def test_everyMissingVariableIsNamed(self):
        """
        One look at the error is enough to set all that is missing.
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
        A default value in the manner of a shell is not taken for a token.
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
        Any text at all can be written down.
        """
        self.assertEqual(substitute(escaped(text), {}), text)

    @given(st.text("${}a"), st.from_regex(r"[A-Za-z_]\w{0,9}", fullmatch=True))
    def test_anyValueComesThrough(self, value, name):
        """
        The value of a variable arrives as it is, whatever is in it.
        """
        if name.isascii():
            self.assertEqual(
                substitute("<${" + name + "}>", {name: value}), f"<{value}>"
            )
