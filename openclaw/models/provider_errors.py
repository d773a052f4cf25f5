"""
Translate a provider's HTTP errors to ours.
"""

import re
from collections.abc import Mapping, Sequence

from twisted.internet.error import (
    ConnectionRefusedError,
    DNSLookupError,
    TCPTimedOutError,
)
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from openclaw.errors import (
    ContextTooLong,
    OpenClawError,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamMalformed,
    UpstreamModelNotFound,
    UpstreamOutOfFunds,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTruncated,
)
from openclaw.models.error_bodies import parseErrorBody
from openclaw.models.error_wordings import Meaning
from openclaw.net.content_coding import ContentError
from openclaw.net.http_connection import UnrequestedCoding
from openclaw.net.outbound_proxy import ProxyError

_VERSION = re.compile(r"/v\d")
_OF_MODEL = re.compile(r"\bmodels?\b", re.I)
_OF_FILE = re.compile(r"\b(?:image|file|audio|document|pdf)s?\b", re.I)


def providerError(
    provider: str,
    status: int,
    headers: Headers,
    body: bytes,
    secrets: Sequence[str] = (),
    baseURL: str = "",
) -> OpenClawError:
    """
    Make an error of an HTTP error response.

    @param body: The part of the body that was read.
    @param secrets: Texts to hide if the provider quotes them.
    @param baseURL: The provider's base URL, to be named if it may be wrong.
    """
    complaint = parseErrorBody(body, secrets)
    said = f" It says: {complaint.message}" if complaint.message else ""
    meaning = complaint.meaning or _meaningOfStatus(status, complaint.message)
    if meaning is Meaning.MONEY or status == 402:
        return UpstreamOutOfFunds(
            f"Provider {provider!r} wants to be paid.{said}",
            429 if status == 429 else 402,
        )
    if meaning is Meaning.UNKNOWN_MODEL and status != 429:
        return UpstreamModelNotFound(
            f"Provider {provider!r} does not have the model.{said}"
        )
    isIncapable = meaning is Meaning.INCAPABLE and status != 429
    if (status in (401, 403) and not isIncapable) or meaning is Meaning.KEY:
        # The provider's message may quote the key.
        return UpstreamAuthFailed(
            f"Provider {provider!r} refused the gateway's key.", shouldRetry=False
        )
    if status == 429:
        return UpstreamRateLimited(
            f"Provider {provider!r} is over its rate limit.{said}",
            retryAfter=_retryAfter(headers),
        )
    if meaning is Meaning.TOO_LONG:
        # Some report this with a status of 500, or within a stream without any.
        tooLong = ContextTooLong(
            f"Provider {provider!r} refused the request: the conversation is longer"
            f" than the model can read.{said}"
        )
        tooLong.readableShare = complaint.readableShare
        return tooLong
    if isIncapable or status in (400, 413, 422):
        refused = UpstreamRefused(f"Provider {provider!r} refused the request.{said}")
        refused.rejectedFields = complaint.rejectedFields
        refused.concernsModel = isIncapable or bool(complaint.rejectedFields)
        return refused
    hint = ""
    if baseURL and status in (404, 405):
        version = "" if _VERSION.search(baseURL) else ", which usually ends in /v1"
        hint = f" Check its base URL, {baseURL}{version}."
    return UpstreamError(
        f"Provider {provider!r} answered with status {status}.{said}{hint}",
        retryAfter=_retryAfter(headers) if status == 503 else None,
        shouldRetry=None if status >= 500 else False,
    )


def _meaningOfStatus(status: int, words: str) -> Meaning | None:
    """
    Return the meaning of a status with words that have none by themselves.
    """
    if status in (404, 410) and _OF_MODEL.search(words):
        return Meaning.UNKNOWN_MODEL  # Anthropic says no more than "model: name".
    if status == 413 and not _OF_FILE.search(words):
        # Some proxies and servers say no word.  Groq says so of a request that is
        # larger than all tokens of a minute.
        return Meaning.TOO_LONG
    return None


_CONNECT_ERRORS: Mapping[type[Exception], str] = {
    TCPTimedOutError: "does not answer",  # The system's time-out was shorter than ours.
    DNSLookupError: "has an address that does not resolve",
    ConnectionRefusedError: "refuses connections",
}


def describeConnectError(reason: Failure) -> str | None:
    """
    Return the cause of a failure to connect, as the end of a sentence, if it is known.
    """
    error = reason.value
    if isinstance(error, ProxyError):
        return f"can't be reached. {error.message.removesuffix('.')}"
    known = reason.check(*_CONNECT_ERRORS)
    return None if known is None else _CONNECT_ERRORS[known]


def damagedAnswer(provider: str, reason: Failure) -> UpstreamError:
    """
    Make the error for a response that is damaged on the wire.

    @param reason: See L{openclaw.net.http_connection.ResponseReceiver.failed}.
    """
    isCoding = reason.check(ContentError) is not None
    what = reason.getErrorMessage() if isCoding else "an HTTP message that is damaged"
    message = f"Provider {provider!r} sent {what}."
    if reason.check(UnrequestedCoding):
        # The next response would be the same.
        return UpstreamMalformed(message, shouldRetry=False)
    return UpstreamTruncated(message)


def _retryAfter(headers: Headers) -> float | None:
    """
    Return C{Retry-After} in seconds; providers do not use its other form, a date.
    """
    for value in headers.getRawHeaders(b"retry-after", []):
        try:
            seconds = float(value)
        except ValueError:
            continue
        if 0 <= seconds < 86400:
            return seconds
    return None
