"""
JSON objects that are passed on unparsed, such as the schemas of a client's tools.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from openclaw.errors import InvalidRequest

_decode = msgspec.json.Decoder(dict[str, Any]).decode


class RawObject(Mapping[str, Any]):
    """
    A JSON object that is decoded on access.  Decoded JSON takes up to thirty times its
    size.

    @ivar where: The path of the request's field that contains it.
    """

    __slots__ = ("_raw", "where")

    def __init__(self, raw: bytes, where: str) -> None:
        self._raw = raw
        self.where = where

    def wire(self) -> msgspec.Raw:
        return msgspec.Raw(self._raw)

    def _decoded(self) -> dict[str, Any]:
        try:
            return _decode(self._raw)
        except msgspec.DecodeError as error:
            # Skipping checks less than decoding: 1e999 has no value.
            raise InvalidRequest(
                f"Invalid `{self.where}`: {error}.", param=self.where
            ) from None

    def __getitem__(self, name: str) -> Any:
        return self._decoded()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._decoded())

    def __len__(self) -> int:
        return len(self._decoded())

    # Mapping's own versions of these would decode the object once per member.

    def keys(self) -> Any:
        return self._decoded().keys()

    def items(self) -> Any:
        return self._decoded().items()

    def values(self) -> Any:
        return self._decoded().values()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Mapping):
            return NotImplemented
        return self._decoded() == dict(other)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return self._raw.decode()

    def __repr__(self) -> str:
        return f"<RawObject {self.where}>"


def wireForm(value: Any) -> Any:
    return value.wire() if isinstance(value, RawObject) else value
