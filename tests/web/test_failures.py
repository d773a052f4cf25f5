"""
Tests of L{openclaw.web.failures}.
"""

import msgspec
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest
from werkzeug.exceptions import MethodNotAllowed as RouteMethodNotAllowed
from werkzeug.exceptions import NotFound as NoRoute

from openclaw import errors
from openclaw.errors import (
    AuthenticationFailed,
    MethodNotAllowed,
    NotFound,
    OpenClawError,
    SessionBusy,
)
from openclaw.web.failures import answerWith, routingError


def answered(error):
    """
    What an error becomes: the request that was answered, and the error in the body.
    """
    request = DummyRequest([b""])
    body = answerWith(request, error)
    assert request.responseHeaders.getRawHeaders("content-length") == [str(len(body))]
    return request, msgspec.json.decode(body)["error"]


class AnswerTests(SynchronousTestCase):
    """
    An error becomes what the SDKs understand.
    """

    def header(self, request, name):
        """
        A response header, or C{None}.
        """
        values = request.responseHeaders.getRawHeaders(name)
        return None if values is None else "|".join(values)

    def test_everyError(self):
        """
        Each error has a status of its own kind, and all members that the SDKs know.
        """
        for name in errors.__all__:
            kind = getattr(errors, name)
            error = kind("No.", ["GET"]) if kind is MethodNotAllowed else kind("No.")
            request, told = answered(error)
            self.assertEqual(request.responseCode, kind.status)
            self.assertIn(kind.status, range(400, 600))
            self.assertEqual(
                self.header(request, "content-type"), "application/json; charset=utf-8"
            )
            self.assertEqual(
                told,
                {"message": "No.", "type": kind.type, "param": None, "code": kind.code},
            )

    def test_members(self):
        """
        What this one error says of itself wins over its kind.
        """
        _, told = answered(NotFound("No.", param="model", code="model_not_found"))
        self.assertEqual((told["param"], told["code"]), ("model", "model_not_found"))

    def test_whoAreYou(self):
        """
        Only who is not known is asked for a credential.
        """
        request, _ = answered(AuthenticationFailed("No."))
        self.assertEqual(
            self.header(request, "www-authenticate"), 'Bearer realm="openclaw"'
        )
        request, _ = answered(NotFound("No."))
        self.assertIs(self.header(request, "www-authenticate"), None)

    def test_allow(self):
        """
        Who used the wrong method is told the right ones.
        """
        request, _ = answered(MethodNotAllowed("No.", ["GET", "HEAD"]))
        self.assertEqual(self.header(request, "allow"), "GET, HEAD")

    def test_retryAfter(self):
        """
        When to try again is said in whole seconds, never 0, and in milliseconds.
        """
        for seconds, whole, milliseconds in [
            (0, "1", "0"),
            (0.0301, "1", "31"),
            (2, "2", "2000"),
            (2.5, "3", "2500"),
        ]:
            request, _ = answered(SessionBusy("No.", retryAfter=seconds))
            self.assertEqual(self.header(request, "retry-after"), whole)
            self.assertEqual(self.header(request, "retry-after-ms"), milliseconds)

    def test_shouldRetry(self):
        """
        The SDKs can be told not to try again, or to do so.
        """
        for told, said in ((None, None), (True, "true"), (False, "false")):
            request, _ = answered(OpenClawError("No.", shouldRetry=told))
            self.assertEqual(self.header(request, "x-should-retry"), said)
            self.assertIs(self.header(request, "retry-after"), None)


class RoutingTests(SynchronousTestCase):
    """
    What the routing finds, in the house's terms.
    """

    def test_noRoute(self):
        """
        The path is named, whatever bytes it has.
        """
        error = routingError(NoRoute(), b"/v2/x\xff", b"GET")
        self.assertIsInstance(error, NotFound)
        self.assertEqual(error.message, "There is nothing at /v2/x\ufffd.")

    def test_method(self):
        """
        The methods are named in one order, without C{OPTIONS}, which nothing serves.
        """
        found = RouteMethodNotAllowed(valid_methods=["OPTIONS", "HEAD", "GET"])
        error = routingError(found, b"/v1/models", b"DELETE")
        self.assertIsInstance(error, MethodNotAllowed)
        self.assertEqual(error.allowed, ("GET", "HEAD"))
        self.assertEqual(
            error.message, "DELETE is not allowed on /v1/models; use GET or HEAD."
        )
