"""
Tests of L{openclaw.server.site}: credentials checkers that take time.
"""

import gc

import msgspec
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from openclaw.server.admission import Admission
from openclaw.server.site import GatewaySite
from tests.server.memory_connection import Caller
from tests.server.memory_gateway import COMPLETIONS, HELLO, GatewayTestCase, configOf

ANNA = ("Authorization", "Basic YW5uYTpzZWNyZXQ=")
BODY = msgspec.json.encode(HELLO)
SIZE = len(BODY)
LIMIT = 2048


@implementer(ICredentialsChecker)
class SlowChecker:
    """
    A checker whose results tests determine later.

    @ivar asked: The Deferreds of pending checks.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self):
        self.asked = []

    def requestAvatarId(self, credentials):
        self.asked.append(Deferred())
        return self.asked[-1]

    def admit(self):
        """
        Accept the last credential.
        """
        self.asked[-1].callback(b"anna")

    def refuse(self):
        """
        Reject the last credential.
        """
        self.asked[-1].errback(UnauthorizedLogin())


class SlowTestCase(GatewayTestCase):
    """
    A test case with slow checkers.
    """

    def setUp(self):
        """
        Start a gateway with such a checker, and connect.
        """
        super().setUp()
        self.checker = SlowChecker()
        self.gateway = self.start(
            checkers=[self.checker],
            config=configOf(endpoint={"maxBodyBytes": LIMIT, "bodyTimeoutSeconds": 10}),
        )
        self.caller = self.gateway.connect()

    def tearDown(self):
        """
        Check for unhandled errors.
        """
        self.caller.leave()
        super().tearDown()
        # Unhandled errors in Deferreds are logged by garbage collection.
        del self.caller
        self.checker.asked.clear()
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def begin(self, count=SIZE):
        """
        Send the head of a request with a body of this length.
        """
        headers = [ANNA, ("Content-Length", str(count))]
        self.caller.ask("POST", COMPLETIONS, headers)

    def assertAnswered(self):
        """
        Assert that the last request got the model's reply.
        """
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertEqual(self.caller.answers[-1].text, "Yes?")


class LateTests(SlowTestCase):
    """
    The body arrives before the decision.
    """

    def test_letIn(self):
        """
        The request waits for the decision, and is then served.
        """
        self.begin()
        self.caller.send(BODY)
        self.assertEqual(self.gateway.provider.calls, [])
        self.checker.admit()
        self.assertAnswered()

    def test_refused(self):
        """
        The response is 401; the connection stays usable, since the request was read
        completely.
        """
        self.begin()
        self.caller.send(BODY)
        self.checker.refuse()
        self.assertRefused(self.caller.answer, 401, "invalid_api_key")
        self.begin()
        self.caller.send(BODY)
        self.checker.admit()
        self.assertAnswered()

    def test_gone(self):
        """
        After a disconnect the decision has no effect.
        """
        for decide in (self.checker.admit, self.checker.refuse):
            self.caller = self.gateway.connect()
            self.begin()
            self.caller.send(BODY)
            self.caller.leave()
            if not self.checker.asked[-1].called:
                decide()
            self.assertEqual(self.caller.received, b"")
        self.assertEqual(self.gateway.provider.calls, [])

    def test_models(self):
        """
        The list of models, and each model, require a credential.
        """
        for path in ("/v1/models", "/v1/models/openclaw"):
            self.caller = self.gateway.connect()
            self.caller.ask("GET", path, [ANNA])
            self.assertEqual(self.caller.received, b"")
            self.checker.refuse()
            self.assertRefused(self.caller.answer, 401, "invalid_api_key")

    def test_unknownPath(self):
        """
        An unknown path is 404 before any credential is checked.
        """
        self.caller.ask("GET", "/v1/models//x", [ANNA])
        self.assertRefused(self.caller.answer, 404, "not_found")
        self.assertEqual(self.checker.asked, [])


class EarlyTests(SlowTestCase):
    """
    The decision comes before the complete body.
    """

    def test_letIn(self):
        """
        The rest of the body is read normally.
        """
        self.begin()
        self.caller.send(BODY[:5])
        self.checker.admit()
        self.assertEqual(self.caller.received, b"")
        self.caller.send(BODY[5:])
        self.assertAnswered()

    def test_refused(self):
        """
        The response is immediate; the body so far is dropped, and so is the rest.
        """
        self.begin()
        self.caller.send(BODY[:5])
        [connection] = self.gateway.site.connections
        [request] = connection.requests
        self.assertEqual(request.body(), BODY[:5])
        self.checker.refuse()
        self.assertRefused(self.caller.answer, 401, "invalid_api_key")
        self.assertEqual(self.caller.answer.headers["connection"], "close")
        self.caller.send(BODY[5:10])
        self.assertEqual(request.body(), b"")
        self.caller.send(BODY[10:])
        self.assertTrue(self.caller.closed)
        self.assertEqual(len(self.caller.answers), 1)

    def test_gone(self):
        """
        After a disconnect during the body, the decision has no effect.
        """
        for decide in (self.checker.admit, self.checker.refuse):
            self.caller = self.gateway.connect()
            self.begin()
            self.caller.send(BODY[:5])
            self.caller.leave()
            decide()
            self.assertEqual(self.caller.received, b"")


class AnsweredTests(SlowTestCase):
    """
    The request is answered before the decision.
    """

    def test_tooLarge(self):
        """
        A body that is too large is rejected once, whatever the decision.
        """
        for decide in (self.checker.admit, self.checker.refuse):
            self.caller = self.gateway.connect()
            self.begin(LIMIT + 1)
            decide()
            self.assertRefused(self.caller.answer, 413, "request_too_large")

    def test_tooLargeAndRead(self):
        """
        The same applies if the connection is closed by then.
        """
        for decide in (self.checker.admit, self.checker.refuse):
            self.caller = self.gateway.connect()
            self.begin(LIMIT + 1)
            self.caller.send(b"x" * (LIMIT + 1))
            self.assertTrue(self.caller.closed)
            decide()
            self.assertRefused(self.caller.answer, 413, "request_too_large")

    def test_tooLate(self):
        """
        The same applies to a body after its deadline.
        """
        for decide in (self.checker.admit, self.checker.refuse):
            self.caller = self.gateway.connect()
            self.begin()
            self.gateway.clock.advance(10)
            decide()
            self.assertRefused(self.caller.answer, 408, "request_timeout")


class BrokenAccessCheck:
    """
    An access check that raises an exception.
    """

    def admit(self, request):
        return Admission(caller=fail(ValueError("secret")), bodyBytes=LIMIT)


class BrokenTests(GatewayTestCase):
    """
    An access check that fails accepts no request.
    """

    def test_unexpected(self):
        """
        An unexpected exception is an internal error, and is logged.
        """
        site = GatewaySite(
            self.gateway.site.resource, BrokenAccessCheck(), self.gateway.clock
        )
        caller = Caller(site)
        caller.ask("POST", COMPLETIONS, [], BODY)
        self.assertRefused(caller.answer, 500, "internal_error")
        self.assertNotIn(b"secret", caller.received)
        [failure] = self.gateway.failures
        self.gateway.failures.clear()
        failure.trap(ValueError)
        caller.leave()
