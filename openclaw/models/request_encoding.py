"""
Encoding of requests: the part that dialects share.
"""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec

from openclaw.errors import InvalidRequest
from openclaw.interfaces import ModelRequest, Sampling
from openclaw.messages import ImagePart, ToolCall, ToolMessage
from openclaw.models.profiles import Profile

_CALL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SHORT_CALL_ID = re.compile(r"[a-zA-Z0-9]{9}")


def encodeBody(body: dict[str, Any], profile: Profile) -> bytes:
    """
    Encode the body of a request, without the members that the profile omits, and with
    those that it adds.
    """
    for name in profile.omitted:
        body.pop(name, None)
    for name, value in profile.extraBody.items():
        if value is None:
            body.pop(name, None)
        else:
            body[name] = value
    return msgspec.json.encode(body)


def refuseFields(sampling: Sampling, refused: Mapping[str, Any], api: str) -> None:
    """
    Reject fields that an API does not have, instead of dropping them silently.

    @param refused: The sampling fields that the API lacks, each with a value without an
        effect, which is accepted.
    @raise openclaw.errors.InvalidRequest: The request has such a field.
    """
    for field, nothing in refused.items():
        value = getattr(sampling, field)
        if value is not None and value != nothing:
            raise unsupported(field, api)


def unsupported(field: str, api: str, value: str = "") -> InvalidRequest:
    """
    Return the error for a field, or a value of it, that an API does not support.
    """
    what = f"{field} {value!r}" if value else field
    return InvalidRequest(
        f"The model's provider, of the api {api}, does not support {what}.",
        code="unsupported_parameter",
        param=field,
    )


def outputLimit(request: ModelRequest) -> int | None:
    """
    Return the output limit of the request, up to the model's limit if that is known.
    """
    sampling, most = request.sampling, request.maxOutputTokens
    wanted = sampling.max_completion_tokens
    if wanted is None:
        wanted = sampling.max_tokens
    if wanted is None or most is None:
        return wanted
    return min(wanted, most)


def stopSequences(sampling: Sampling) -> list[str]:
    stop = sampling.stop or ()
    return [stop] if isinstance(stop, str) else list(stop)


def argumentsOf(call: ToolCall) -> dict[str, Any]:
    """
    Return a call's arguments for APIs that require an object.  If they are not a JSON
    object, their text is under the name C{arguments}.
    """
    try:
        arguments = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        arguments = call.arguments
    return arguments if isinstance(arguments, dict) else {"arguments": arguments}


def callID(id: str) -> str:
    """
    Return a call's id in characters that every provider accepts.  Ids of other
    providers may be replaced, always by the same id.
    """
    if _CALL_ID.fullmatch(id):
        return id
    return f"call_{sha256(id.encode()).hexdigest()[:24]}"


def shortCallID(id: str) -> str:
    """
    Return a call's id in Mistral's form: nine letters and digits.  The same id is
    always replaced by the same one.
    """
    if _SHORT_CALL_ID.fullmatch(id):
        return id
    return sha256(id.encode()).hexdigest()[:9]


def resultText(message: ToolMessage) -> str:
    """
    Return a tool's result for APIs without a field for failures: the text has to show
    it.
    """
    return f"Error: {message.content}" if message.isError else message.content


def dataURI(image: ImagePart) -> str:
    return f"data:{image.mediaType};base64,{image.data}"
