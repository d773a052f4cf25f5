"""
The errors of OpenClaw, each with its type, code and HTTP status in OpenAI's terms::

    OpenClawError
    ├── InvalidRequest         400  the caller's request is wrong; names the field
    │   ├── MalformedRequest   400  … it is not even HTTP, or not safely so
    │   ├── AddressTooLong     414  … its path is too long
    │   ├── ExpectationFailed  417  … it expects what there is not
    │   └── HeadersTooLarge    431  … its headers are too large, or too many
    ├── AuthenticationFailed   401  no credential, or not a valid one
    ├── PermissionDenied       403  a valid credential that may not do this
    │   └── ProxyRequired      403  it must come by a proxy that is trusted
    ├── NotFound               404  no such path, model or endpoint
    ├── MethodNotAllowed       405  the path exists, the method does not
    ├── RequestTimeout         408  the request did not come in time
    ├── IdempotencyConflict    409  the key was used for another request
    ├── BodyTooLarge           413  more than the configured limit
    ├── TooManyAttempts        429  too many credentials that were not valid
    ├── Busy                   429  bounded waiting came to its bound
    │   ├── QuotaExceeded      429  as much as this caller may have
    │   └── SessionBusy        429  another run has had the session for too long
    ├── InternalError          500  our own fault
    ├── UpstreamError          502  a model provider failed
    │   ├── UpstreamUnreachable      no connection to it
    │   ├── UpstreamAuthFailed       it refused our key
    │   ├── UpstreamRateLimited 429  it asks us to slow down
    │   ├── UpstreamOutOfFunds 402   it wants to be paid
    │   ├── UpstreamModelNotFound 404  it has no such model
    │   ├── UpstreamRefused    400   it calls the request wrong
    │   │   └── ContextTooLong 400   … because the model can't read that much
    │   ├── UpstreamTruncated        its answer broke off
    │   ├── UpstreamMalformed        its answer makes no sense
    │   │   └── UpstreamTooLarge     … because it is larger than any answer may be
    │   ├── UpstreamTimeout    504   one of the three clocks ran out
    │   ├── EmptyReply               it had nothing to say, twice
    │   ├── ToolLoop                 it calls tools without an end
    │   └── ToolChoiceUnmet          it did not call the tool that it had to
    ├── Unavailable            503  not now
    │   ├── Crowded            503  there is no room for more connections or bodies
    │   ├── ShuttingDown       503  the daemon drains
    │   └── ModelUnavailable   503  the embedded model can't be run here
    ├── RunCancelled           499  the caller is gone, or somebody stopped the run
    ├── ConfigError                 the configuration is wrong; every fault in it
    ├── StoreError             500  the session store failed
    ├── TokenFileError              the named tokens can't be read or written
    └── StartError                  the daemon can't start; one line says why

Only L{openclaw.server.error_responses} turns these into HTTP, only L{openclaw.cli} into
exit codes.  Messages are for the caller: they name no secret, path or internal.
"""

from collections.abc import Sequence


class OpenClawError(Exception):
    """
    The root of all of ours.

    @cvar status: The HTTP status.
    @cvar type: OpenAI's C{error.type}.
    @ivar message: One or two sentences for the caller.
    @ivar code: OpenAI's C{error.code}: what a program tells this error by.
    @ivar param: The field of the request that is at fault, if one is.
    @ivar retryAfter: Seconds after which to try again, if that makes sense.
    @ivar shouldRetry: C{False} tells the SDKs never to send the request again.
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
    The request is wrong; C{param} says where.
    """

    status = 400
    type = "invalid_request_error"


class MalformedRequest(InvalidRequest):
    """
    This is no HTTP, or it can be understood in more than one way.  Nothing that
    comes behind it can be understood either.
    """

    code = "malformed_request"


class AddressTooLong(InvalidRequest):
    """
    The path is too long.
    """

    status = 414
    code = "uri_too_long"


class ExpectationFailed(InvalidRequest):
    """
    The request's C{Expect} asks for something else than C{100-continue}.
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
    There is no credential, or it is not valid.
    """

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class PermissionDenied(OpenClawError):
    """
    The credential is valid but may not do this.
    """

    status = 403
    type = "permission_error"
    code = "permission_denied"


class ProxyRequired(PermissionDenied):
    """
    Only a trusted proxy can say who asks, and none did.
    """

    code = "proxy_attribution_required"


class NotFound(OpenClawError):
    """
    Nothing is there.
    """

    status = 404
    type = "invalid_request_error"
    code = "not_found"


class MethodNotAllowed(OpenClawError):
    """
    The path exists, but not with this method.

    @ivar allowed: The methods that do exist.
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
    The headers or the body did not come in time.
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
    The address has shown too many credentials that are not valid.
    """

    status = 429
    type = "rate_limit_error"
    code = "too_many_failed_attempts"


class Busy(OpenClawError):
    """
    As many runs as may wait are waiting.
    """

    status = 429
    type = "rate_limit_error"
    code = "gateway_busy"


