"""
The errors of OpenClaw, each with its type, code and HTTP status in OpenAI's terms::

    OpenClawError
    ├── InvalidRequest             400
    │   ├── MalformedRequest       400
    │   ├── AddressTooLong         414
    │   ├── ExpectationFailed      417
    │   └── HeadersTooLarge        431
    ├── AuthenticationFailed       401
    ├── PermissionDenied           403
    │   └── ProxyRequired          403
    ├── NotFound                   404
    ├── MethodNotAllowed           405
    ├── RequestTimeout             408
    ├── IdempotencyConflict        409
    ├── BodyTooLarge               413
    ├── TooManyAttempts            429
    ├── Busy                       429
    │   ├── QuotaExceeded          429
    │   └── SessionBusy            429
    ├── InternalError              500
    ├── UpstreamError              502
    │   ├── UpstreamUnreachable    502
    │   ├── UpstreamAuthFailed     502
    │   ├── UpstreamRateLimited    429
    │   ├── UpstreamOutOfFunds     402
    │   ├── UpstreamModelNotFound  404
    │   ├── UpstreamRefused        400
    │   │   └── ContextTooLong     400
    │   ├── UpstreamTruncated      502
    │   ├── UpstreamMalformed      502
    │   │   └── UpstreamTooLarge   502
    │   ├── UpstreamTimeout        504
    │   ├── EmptyReply             502
    │   ├── ToolLoop               502
    │   └── ToolChoiceUnmet        502
    ├── Unavailable                503
    │   ├── CapacityExceeded       503
    │   ├── ShuttingDown           503
    │   └── ModelUnavailable       503
    ├── RunCancelled               499
    ├── StoreError                 500
    ├── ConfigError
    ├── TokenFileError
    └── StartError

Only L{openclaw.server.error_responses} translates these to HTTP, and only
L{openclaw.cli} to exit codes.  Messages are for the caller: they contain no secret,
path or internal detail.
"""

from collections.abc import Sequence


class OpenClawError(Exception):
    """
    The base class of all errors.

    @cvar status: The HTTP status.
    @cvar type: OpenAI's C{error.type}.
    @ivar message: One or two sentences for the caller.
    @ivar code: OpenAI's C{error.code}, by which programs distinguish errors.
    @ivar param: The invalid field of the request, if there is one.
    @ivar retryAfter: Seconds to wait before a retry, if a retry may succeed.
    @ivar shouldRetry: C{False} keeps the SDKs from retrying.
    """

    status: int = 500
    type: str = "server_error"
    code: str | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        retryAfter: float | None = None,
        shouldRetry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.param = param
        self.retryAfter = retryAfter
        self.shouldRetry = shouldRetry


class InvalidRequest(OpenClawError):
    """
    The request is invalid; C{param} names the field.
    """

    status = 400
    type = "invalid_request_error"


class MalformedRequest(InvalidRequest):
    """
    The bytes are not HTTP, or are ambiguous, so that the connection can't be used any
    more.
    """

    code = "malformed_request"


class AddressTooLong(InvalidRequest):
    status = 414
    code = "uri_too_long"


class ExpectationFailed(InvalidRequest):
    """
    The request's C{Expect} is not C{100-continue}.
    """

    status = 417
    code = "expectation_failed"


class HeadersTooLarge(InvalidRequest):
    """
    The headers are too large, or too many.
    """

    status = 431
    code = "headers_too_large"


class AuthenticationFailed(OpenClawError):
    """
    The credential is missing or invalid.
    """

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class PermissionDenied(OpenClawError):
    """
    The credential is valid, and does not permit this.
    """

    status = 403
    type = "permission_error"
    code = "permission_denied"


class ProxyRequired(PermissionDenied):
    """
    The gateway accepts users only from a trusted proxy, and the request has none.
    """

    code = "proxy_attribution_required"


class NotFound(OpenClawError):
    """
    The path, model or resource does not exist.
    """

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class MethodNotAllowed(OpenClawError):
    """
    The path exists, but not with this method.

    @ivar allowed: The methods of the path.
    """

    status = 405
    type = "invalid_request_error"
    code = "method_not_allowed"

    def __init__(self, message: str, allowed: Sequence[str]) -> None:
        super().__init__(message)
        self.allowed = tuple(allowed)


class IdempotencyConflict(OpenClawError):
    """
    The C{Idempotency-Key} was used for another request.
    """

    status = 409
    type = "invalid_request_error"
    code = "idempotency_conflict"


class RequestTimeout(OpenClawError):
    """
    The headers or the body did not arrive in time.
    """

    status = 408
    type = "invalid_request_error"
    code = "request_timeout"


class BodyTooLarge(OpenClawError):
    """
    The body is larger than the configured limit.
    """

    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class TooManyAttempts(OpenClawError):
    """
    The address has sent too many invalid credentials.
    """

    status = 429
    type = "rate_limit_error"
    code = "too_many_failed_attempts"


class Busy(OpenClawError):
    """
    The queue of runs is full, or the wait in it took too long.
    """

    status = 429
    type = "rate_limit_error"
    code = "gateway_busy"


