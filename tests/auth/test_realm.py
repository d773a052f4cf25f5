"""
Tests of L{openclaw.auth.realm}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.cred.checkers import ANONYMOUS
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface
from zope.interface.verify import verifyObject

from openclaw.auth.checkers import SHARED_SECRET
from openclaw.auth.named_tokens import StoredToken
from openclaw.auth.realm import (
    OPERATOR_SCOPES,
    GatewayRealm,
    NamespacedCaller,
    Operator,
    UserRealm,
    callerOfToken,
    user,
)
from openclaw.interfaces import ICaller, Quota

SCOPES = st.lists(st.sampled_from([*OPERATOR_SCOPES, "", "operator", "root", "*"]))


class ScopeTests(SynchronousTestCase):
    """
    The scopes of callers.
    """

    def test_interface(self) -> None:
        """
        An operator is a caller.
        """
        verifyObject(ICaller, Operator("somebody"))

    def test_all(self) -> None:
        """
        An operator has all scopes, and no others.
        """
        operator = Operator("somebody")
        for scope in OPERATOR_SCOPES:
            self.assertTrue(operator.hasScope(scope))
        for scope in ("", "operator", "root", "operator.", "OPERATOR.WRITE"):
            self.assertFalse(operator.hasScope(scope))

    def test_included(self) -> None:
        """
        C{operator.admin} includes C{operator.write}, which includes C{operator.read};
        not the other way.
        """
        rank = ["operator.read", "operator.write", "operator.admin"]
        for held, scope in enumerate(rank):
            operator = Operator("somebody", frozenset({scope}))
            self.assertEqual(
                [operator.hasScope(each) for each in rank],
                [index <= held for index in range(3)],
            )

    def test_metrics(self) -> None:
        """
        Metrics are for administrators, and for callers with that scope only.
        """
        for scope in ("operator.read", "operator.write"):
            operator = Operator("somebody", frozenset({scope}))
            self.assertFalse(operator.hasScope("operator.metrics"))
        collector = Operator("somebody").withScopes(["operator.metrics"])
        self.assertTrue(collector.hasScope("operator.metrics"))
        self.assertFalse(collector.hasScope("operator.read"))

    def test_narrowed(self) -> None:
        """
        A caller can reduce its scopes.
        """
        reader = Operator("somebody").withScopes(["operator.read"])
        self.assertTrue(reader.hasScope("operator.read"))
        self.assertFalse(reader.hasScope("operator.write"))
        self.assertEqual(reader.label, "somebody")

    def test_narrowedToIncluded(self) -> None:
        """
        An included scope can be requested by its name.
        """
        writer = Operator("somebody", frozenset({"operator.write"}))
        self.assertTrue(writer.withScopes(["operator.read"]).hasScope("operator.read"))

    @given(first=SCOPES, second=SCOPES)
    def test_neverMore(self, first, second) -> None:
        """
        Scopes can't be increased.
        """
        before = Operator("somebody").withScopes(first)
        after = before.withScopes(second)
        for scope in [*OPERATOR_SCOPES, "", "root", "*"]:
            if after.hasScope(scope):
                self.assertTrue(before.hasScope(scope))
        self.assertFalse(before.withScopes([]).hasScope("operator.read"))

    def test_agents(self) -> None:
        """
        An operator may run every agent.
        """
        self.assertTrue(Operator("somebody").mayUse("anything"))


class GuestTests(SynchronousTestCase):
    """
    Callers with a namespace.
    """

    def test_interface(self) -> None:
        """
        A guest is a caller.
        """
        verifyObject(ICaller, NamespacedCaller(label="user:ann"))

    def test_holder(self) -> None:
        """
        The holder of a token has the token's permissions, and its own sessions.
        """
        caller = callerOfToken(
            StoredToken(
                label="ci",
                sha256="0" * 64,
                createdAt=0.0,
                scopes=("operator.read", "root"),
                agents=("main",),
                maxConcurrent=2,
                requestsPerMinute=60,
            )
        )
        self.assertEqual((caller.label, caller.namespace), ("token:ci", "token:ci"))
        self.assertTrue(caller.hasScope("operator.read"))
        self.assertFalse(caller.hasScope("operator.write"))
        self.assertFalse(caller.hasScope("root"))
        self.assertTrue(caller.mayUse("main"))
        self.assertFalse(caller.mayUse("other"))
        self.assertEqual(caller.quota, Quota(concurrentRuns=2, requestsPerMinute=60))

    def test_noAgents(self) -> None:
        """
        A token with an empty list of agents can use none; one without a list, all.
        """
        self.assertFalse(NamespacedCaller(label="x", agents=frozenset()).mayUse("main"))
        self.assertTrue(NamespacedCaller(label="x").mayUse("main"))

    @given(first=SCOPES, second=SCOPES)
    def test_neverMore(self, first, second) -> None:
        """
        Scopes can't be increased, and the other attributes stay the same.
        """
        before = NamespacedCaller(
            label="x", scopes=frozenset(first), agents=frozenset({"main"})
        )
        after = before.withScopes(second)
        for scope in [*OPERATOR_SCOPES, "", "root", "*"]:
            if after.hasScope(scope):
                self.assertTrue(before.hasScope(scope))
        self.assertEqual((after.label, after.agents), (before.label, before.agents))

    @given(one=st.binary(max_size=8), other=st.binary(max_size=8))
    def test_users(self, one, other) -> None:
        """
        Different users have different labels, which are valid in a log line.
        """
        self.assertEqual(user(one).label == user(other).label, one == other)
        self.assertTrue(user(one).label.isprintable())
        self.assertEqual(user(one).label.count(":"), 1)


class RealmTests(SynchronousTestCase):
    """
    The avatars of callers.
    """

    def callerOf(self, realm: object, avatarID: object) -> ICaller:
        """
        Return the caller of a realm.
        """
        kind, caller, logout = realm.requestAvatar(avatarID, None, ICaller)
        self.assertIs(kind, ICaller)
        self.assertTrue(ICaller.providedBy(caller))
        self.assertIsNone(logout())
        return caller

    def test_interface(self) -> None:
        """
        The realms provide the interface.
        """
        verifyObject(IRealm, GatewayRealm())
        verifyObject(IRealm, UserRealm())

    def test_own(self) -> None:
        """
        The operator, and unauthenticated callers where they are accepted, can use every
        session.
        """
        for avatarID, label in ((SHARED_SECRET, "operator"), (ANONYMOUS, "anonymous")):
            caller = self.callerOf(GatewayRealm(), avatarID)
            self.assertEqual((caller.label, caller.namespace), (label, ""))

    def test_unknown(self) -> None:
        """
        A token that no longer exists has no avatar.
        """
        for avatarID in (b"token:ci", b"ci", b"", b"ada"):
            self.assertRaises(
                UnauthorizedLogin, self.callerOf, GatewayRealm(), avatarID
            )

    def test_users(self) -> None:
        """
        Users have their own labels and sessions, and are not operators.
        """
        for avatarID, label in (
            (b"ada", "user:ada"),
            ("ada", "user:ada"),
            (b"ada@example.com", "user:ada@example.com"),
            (b"\xff", "user:%FF"),
        ):
            caller = self.callerOf(UserRealm(), avatarID)
            self.assertEqual((caller.label, caller.namespace), (label, label))
            self.assertFalse(caller.hasScope("operator.admin"))

    def test_names(self) -> None:
        """
        A user with the name of one of the gateway's own callers is different from it.
        """
        for avatarID in (SHARED_SECRET, b"operator", b"token:ci", b"anonymous"):
            caller = self.callerOf(UserRealm(), avatarID)
            self.assertTrue(caller.namespace.startswith("user:"))

    def test_nobody(self) -> None:
        """
        An invalid name has no avatar.
        """
        for avatarID in (ANONYMOUS, b"", "", None, 5):
            self.assertRaises(TypeError, self.callerOf, UserRealm(), avatarID)

    def test_others(self) -> None:
        """
        Another interface has no avatar.
        """

        class IOther(Interface):
            """
            Another interface.
            """

        for realm in (GatewayRealm(), UserRealm()):
            self.assertRaises(
                NotImplementedError, realm.requestAvatar, b"ada", None, IOther
            )
