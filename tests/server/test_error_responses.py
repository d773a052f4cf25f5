"""
Tests of L{openclaw.server.error_responses}.
"""

import msgspec
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest

from openclaw import errors
from openclaw.errors import (
    AuthenticationFailed,
    MethodNotAllowed,
    NotFound,
    OpenClawError,
    SessionBusy,
    UpstreamRateLimited,
)
from openclaw.server.error_responses import (
    buildMethodNotAllowed,
    pathNotFound,
    setErrorResponse,
)

WRONG = "invalid_request_error"
TOLD = {
    "AddressTooLong": (414, WRONG, "uri_too_long"),
    "AuthenticationFailed": (401, "authentication_error", "invalid_api_key"),
    "BodyTooLarge": (413, WRONG, "request_too_large"),
    "Busy": (429, "rate_limit_error", "gateway_busy"),
    "ContextTooLong": (400, WRONG, "context_length_exceeded"),
    "CapacityExceeded": (503, "server_error", "gateway_crowded"),
    "EmptyReply": (502, "upstream_error", "empty_reply"),
    "ExpectationFailed": (417, WRONG, "expectation_failed"),
    "HeadersTooLarge": (431, WRONG, "headers_too_large"),
    "IdempotencyConflict": (409, WRONG, "idempotency_conflict"),
    "InternalError": (500, "server_error", "internal_error"),
    "InvalidRequest": (400, WRONG, None),
    "MalformedRequest": (400, WRONG, "malformed_request"),
    "MethodNotAllowed": (405, WRONG, "method_not_allowed"),
    "ModelUnavailable": (503, "server_error", "model_unavailable"),
    "NotFound": (404, WRONG, "not_found"),
    "PermissionDenied": (403, "permission_error", "permission_denied"),
    "ProxyRequired": (403, "permission_error", "proxy_attribution_required"),
    "QuotaExceeded": (429, "rate_limit_error", "token_rate"),
    "RequestTimeout": (408, WRONG, "request_timeout"),
    "RunCancelled": (499, "server_error", "run_cancelled"),
    "SessionBusy": (429, "rate_limit_error", "session_busy"),
    "ShuttingDown": (503, "server_error", "server_shutting_down"),
    "StoreError": (500, "server_error", "store_error"),
    "TooManyAttempts": (429, "rate_limit_error", "too_many_failed_attempts"),
    "ToolChoiceUnmet": (502, "upstream_error", "tool_choice_unmet"),
    "ToolLoop": (502, "upstream_error", "max_model_calls"),
    "UpstreamAuthFailed": (502, "upstream_error", "upstream_auth_failed"),
    "UpstreamError": (502, "upstream_error", "upstream_error"),
    "UpstreamMalformed": (502, "upstream_error", "upstream_malformed"),
    "UpstreamModelNotFound": (404, WRONG, "model_not_found"),
    "UpstreamOutOfFunds": (402, "insufficient_quota", "insufficient_quota"),
    "UpstreamTooLarge": (502, "upstream_error", "upstream_too_large"),
    "UpstreamRateLimited": (429, "rate_limit_error", "upstream_rate_limited"),
    "UpstreamRefused": (400, WRONG, "upstream_refused"),
    "UpstreamTimeout": (504, "timeout_error", "upstream_idle_timeout"),
    "UpstreamTruncated": (502, "upstream_error", "upstream_truncated"),
    "UpstreamUnreachable": (502, "upstream_error", "upstream_unreachable"),
}
"""
The status, type and code of each error.
"""


def answered(error):
    """
    Return the request after the error response, and the error in its body.
    """
    request = DummyRequest([b""])
    body = setErrorResponse(request, error)
    assert request.responseHeaders.getRawHeaders("content-length") == [str(len(body))]
    return request, msgspec.json.decode(body)["error"]


