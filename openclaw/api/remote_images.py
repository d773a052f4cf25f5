"""
The images that a request gives by their URL.

Callers choose the URLs, and what they are told must not tell them about networks that
only the gateway can reach: whatever goes wrong on the way has the same words.
"""

from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred, FirstError, gatherResults

from openclaw.api.request_images import RemoteImage, mediaTypeOf, tooLarge
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
Bytes that are encoded in less than a millisecond; more of it is work for a thread. It
can be divided by three: so much of an image becomes base64 on its own.
"""


def termsFor(images: Images, reach: WebFetchSettings) -> FetchOptions:
    """
    Build the limits for fetching images.

    @param images: What is configured about images.

    @param reach: What the tool C{web_fetch} may reach, and images too.
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
    Look at the URLs, before anything is fetched.

    @raise InvalidRequest: One of them can't be fetched, as it stands there.
    """
    for image in remote:
        try:
            if len(image.url) > MAX_URL_CHARACTERS:
                raise ToolError(f"It is longer than {MAX_URL_CHARACTERS} characters.")
            options.check(image.url)
        except ToolError as error:
            raise InvalidRequest(
                f"Invalid `{image.where}`: {error}",
                param=image.where,
                code="invalid_image_url",
            ) from None


async def fetchImages(
    reactor: Any, remote: Sequence[RemoteImage], options: FetchOptions
) -> Mapping[str, ImagePart]:
    """
    Fetch images, all at once.

    @return: The images, by the fields that named them.

    @raise InvalidRequest: One of them can't be had.
    """
    fetches = [
        Deferred.fromCoroutine(_fetchOne(reactor, image, options)) for image in remote
    ]
    try:
        fetched = await gatherResults(fetches, consumeErrors=True)
    except FirstError as error:
        first = error.subFailure.value
        assert first is not None
        raise first from None
    finally:
        # The first failure ends the others.
        for each in fetches:
            each.cancel()
    return {image.where: part for image, part in zip(remote, fetched, strict=True)}


async def _fetchOne(
    reactor: Any, image: RemoteImage, options: FetchOptions
) -> ImagePart:
    where = image.where
    try:
        fetched = await fetch(reactor, image.url, options)
    except ToolError:
        raise _notHad(where) from None
    if fetched.tooLarge:
        raise tooLarge(where, options.maxBytes)
    if not fetched.whole:
        raise _notHad(where)
    mediaType = mediaTypeOf(fetched.data, where)
    if len(fetched.data) <= SMALL_BYTES:
        return ImagePart(mediaType, _encoded(fetched))
    encoded = await runInThread(reactor, lambda stop: _encoded(fetched, stop))
    return ImagePart(mediaType, encoded)


def _encoded(fetched: FetchedDocument, stop: Event | None = None) -> str:
    """
    An image in base64.  Encoding it at once would keep all other threads waiting, the
    reactor's too.
    """
    pieces = []
    for start in range(0, len(fetched.data), SMALL_BYTES):
        if stop is not None:
            checkStop(stop)
        piece = fetched.data[start : start + SMALL_BYTES]
        pieces.append(b2a_base64(piece, newline=False))
    return b"".join(pieces).decode("ascii")


def _notHad(where: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid `{where}`: the image can't be downloaded.",
        param=where,
        code="failed_to_download_image",
    )


def withImages(
    conversation: Sequence[Message], fetched: Mapping[str, ImagePart]
) -> Sequence[Message]:
    """
    A conversation with its images in their places.

    @param fetched: Those images, by the fields that named them.
    """
    return tuple(_withImages(said, fetched) for said in conversation)


def _withImages(said: Message, fetched: Mapping[str, ImagePart]) -> Message:
    if not isinstance(said, UserMessage) or isinstance(said.content, str):
        return said
    return UserMessage(
        tuple(
            fetched[part.where] if isinstance(part, RemoteImage) else part
            for part in said.content
        )
    )
