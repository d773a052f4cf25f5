"""
Messages and bodies of chat requests, for tests of the endpoint.
"""

from openclaw.api.chat_request import (
    DEFAULT_IMAGES,
    ChatRequest,
    decodeChatBody,
    parseChatRequest,
)
from openclaw.config import Images


def chatRequestOf(body: bytes, images: Images = DEFAULT_IMAGES) -> ChatRequest:
    """
    Parse a body.

    @raise openclaw.errors.InvalidRequest: It is invalid.
    """
    return parseChatRequest(decodeChatBody(body), images)


def user(text: str) -> dict[str, str]:
    """
    Return a user's message.
    """
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    """
    Return an assistant's message.
    """
    return {"role": "assistant", "content": text}
