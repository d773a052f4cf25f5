"""
Assemble tool calls from the pieces in which models send them, without I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_hex

import msgspec

from openclaw.events import ToolCallDelta
from openclaw.messages import MOST_CALLS, ToolCall

MOST_ARGUMENTS = 2 * 1024 * 1024
"""
Limit of the arguments of one call, in characters, including its id and name.  A reply
of 128,000 tokens is half as long.
"""

MOST_PIECES = 4096
"""
Limit of the separate pieces of arguments; short strings take ten times their memory.
"""


MOST_CHECKED = 65_536
"""
Limit of the arguments that are checked for completeness, in characters.
"""


class CallsTooLarge(Exception):
    """
    A reply has too many calls, or a call is too long.
    """


@dataclass(slots=True)
class _Call:
    position: int
    id: str
    name: str
    size: int
    pieces: list[str] = field(default_factory=list)
    signature: str = ""


class ToolCallAssembler:
    """
    Assembles the pieces of a reply's tool calls, for all ways in which providers use
    ids and indexes.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._byKey: dict[object, _Call] = {}
        self._ids: set[str] = set()

    def begin(self, key: object, name: str, id: str | None = None) -> ToolCallDelta:
        """
        Begin a call.

        @param key: The key by which the provider identifies its pieces, such as an
            index.
        @param id: The provider's id.  If it is missing, or an earlier call has it, an
            id is generated, so that results can be distinguished.
        @raise CallsTooLarge: There are too many calls, or this one's name is too long.
        """
        size = len(name) + len(id or "")
        if len(self._calls) >= MOST_CALLS or size > MOST_ARGUMENTS:
            raise CallsTooLarge
        if not id or id in self._ids:
            id = f"call_{token_hex(12)}"
        self._ids.add(id)
        call = self._byKey[key] = _Call(len(self._calls), id, name, size)
        self._calls.append(call)
        return ToolCallDelta(call.position, id, name, "")

    def knows(self, key: object) -> bool:
        return key in self._byKey

    def lacking(self) -> Sequence[object]:
        """
        Return the keys of the calls without arguments.
        """
        return [key for key, call in self._byKey.items() if not call.pieces]

    def lacks(self, key: object) -> bool:
        call = self._byKey.get(key)
        return call is not None and not call.pieces

    def isWhole(self, key: object) -> bool:
        """
        Return whether the arguments of a call are a complete JSON text so far.

        @raise KeyError: The call has not begun.
        """
        text = "".join(self._byKey[key].pieces)
        if not text.endswith("}") or len(text) > MOST_CHECKED:
            return False
        try:
            msgspec.json.decode(text)
        except msgspec.DecodeError:
            return False
        return True

    def more(self, key: object, arguments: str) -> ToolCallDelta:
        """
        Append a piece of a call's arguments.

        @raise KeyError: The call has not begun.
        @raise CallsTooLarge: They are too long.
        """
        call = self._byKey[key]
        call.size += len(arguments)
        if call.size > MOST_ARGUMENTS:
            raise CallsTooLarge
        call.pieces.append(arguments)
        if len(call.pieces) > MOST_PIECES:
            call.pieces = ["".join(call.pieces)]
        return ToolCallDelta(call.position, None, None, arguments)

    def sign(self, key: object, signature: str) -> None:
        """
        Return the signature of a call.

        @raise KeyError: The call has not begun.
        """
        self._byKey[key].signature = signature

    def lastID(self) -> str:
        """
        Return the id of the latest call.

        @raise IndexError: There is none.
        """
        return self._calls[-1].id

    def calls(self) -> tuple[ToolCall, ...]:
        """
        Return all calls.  Missing arguments are an empty object.
        """
        return tuple(
            ToolCall(call.id, call.name, "".join(call.pieces) or "{}", call.signature)
            for call in self._calls
        )
