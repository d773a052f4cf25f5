"""
Tests of L{openclaw.workers.forwarded_caller}.
"""

from hypothesis import given
from hypothesis.strategies import binary
from twisted.trial.unittest import SynchronousTestCase

from openclaw.auth.realm import NamespacedCaller, Operator
from openclaw.interfaces import Quota
from openclaw.workers.forwarded_caller import ForwardedCaller, formatHeader, parseHeader

SECRET = "secret-of-this-start"
CALLERS = [
    Operator("operator"),
    Operator("operator", scopes=frozenset({"operator.read"})),
    NamespacedCaller(
        label="token:ci",
        agents=frozenset({"main"}),
        quota=Quota(concurrentRuns=2, requestsPerMinute=None),
    ),
    NamespacedCaller(label="user:%C3%BC@example.com", scopes=frozenset()),
]


class ForwardedCallerTests(SynchronousTestCase):
    """
    Callers of requests forwarded between workers.
    """

    def test_callers(self):
        """
        They arrive unchanged, with the same permissions.
        """
        for caller in CALLERS:
            sent = ForwardedCaller.of(caller, counted=True, hops=1)
            arrived = parseHeader(formatHeader(sent, SECRET), SECRET)
            self.assertEqual(arrived, sent)
            self.assertEqual(arrived.caller, caller)

    def test_otherSecret(self):
        """
        A caller with another secret is rejected.
        """
        forwarded = ForwardedCaller.of(CALLERS[0], counted=True, hops=1)
        for secret in ("", "other", SECRET[:-1]):
            self.assertIsNone(parseHeader(formatHeader(forwarded, secret), SECRET))

    @given(binary())
    def test_anything(self, value):
        """
        Any other value is rejected, too.
        """
        self.assertIsNone(parseHeader(value, SECRET))
        self.assertIsNone(parseHeader(SECRET.encode() + b"." + value, SECRET))
