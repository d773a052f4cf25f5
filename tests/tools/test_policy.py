"""
Tests for L{openclaw.tools.policy}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from openclaw.tools.catalogue import Catalogue
from openclaw.tools.policy import CODING, READONLY, allowed, unknown

TOOLS = ["read", "ls", "write", "exec", "web_fetch", "plug_in"]
NAMES = st.lists(st.sampled_from([*TOOLS, "gone"]))
PROFILES = st.sampled_from(["none", "readonly", "coding", "full"])


class ProfileTests(SynchronousTestCase):
    """
    A profile gives an agent its tools.
    """

    def test_profiles(self):
        """
        Each gives more than the one before.
        """
        for profile, expected in [
            ("none", ()),
            ("readonly", ("read", "ls")),
            ("coding", ("read", "ls", "write", "exec", "web_fetch")),
            ("full", tuple(TOOLS)),
        ]:
            self.assertEqual(allowed(TOOLS, profile), expected)

    def test_readonlyIsReadOnly(self):
        """
        No tool of C{readonly} changes anything or reaches the network.
        """
        tools = Catalogue(log=Logger()).tools()
        for name in READONLY:
            self.assertTrue(tools[name].readOnly, name)
        self.assertNotIn("web_fetch", READONLY)

    def test_exist(self):
        """
        The profiles name tools that there are.
        """
        self.assertLessEqual(READONLY | CODING, set(Catalogue(log=Logger()).tools()))


class ListTests(SynchronousTestCase):
    """
    Lists change what a profile gives.
    """

    def test_allow(self):
        """
        More can be allowed, also a plug-in's tool.
        """
        self.assertEqual(allowed(TOOLS, "none", ["plug_in"]), ("plug_in",))
        self.assertEqual(allowed(TOOLS, "readonly", ["write"]), ("read", "ls", "write"))

    def test_deny(self):
        """
        What is denied is taken away from every profile, and though it is allowed.
        """
        self.assertEqual(allowed(["exec"], "full", ["exec"], ["exec"]), ())
        self.assertEqual(allowed(TOOLS, "readonly", [], ["ls"]), ("read",))

    def test_unknown(self):
        """
        Names that no tool has are found.
        """
        self.assertEqual(unknown(TOOLS, ["read", "Exec", "bash"]), ("Exec", "bash"))

    @given(PROFILES, NAMES, NAMES)
    def test_rules(self, profile, allow, deny):
        """
        Nobody has what is denied or what does not exist; everybody has what is
        allowed and not denied.
        """
        found = set(allowed(TOOLS, profile, allow, deny))
        self.assertFalse(found & set(deny))
        self.assertLessEqual(found, set(TOOLS))
        self.assertLessEqual((set(allow) & set(TOOLS)) - set(deny), found)
