"""
Fetch the images that a request gives by URL.

Clients choose the URLs, and errors must not reveal networks that only the gateway can
reach: every failed download has the same message.
"""

from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults

from openclaw.api.request_images import RemoteImage, detectMediaType, imageTooLarge
from openclaw.config import Images, WebFetchSettings
from openclaw.errors import InvalidRequest
from openclaw.interfaces import ToolError
from openclaw.messages import ImagePart, Message, UserMessage
from openclaw.net.fetching import (
    MAX_URL_CHARACTERS,
    FetchedDocument,
    FetchOptions,
    fetch,
)
from openclaw.net.threads import checkStop, runInThread

_ACCEPT = "image/png, image/jpeg, image/gif, image/webp"

SMALL_BYTES = 192 * 1024
"""
Bytes that are encoded in less than a millisecond; more are encoded in a thread, in
slices of this size. A multiple of three, so that slices can be joined in base64.
"""


def buildFetchOptions(images: Images, reach: WebFetchSettings) -> FetchOptions:
    """
    Build the limits for fetching images.

    @param images: The configuration of images.

    @param reach: The configuration of C{web_fetch}, whose allowed destinations apply to
        images, too.
    """
    return FetchOptions(
        allowPrivate=reach.allowPrivate,
        ports=reach.ports,
        seconds=images.timeoutSeconds,
        maxBytes=images.maxBytes,
        accept=_ACCEPT,
        what="an image",
        permitsHost=images.allowsHost,
    )


def checkURLs(remote: Sequence[RemoteImage], options: FetchOptions) -> None:
    """
    Check the URLs, before any is fetched.

    @raise InvalidRequest: A URL is not valid or not allowed.
    """
    for image in remote:
        try:
            if len(image.url) > MAX_URL_CHARACTERS:
                raise ToolError(f"It is longer than {MAX_URL_CHARACTERS} characters.")
            options.check(image.url)
        except ToolError as error:
            raise InvalidRequest(
                f"Invalid `{image.field}`: {error}",
                param=image.field,
                code="invalid_image_url",
            ) from None


async def fetchImages(
    reactor: Any, remote: Sequence[RemoteImage], options: FetchOptions
) -> Mapping[str, ImagePart]:
    """
    Fetch images concurrently.

    @return: The images by request field.

    @raise InvalidRequest: An image can't be downloaded.
    """
    fetches = [
        Deferred.fromCoroutine(_fetchImage(reactor, image, options)) for image in remote
    ]
    try:
        fetched = await gatherResults(fetches, consumeErrors=True)
    except FirstError as error:
        first = error.subFailure.value
        assert first is not None
        raise first from None
    finally:
        # The first failure cancels the others.
        for each in fetches:
            each.cancel()
    return {image.field: part for image, part in zip(remote, fetched, strict=True)}


async def _fetchImage(
    reactor: Any, image: RemoteImage, options: FetchOptions
) -> ImagePart:
    field = image.field
    try:
        fetched = await fetch(reactor, image.url, options)
    except ToolError:
        raise _downloadError(field) from None
    if fetched.tooLarge:
        raise imageTooLarge(field, options.maxBytes)
    if not fetched.whole:
        raise _downloadError(field)
    mediaType = detectMediaType(fetched.data, field)
    if len(fetched.data) <= SMALL_BYTES:
        return ImagePart(mediaType, _encodeBase64(fetched))
    encoded = await runInThread(reactor, lambda stop: _encodeBase64(fetched, stop))
    return ImagePart(mediaType, encoded)


def _encodeBase64(fetched: FetchedDocument, stop: Event | None = None) -> str:
    """
    Encode an image in base64, in slices: a single call would hold the GIL, and with it
    the reactor's thread.
    """
    pieces = []
    for start in range(0, len(fetched.data), SMALL_BYTES):
        if stop is not None:
            checkStop(stop)
        piece = fetched.data[start : start + SMALL_BYTES]
        pieces.append(b2a_base64(piece, newline=False))
    return b"".join(pieces).decode("ascii")


def _downloadError(field: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid `{field}`: the image can't be downloaded.",
        param=field,
        code="failed_to_download_image",
    )


def insertImages(
    conversation: Sequence[Message], fetched: Mapping[str, ImagePart]
) -> Sequence[Message]:
    """
    Return a conversation with the fetched images in place.

    @param fetched: The images by request field.
    """
    return tuple(_insertImages(message, fetched) for message in conversation)


def _insertImages(message: Message, fetched: Mapping[str, ImagePart]) -> Message:
    if not isinstance(message, UserMessage) or isinstance(message.content, str):
        return message
    return UserMessage(
        tuple(
            fetched[part.field] if isinstance(part, RemoteImage) else part
            for part in message.content
        )
    )