class QuotaExceeded(Busy):
    """
    The caller has as much as they may have; C{code} says of what:
    C{token_concurrency} or C{token_rate}.
    """

    code = "token_rate"


class SessionBusy(Busy):
    """
    The session has a run in progress, and the wait for it came to its bound.
    """

    code = "session_busy"


class InternalError(OpenClawError):
    """
    Our own fault.
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
    No connection could be made, or it was lost before an answer began.
    """

    code = "upstream_unreachable"


class UpstreamAuthFailed(UpstreamError):
    """
    The provider refused our key.
    """

    code = "upstream_auth_failed"


class UpstreamRateLimited(UpstreamError):
    """
    The provider asks us to slow down.
    """

    status = 429
    type = "rate_limit_error"
    code = "upstream_rate_limited"


class UpstreamOutOfFunds(UpstreamError):
    """
    The account with the provider has no money or no credits left.  The status is 402,
    or 429 if that is the provider's.
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
    The provider calls the request wrong: some field that was passed on to it.

    @ivar rejectedFields: The fields that it does not know, or not for this model, and
        that can be left out; by OpenAI's names.
    @ivar concernsModel: Another model may accept the request.
    """

    status = 400
    type = "invalid_request_error"
    code = "upstream_refused"
    rejectedFields: Sequence[str] = ()
    concernsModel: bool = False


class ContextTooLong(UpstreamRefused):
    """
    The conversation is longer than the model can read.
    """

    code = "context_length_exceeded"


class UpstreamTruncated(UpstreamError):
    """
    The answer broke off before the provider said why it stopped.
    """

    code = "upstream_truncated"


class UpstreamMalformed(UpstreamError):
    """
    The provider sent something that can't be read.
    """

    code = "upstream_malformed"


class UpstreamTooLarge(UpstreamMalformed):
    """
    The answer is larger than any may be.  Asking the same model again would cost as
    much again: C{shouldRetry} is C{False}.
    """

    code = "upstream_too_large"

    def __init__(self, message: str) -> None:
        super().__init__(message, shouldRetry=False)


class UpstreamTimeout(UpstreamError):
    """
    A clock ran out; C{code} says which: C{upstream_connect_timeout},
    C{upstream_idle_timeout} or C{run_timeout}.
    """

    status = 504
    type = "timeout_error"
    code = "upstream_idle_timeout"


class EmptyReply(UpstreamError):
    """
    The model said nothing, also when asked a second time.
    """

    code = "empty_reply"


class ToolLoop(UpstreamError):
    """
    The model does not come to an end; C{code} says what it was stopped for:
    C{max_model_calls}, C{repeated_tool_call} or C{max_run_size}.
    """

    code = "max_model_calls"


class ToolChoiceUnmet(UpstreamError):
    """
    The caller asked for a tool call, and the model made none.
    """

    code = "tool_choice_unmet"


class Unavailable(OpenClawError):
    """
    This can't be served now.
    """

    status = 503
    code = "unavailable"


class Crowded(Unavailable):
    """
    There is no room for one more connection, or for one more body.
    """

    code = "gateway_crowded"


class ShuttingDown(Unavailable):
    """
    The daemon is draining.
    """

    code = "server_shutting_down"


class ModelUnavailable(Unavailable):
    """
    The embedded model can't be run on this machine as it is set up.
    """

    code = "model_unavailable"


class RunCancelled(OpenClawError):
    """
    Nobody waits for this run any longer, or it was stopped by one who may.
    """

    status = 499
    code = "run_cancelled"


class ConfigError(OpenClawError):
    """
    The configuration is wrong.

    @ivar errors: Every fault found, each one line that begins with its key path.
    """

    code = "invalid_config"

    def __init__(self, message: str, errors: Sequence[str] = ()) -> None:
        super().__init__("\n".join([message, *(f"  {error}" for error in errors)]))
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


__all__ = [
    "AddressTooLong",
    "AuthenticationFailed",
    "BodyTooLarge",
    "Busy",
    "ConfigError",
    "ContextTooLong",
    "Crowded",
    "EmptyReply",
    "ExpectationFailed",
    "HeadersTooLarge",
    "IdempotencyConflict",
    "InternalError",
    "InvalidRequest",
    "MalformedRequest",
    "MethodNotAllowed",
    "ModelUnavailable",
    "NotFound",
    "OpenClawError",
    "PermissionDenied",
    "ProxyRequired",
    "QuotaExceeded",
    "RequestTimeout",
    "RunCancelled",
    "SessionBusy",
    "ShuttingDown",
    "StartError",
    "StoreError",
    "TokenFileError",
    "TooManyAttempts",
    "ToolChoiceUnmet",
    "ToolLoop",
    "Unavailable",
    "UpstreamAuthFailed",
    "UpstreamError",
    "UpstreamMalformed",
    "UpstreamModelNotFound",
    "UpstreamOutOfFunds",
    "UpstreamRateLimited",
    "UpstreamRefused",
    "UpstreamTimeout",
    "UpstreamTooLarge",
    "UpstreamTruncated",
    "UpstreamUnreachable",
]
