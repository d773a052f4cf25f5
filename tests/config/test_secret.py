"""
Tests for L{openclaw.config.secret}.
"""

import copy
import pickle

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import formatEvent
from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import Secret

ANY = st.characters(exclude_categories=())
"""
Any character, including lone surrogates.
"""


class ShowingSecretTests(SynchronousTestCase):
    """
    A secret is hidden.
    """

    def test_noWayOfPrintingShowsIt(self):
        """
        Printing, formatting and logging do not show it.
        """
        secret = Secret("hunter2")
        shown = [
            str(secret),
            repr(secret),
            repr([secret]),
            f"{secret}",
            f"{secret!r:>30}",
            f"{secret:>30}",
            " ".join(map(str, [secret])),
            formatEvent({"log_format": "{s} {s!r} {t}", "s": secret, "t": (secret,)}),
        ]
        self.assertFalse([text for text in shown if "hunter2" in text])
        self.assertIn("Secret", shown[0])

    def test_itCannotBeWrittenDown(self):
        """
        It can't be pickled or copied.
        """
        for write in (pickle.dumps, copy.copy, copy.deepcopy):
            self.assertRaises(TypeError, write, Secret("hunter2"))

    def test_revealGivesTheText(self):
        """
        C{reveal} returns the text.
        """
        self.assertEqual(Secret("hunter2").reveal(), "hunter2")


class ComparingSecretTests(SynchronousTestCase):
    """
    Secrets are compared only with each other.
    """

    @given(st.text(ANY), st.text(ANY))
    def test_equalExactlyIfTheTextsAre(self, one, other):
        """
        They are equal exactly if their texts are, for any characters.
        """
        self.assertEqual(Secret(one) == Secret(other), one == other)
        self.assertEqual(Secret(one), Secret(one))

    def test_neverEqualToAString(self):
        """
        They never equal a string.
        """
        self.assertNotEqual(Secret("hunter2"), "hunter2")

    def test_cannotBeAKey(self):
        """
        They have no hash, which would take a time that depends on the text.
        """
        self.assertRaises(TypeError, hash, Secret("hunter2"))
