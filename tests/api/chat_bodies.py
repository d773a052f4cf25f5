"""
Bodies of chat requests, read as the endpoint reads them.
"""

from openclaw.api.chat_request import (
    USUAL_IMAGES,
    ChatRequest,
    decodeChatBody,
    parseChatRequest,
)
from openclaw.config import Images


def chatRequestOf(body: bytes, images: Images = USUAL_IMAGES) -> ChatRequest:
    """
    Read a body.

    @raise openclaw.errors.InvalidRequest: It is not valid.
    """
    return parseChatRequest(decodeChatBody(body), images)
