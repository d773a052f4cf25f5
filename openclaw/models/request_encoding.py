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
    Encode the body of a request: without what the profile omits, and with what it adds.
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
    Refuse what an API has no word for, rather than drop it unheard.

    @param refused: The sampling fields that the API lacks, each with the value that
        asks for nothing, which may pass.

    @raise openclaw.errors.InvalidRequest: The request has such a field.
    """
    for field, nothing in refused.items():
        value = getattr(sampling, field)
        if value is not None and value != nothing:
            raise unsupported(field, api)


def unsupported(field: str, api: str, value: str = "") -> InvalidRequest:
    """
    The error for a field, or one value of it, that an API has no word for.
    """
    what = f"{field} {value!r}" if value else field
    return InvalidRequest(
        f"The model's provider, of the api {api}, does not support {what}.",
        code="unsupported_parameter",
        param=field,
    )


def outputLimit(request: ModelRequest) -> int | None:
    """
    The most tokens that the request wants in the answer: never more than the model
    can give, where that is known.
    """
    sampling, most = request.sampling, request.maxOutputTokens
    wanted = sampling.max_completion_tokens
    if wanted is None:
        wanted = sampling.max_tokens
    if wanted is None or most is None:
        return wanted
    return min(wanted, most)


def stopSequences(sampling: Sampling) -> list[str]:
    """
    The texts that end an answer, however they were given.
    """
    stop = sampling.stop or ()
    return [stop] if isinstance(stop, str) else list(stop)


def argumentsOf(call: ToolCall) -> dict[str, Any]:
    """
    A call's arguments, for APIs that take no JSON text.  What is no JSON object
    stands under the name C{arguments}, for the model to see what it wrote.
    """
    try:
        arguments = msgspec.json.decode(call.arguments or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        arguments = call.arguments
    return arguments if isinstance(arguments, dict) else {"arguments": arguments}


def callID(id: str) -> str:
    """
    A call's id in letters that every provider takes, be it another one's that made
    it.  The same id always becomes the same.
    """
    if _CALL_ID.fullmatch(id):
        return id
    return f"call_{sha256(id.encode()).hexdigest()[:24]}"


def shortCallID(id: str) -> str:
    """
    Return a call's id in the form of Mistral's: nine letters and digits.  The same id
    always becomes the same.
    """
    if _SHORT_CALL_ID.fullmatch(id):
        return id
    return sha256(id.encode()).hexdigest()[:9]


def resultText(message: ToolMessage) -> str:
    """
    A tool's result, for APIs that have no field for a failure: the model has to be
    told in the text.
    """
    return f"Error: {message.content}" if message.isError else message.content


def dataURI(image: ImagePart) -> str:
    """
    An image as a C{data:} URI.
    """
    return f"data:{image.mediaType};base64,{image.data}"
