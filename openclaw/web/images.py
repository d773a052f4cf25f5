"""
The images of a request: data URIs, looked into and bounded.
"""

import re
from binascii import a2b_base64
from dataclasses import dataclass

from openclaw.errors import InvalidRequest
from openclaw.messages import ImagePart

MAX_IMAGES = 8
MAX_IMAGE_BYTES = 10 * 1024 * 1024
_DATA_URI = re.compile(r"data:(?P<meta>[^,]*),(?P<data>.*)", re.S | re.I)
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


@dataclass
class ImageBudget:
    """
    Counts the images of one request.
    """

    count: int = 0

    def take(self, where: str) -> None:
        """
        One more.

        @raise InvalidRequest: That is too many.
        """
        self.count += 1
        if self.count > MAX_IMAGES:
            raise InvalidRequest(
                f"Too many images: at most {MAX_IMAGES} are allowed.", param=where
            )


def readDataURI(url: str, where: str) -> ImagePart:
    """
    Read a C{data:} URI.

    @param where: The field that holds it.

    @raise InvalidRequest: It is no image that models can read, or too large.
    """
    found = _DATA_URI.fullmatch(url.strip())
    if found is None or not found["meta"].lower().rstrip().endswith(";base64"):
        raise InvalidRequest(
            f"Invalid `{where}`: expected a base64 data URI.", param=where
        )
    encoded = "".join(found["data"].split())
    # Three bytes are four characters.
    if len(encoded) > MAX_IMAGE_BYTES * 2:
        raise _tooLarge(where)
    try:
        data = a2b_base64(encoded, strict_mode=True)
    except ValueError:
        # Also for what is not ASCII.
        raise InvalidRequest(
            f"Invalid `{where}`: the data is not base64.", param=where
        ) from None
    if len(data) > MAX_IMAGE_BYTES:
        raise _tooLarge(where)
    mediaType = sniff(data)
    if mediaType is None:
        raise InvalidRequest(
            f"Invalid `{where}`: the data is no PNG, JPEG, GIF or WebP image.",
            param=where,
        )
    return ImagePart(mediaType, encoded)


def sniff(data: bytes) -> str | None:
    """
    The media type of an image, by its first bytes.
    """
    for signature, mediaType in _SIGNATURES:
        if data.startswith(signature):
            return mediaType
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return None


def _tooLarge(where: str) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid `{where}`: the image is larger than {MAX_IMAGE_BYTES} bytes.",
        param=where,
    )


__all__ = ["MAX_IMAGES", "MAX_IMAGE_BYTES", "ImageBudget", "readDataURI", "sniff"]