class AnswerTests(SynchronousTestCase):
    """
    Errors have the format that the SDKs understand.
    """

    def header(self, request, name):
        """
        Return a response header, or C{None}.
        """
        values = request.responseHeaders.getRawHeaders(name)
        return None if values is None else "|".join(values)

    def test_everyError(self):
        """
        Each error has a status of its kind, and all members that the SDKs read.
        """
        kinds = [
            each
            for each in vars(errors).values()
            if isinstance(each, type) and issubclass(each, OpenClawError)
        ]
        self.assertGreater(len(kinds), 40)
        for kind in kinds:
            error = kind("No.", ["GET"]) if kind is MethodNotAllowed else kind("No.")
            request, told = answered(error)
            self.assertEqual(request.responseCode, kind.status)
            self.assertIn(kind.status, range(400, 600))
            self.assertEqual(
                self.header(request, "content-type"), "application/json; charset=utf-8"
            )
            self.assertEqual(
                told,
                {
                    "message": "No.",
                    "type": kind.type,
                    "param": error.param,
                    "code": kind.code,
                },
            )

    def test_told(self):
        """
        Status, type and code of each error do not change, since programs rely on them.
        """
        for name, (status, kind, code) in TOLD.items():
            error = getattr(errors, name)
            error = (
                error("No.", ["GET"]) if name == "MethodNotAllowed" else error("No.")
            )
            request, told = answered(error)
            self.assertEqual(
                (request.responseCode, told["type"], told["code"]),
                (status, kind, code),
                name,
            )

    def test_param(self):
        """
        An error has the name of the invalid field, if there is one.
        """
        _, told = answered(errors.UpstreamModelNotFound("No."))
        self.assertEqual(told["param"], "model")

    def test_members(self):
        """
        The attributes of an error override those of its class.
        """
        _, told = answered(NotFound("No.", param="model", code="model_not_found"))
        self.assertEqual((told["param"], told["code"]), ("model", "model_not_found"))

    def test_whoAreYou(self):
        """
        Only authentication errors have C{WWW-Authenticate}.
        """
        request, _ = answered(AuthenticationFailed("No."))
        self.assertEqual(
            self.header(request, "www-authenticate"), 'Bearer realm="openclaw"'
        )
        request, _ = answered(NotFound("No."))
        self.assertIs(self.header(request, "www-authenticate"), None)

    def test_allow(self):
        """
        C{Allow} has the methods of the path.
        """
        request, _ = answered(MethodNotAllowed("No.", ["GET", "HEAD"]))
        self.assertEqual(self.header(request, "allow"), "GET, HEAD")

    def test_tooOften(self):
        """
        A 429 always has a C{Retry-After}.
        """
        request, _ = answered(UpstreamRateLimited("No."))
        self.assertEqual(self.header(request, "retry-after"), "5")
        self.assertEqual(self.header(request, "retry-after-ms"), "5000")

    def test_retryAfter(self):
        """
        The time until a retry is given in whole seconds, never 0, and in milliseconds.
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
        C{x-should-retry} can prevent or cause retries of the SDKs.
        """
        for told, said in ((None, None), (True, "true"), (False, "false")):
            request, _ = answered(OpenClawError("No.", shouldRetry=told))
            self.assertEqual(self.header(request, "x-should-retry"), said)
            self.assertIs(self.header(request, "retry-after"), None)


class RoutingTests(SynchronousTestCase):
    """
    Errors of the routing become errors of the API.
    """

    def test_noRoute(self):
        """
        The error has the path, with any bytes.
        """
        error = pathNotFound(b"/v2/x\xff")
        self.assertIsInstance(error, NotFound)
        self.assertEqual(error.message, "There is no endpoint at /v2/x\ufffd.")

    def test_baseURL(self):
        """
        For a base URL with C{/v1} twice, or without it, the error says so.
        """
        for path, hint in [
            (b"/v1/v1/chat/completions", "contains `/v1` twice"),
            (b"/chat/completions", "must end with `/v1`"),
            (b"/models/openclaw", "must end with `/v1`"),
            (b"/embeddings", "must end with `/v1`"),
        ]:
            error = pathNotFound(path)
            self.assertIn(f"There is no endpoint at {path.decode()}.", error.message)
            self.assertIn(hint, error.message)

    def test_method(self):
        """
        The error lists the methods in a fixed order.
        """
        error = buildMethodNotAllowed(b"/v1/models", b"DELETE", {"HEAD", "GET"})
        self.assertIsInstance(error, MethodNotAllowed)
        self.assertEqual(error.allowed, ("GET", "HEAD"))
        self.assertEqual(
            error.message, "DELETE is not allowed on /v1/models; use GET or HEAD."
        )