class QuotaExceeded(Busy):
    """
    The caller has used up a quota: C{code} is C{token_concurrency} or C{token_rate}.
    """

    code = "token_rate"


class SessionBusy(Busy):
    """
    The session has a run in progress, and the wait for it took too long.
    """

    code = "session_busy"


class InternalError(OpenClawError):
    """
    An error of the gateway itself.
    """

    code = "internal_error"


class UpstreamError(OpenClawError):
    """
    A model provider failed.
    """

    status = 502
    type = "upstream_error"
    code = "upstream_error"


class UpstreamUnreachable(UpstreamError):
    """
    The connection failed, or was lost before the response began.
    """

    code = "upstream_unreachable"


class UpstreamAuthFailed(UpstreamError):
    """
    The provider rejected the configured API key.
    """

    code = "upstream_auth_failed"


class UpstreamRateLimited(UpstreamError):
    """
    The provider's rate limit is exceeded.
    """

    status = 429
    type = "rate_limit_error"
    code = "upstream_rate_limited"


class UpstreamOutOfFunds(UpstreamError):
    """
    The provider's account has no credits left.  The status is 402, or 429 if that is
    the provider's.
    """

    status = 402
    type = "insufficient_quota"
    code = "insufficient_quota"

    def __init__(self, message: str, status: int = 402) -> None:
        super().__init__(message, shouldRetry=False)
        self.status = status


class UpstreamModelNotFound(UpstreamError):
    """
    The provider does not have the model, or not for this account.
    """

    status = 404
    type = "invalid_request_error"
    code = "model_not_found"

    def __init__(self, message: str) -> None:
        super().__init__(message, shouldRetry=False, param="model")


class UpstreamRefused(UpstreamError):
    """
    The provider rejected the request because of a field that was passed on to it.

    @ivar rejectedFields: The optional fields that the provider or the model does not
        support, by OpenAI's names.
    @ivar concernsModel: Another model may accept the request.
    """

    status = 400
    type = "invalid_request_error"
    code = "upstream_refused"
    rejectedFields: Sequence[str] = ()
    concernsModel: bool = False


class ContextTooLong(UpstreamRefused):
    """
    The conversation exceeds the model's context window.

    @ivar readableShare: The part of it that the model can read, if known.
    """

    code = "context_length_exceeded"
    readableShare: float | None = None


class UpstreamTruncated(UpstreamError):
    """
    The response ended without a finish reason.
    """

    code = "upstream_truncated"


class UpstreamMalformed(UpstreamError):
    """
    The response is not in the provider's wire format.
    """

    code = "upstream_malformed"


class UpstreamTooLarge(UpstreamMalformed):
    """
    The response exceeds the limit.  A retry would cost the same again, so
    C{shouldRetry} is C{False}.
    """

    code = "upstream_too_large"

    def __init__(self, message: str) -> None:
        super().__init__(message, shouldRetry=False)


class UpstreamTimeout(UpstreamError):
    """
    A time-out; C{code} is C{upstream_connect_timeout}, C{upstream_idle_timeout} or
    C{run_timeout}.
    """

    status = 504
    type = "timeout_error"
    code = "upstream_idle_timeout"


class EmptyReply(UpstreamError):
    """
    The model's reply was empty, and so was that to a retry.
    """

    code = "empty_reply"


class ToolLoop(UpstreamError):
    """
    The run exceeded a limit of its tool loop: C{code} is C{max_model_calls},
    C{repeated_tool_call} or C{max_run_size}.
    """

    code = "max_model_calls"


class ToolChoiceUnmet(UpstreamError):
    """
    The caller required a tool call, and the model made none.
    """

    code = "tool_choice_unmet"


class Unavailable(OpenClawError):
    """
    The service is temporarily unavailable.
    """

    status = 503
    code = "unavailable"


class CapacityExceeded(Unavailable):
    """
    The limit of connections, or of the memory for bodies, is reached.
    """

    code = "gateway_crowded"


class ShuttingDown(Unavailable):
    """
    The daemon is draining.
    """

    code = "server_shutting_down"


class ModelUnavailable(Unavailable):
    """
    The embedded model can't run on this machine.
    """

    code = "model_unavailable"


class RunCancelled(OpenClawError):
    """
    The run was cancelled, or its client has disconnected.
    """

    status = 499
    code = "run_cancelled"


class ConfigError(OpenClawError):
    """
    The configuration is invalid.

    @ivar errors: All errors, one line each, which begins with the key's path.
    """

    code = "invalid_config"

    def __init__(
        self, message: str, errors: Sequence[str] = (), warnings: Sequence[str] = ()
    ) -> None:
        """
        @param warnings: Further lines, which may explain the errors.
        """
        lines = [*errors, *(f"warning: {warning}" for warning in warnings)]
        super().__init__("\n".join([message, *(f"  {line}" for line in lines)]))
        self.errors = tuple(errors)


class StoreError(OpenClawError):
    """
    The session store can't be opened, read or written.
    """

    code = "store_error"


class TokenFileError(OpenClawError):
    """
    The file with the named tokens can't be read or written.
    """

    code = "token_file_error"


class StartError(OpenClawError):
    """
    The daemon can't start.
    """

    code = "start_error"
