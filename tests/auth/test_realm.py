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
        An operator may do everything that there is a scope for, and nothing else.
        """
        operator = Operator("somebody")
        for scope in OPERATOR_SCOPES:
            self.assertTrue(operator.hasScope(scope))
        for scope in ("", "operator", "root", "operator.", "OPERATOR.WRITE"):
            self.assertFalse(operator.hasScope(scope))

    def test_included(self) -> None:
        """
        C{operator.admin} includes C{operator.write}, and that C{operator.read}; not the
        other way.
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
        Numbers of all callers are for those who administer, and for who may read them
        and nothing else.
        """
        for scope in ("operator.read", "operator.write"):
            operator = Operator("somebody", frozenset({scope}))
            self.assertFalse(operator.hasScope("operator.metrics"))
        collector = Operator("somebody").withScopes(["operator.metrics"])
        self.assertTrue(collector.hasScope("operator.metrics"))
        self.assertFalse(collector.hasScope("operator.read"))

    def test_narrowed(self) -> None:
        """
        A caller can ask for less.
        """
        reader = Operator("somebody").withScopes(["operator.read"])
        self.assertTrue(reader.hasScope("operator.read"))
        self.assertFalse(reader.hasScope("operator.write"))
        self.assertEqual(reader.label, "somebody")

    def test_narrowedToIncluded(self) -> None:
        """
        An included scope can be asked for by its name.
        """
        writer = Operator("somebody", frozenset({"operator.write"}))
        self.assertTrue(writer.withScopes(["operator.read"]).hasScope("operator.read"))

    @given(first=SCOPES, second=SCOPES)
    def test_neverMore(self, first, second) -> None:
        """
        Nobody ever gets more by asking.
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
    Callers who are some among others.
    """

    def test_interface(self) -> None:
        """
        A guest is a caller.
        """
        verifyObject(ICaller, NamespacedCaller(label="user:ann"))

    def test_holder(self) -> None:
        """
        The holder of a token may do what is kept of it, and has their own sessions.
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
        A token for no agent may use none; one of which nothing is said, all.
        """
        self.assertFalse(NamespacedCaller(label="x", agents=frozenset()).mayUse("main"))
        self.assertTrue(NamespacedCaller(label="x").mayUse("main"))

    @given(first=SCOPES, second=SCOPES)
    def test_neverMore(self, first, second) -> None:
        """
        Nobody ever gets more by asking, and all else stays as it was.
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
        Different users have different labels, which can stand in a line of the log.
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
        The caller that a realm makes.
        """
        kind, caller, logout = realm.requestAvatar(avatarID, None, ICaller)
        self.assertIs(kind, ICaller)
        self.assertTrue(ICaller.providedBy(caller))
        self.assertIsNone(logout())
        return caller

    def test_interface(self) -> None:
        """
        The realms are what they say.
        """
        verifyObject(IRealm, GatewayRealm())
        verifyObject(IRealm, UserRealm())

    def test_own(self) -> None:
        """
        The operator and strangers, where these are let in, see every session.
        """
        for avatarID, label in ((SHARED_SECRET, "operator"), (ANONYMOUS, "anonymous")):
            caller = self.callerOf(GatewayRealm(), avatarID)
            self.assertEqual((caller.label, caller.namespace), (label, ""))

    def test_unknown(self) -> None:
        """
        A token that is there no longer makes nobody.
        """
        for avatarID in (b"token:ci", b"ci", b"", b"ada"):
            self.assertRaises(
                UnauthorizedLogin, self.callerOf, GatewayRealm(), avatarID
            )

    def test_users(self) -> None:
        """
        Users have their own label and sessions, and are no operators.
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
        A user who is called like one of our own callers is not taken for that.
        """
        for avatarID in (SHARED_SECRET, b"operator", b"token:ci", b"anonymous"):
            caller = self.callerOf(UserRealm(), avatarID)
            self.assertTrue(caller.namespace.startswith("user:"))

    def test_nobody(self) -> None:
        """
        A value that is not a name has no avatar.
        """
        for avatarID in (ANONYMOUS, b"", "", None, 5):
            self.assertRaises(TypeError, self.callerOf, UserRealm(), avatarID)

    def test_others(self) -> None:
        """
        Another interface has no avatar.
        """

        class IOther(Interface):
            """
            Something else.
            """

        for realm in (GatewayRealm(), UserRealm()):
            self.assertRaises(
                NotImplementedError, realm.requestAvatar, b"ada", None, IOther
            )
