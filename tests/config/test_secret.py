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
Any character: half of a surrogate pair, too.
"""


class ShowingSecretTests(SynchronousTestCase):
    """
    A secret can be handed around without being seen.
    """

    def test_noWayOfPrintingShowsIt(self):
        """
        Whoever prints, formats or logs a secret by mistake tells nothing.
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
        A secret is not pickled or copied into something that shows it.
        """
        for write in (pickle.dumps, copy.copy, copy.deepcopy):
            self.assertRaises(TypeError, write, Secret("hunter2"))

    def test_revealGivesTheText(self):
        """
        Code that has to send the secret can have it.
        """
        self.assertEqual(Secret("hunter2").reveal(), "hunter2")


class ComparingSecretTests(SynchronousTestCase):
    """
    Secrets are compared with each other, and only with each other.
    """

    @given(st.text(ANY), st.text(ANY))
    def test_equalExactlyIfTheTextsAre(self, one, other):
        """
        Any two texts compare as they would in the open, whatever characters they
        are made of.
        """
        self.assertEqual(Secret(one) == Secret(other), one == other)
        self.assertEqual(Secret(one), Secret(one))

    def test_neverEqualToAString(self):
        """
        A secret can't be guessed by comparing plain strings with it.
        """
        self.assertNotEqual(Secret("hunter2"), "hunter2")

    def test_cannotBeAKey(self):
        """
        A hash would tell secrets apart in a time that depends on them.
        """
        self.assertRaises(TypeError, hash, Secret("hunter2"))
