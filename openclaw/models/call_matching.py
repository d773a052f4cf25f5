"""
Assignment of the pieces of streamed tool calls to calls.

Servers disagree on what identifies a call: most send its index in each piece and its id
in the first one; Google's sends index 0 for all calls; others leave out the id, the
index, or both, or repeat id and name in each piece.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

MOST_CHECKS = 1024
"""
Limit of checks for complete arguments in one reply.
"""


@dataclass(eq=False, slots=True)
class _Call:
    """
    A call that has begun; it is its own key.
    """

    id: str
    name: str


class CallMatcher:
    """
    Finds the call of each piece: by the id, then by the index; a piece with neither
    belongs to the latest call.
    """

    def __init__(self, isWhole: Callable[[object], bool]) -> None:
        """
        @param isWhole: Returns whether the arguments of a call, by its key, are a
            complete JSON text so far.
        """
        self._isWhole = isWhole
        self._checks = 0
        self._byID: dict[str, _Call] = {}
        self._byIndex: dict[int, _Call] = {}
        self._last: _Call | None = None

    def find(self, id: str, index: int | None, name: str) -> object | None:
        """
        Return the key of the call that a piece belongs to, or C{None} if the piece
        begins a call.

        @param id: The id in the piece; may be empty.
        @param index: The index in the piece, if it has one.
        @param name: The name in the piece; may be empty.
        """
        byIndex = None if index is None else self._byIndex.get(index)
        if id:
            if byIndex is not None and byIndex.id == id:
                return byIndex
            byID = self._byID.get(id)
            if byID is not None:
                # Another index is another call, even with the same id.
                isOther = name and index is not None and byIndex is None
                return None if isOther else byID
            if name:
                return None
        known = self._last if index is None else byIndex
        if known is None or (name and not id and self._isAnother(known, name)):
            return None
        return known

    def begin(self, id: str, index: int | None, name: str) -> object:
        """
        Add a new call, and return its key.
        """
        call = self._last = _Call(id, name)
        if id:
            self._byID[id] = call
        if index is not None:
            self._byIndex[index] = call
        return call

    def _isAnother(self, known: _Call, name: str) -> bool:
        """
        Return whether a piece with a name and without an id begins a call, or repeats
        the name of the one before.
        """
        if name != known.name:
            return True
        self._checks += 1
        return self._checks <= MOST_CHECKS and self._isWhole(known)


def indexOf(value: Any) -> int | None:
    """
    Return an index that may be written as a float or a string.
    """
    if type(value) is int:
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value[:9])
    return None


def idOf(value: Any) -> str:
    """
    Return an id that may be written as a number; an empty text if it is missing.
    """
    if isinstance(value, str):
        return value
    return str(value) if type(value) is int else ""
