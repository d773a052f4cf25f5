"""
Tests of L{openclaw.auth.realm}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.checkers import ANONYMOUS
from twisted.cred.portal import IRealm
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface
from zope.interface.verify import verifyObject

from openclaw.auth.checkers import SHARED_SECRET
from openclaw.auth.realm import OPERATOR_SCOPES, Operator, OperatorRealm
from openclaw.interfaces import ICaller

SCOPES = st.lists(st.sampled_from([*OPERATOR_SCOPES, "", "operator", "root", "*"]))


class ScopeTests(SynchronousTestCase):
    """
    What callers may do.
    """

    def test_interface(self) -> None:
        """
        An operator is a caller.
        """
        verifyObject(ICaller, Operator("somebody"))

    def test_all(self) -> None:
        """
        An operator may do everything that there is a scope for, and nothing else.
        """
        operator = Operator("somebody")
        for scope in OPERATOR_SCOPES:
            self.assertTrue(operator.hasScope(scope))
        for scope in ("", "operator", "root", "operator.", "OPERATOR.WRITE"):
            self.assertFalse(operator.hasScope(scope))

    def test_included(self) -> None:
        """
        Who may administer may write, and who may write may read; not the other way.
        """
        rank = ["operator.read", "operator.write", "operator.admin"]
        for held, scope in enumerate(rank):
            operator = Operator("somebody", frozenset({scope}))
            self.assertEqual(
                [operator.hasScope(each) for each in rank],
                [index <= held for index in range(3)],
            )

    def test_narrowed(self) -> None:
        """
        A caller can ask for less.
        """
        reader = Operator("somebody").narrowed(["operator.read"])
        self.assertTrue(reader.hasScope("operator.read"))
        self.assertFalse(reader.hasScope("operator.write"))
        self.assertEqual(reader.label, "somebody")

    def test_narrowedToIncluded(self) -> None:
        """
        What is included can be asked for by its name.
        """
        writer = Operator("somebody", frozenset({"operator.write"}))
        self.assertTrue(writer.narrowed(["operator.read"]).hasScope("operator.read"))

    @given(first=SCOPES, second=SCOPES)
    def test_neverMore(self, first, second) -> None:
        """
        Nobody ever gets more by asking.
        """
        before = Operator("somebody").narrowed(first)
        after = before.narrowed(second)
        for scope in [*OPERATOR_SCOPES, "", "root", "*"]:
            if after.hasScope(scope):
                self.assertTrue(before.hasScope(scope))
        self.assertFalse(before.narrowed([]).hasScope("operator.read"))

    def test_agents(self) -> None:
        """
        An operator may run every agent.
        """
        self.assertTrue(Operator("somebody").mayUse("anything"))


class RealmTests(SynchronousTestCase):
    """
    Who the callers are.
    """

    def labelOf(self, avatarID: object) -> str:
        """
        The name under which somebody is in the log.
        """
        kind, caller, logout = OperatorRealm().requestAvatar(avatarID, None, ICaller)
        self.assertIs(kind, ICaller)
        self.assertTrue(ICaller.providedBy(caller))
        self.assertIsNone(logout())
        return caller.label

    def test_interface(self) -> None:
        """
        The realm is what it says.
        """
        verifyObject(IRealm, OperatorRealm())

    def test_labels(self) -> None:
        """
        The log tells the operator, users and strangers apart.
        """
        self.assertEqual(self.labelOf(SHARED_SECRET), "operator")
        self.assertEqual(self.labelOf(b"ada"), "user:ada")
        self.assertEqual(self.labelOf(b"\xff"), "user:\N{REPLACEMENT CHARACTER}")
        self.assertEqual(self.labelOf(ANONYMOUS), "anonymous")

    def test_others(self) -> None:
        """
        Who wants any other avatar gets none.
        """

        class IOther(Interface):
            """
            Something else.
            """

        self.assertRaises(
            NotImplementedError, OperatorRealm().requestAvatar, b"ada", None, IOther
        )
