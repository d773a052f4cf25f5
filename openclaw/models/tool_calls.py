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
The longest arguments of one call, in characters, with its id and name.  An answer of
128,000 tokens is half as long.
"""

MOST_PIECES = 4096
"""
The pieces of arguments that are kept apart; a word as a string of its own takes ten
times its memory.
"""


MOST_CHECKED = 65_536
"""
The longest arguments that are checked for being whole, in characters.
"""


class CallsTooLarge(Exception):
    """
    An answer has too many calls, or one of them is too long.
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
    Puts the pieces of one answer's tool calls together, whatever the provider does
    with ids and indexes.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._byKey: dict[object, _Call] = {}
        self._ids: set[str] = set()

    def begin(self, key: object, name: str, id: str | None = None) -> ToolCallDelta:
        """
        A call begins.

        @param key: What the provider tells its pieces by, such as an index.

        @param id: The provider's own id.  One is made where it has none, or has given
            it to an earlier call: the results of two could not be told apart.

        @raise CallsTooLarge: There are as many as there may be, or this one is named
            by a text that is too long.
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
        """
        Has this call begun?
        """
        return key in self._byKey

    def lacking(self) -> Sequence[object]:
        """
        The keys of calls that have begun, of whose arguments nothing came.
        """
        return [key for key, call in self._byKey.items() if not call.pieces]

    def lacks(self, key: object) -> bool:
        """
        Is this one of them?
        """
        call = self._byKey.get(key)
        return call is not None and not call.pieces

    def isWhole(self, key: object) -> bool:
        """
        Are the arguments of a call a whole JSON text so far?

        @raise KeyError: It has not begun.
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
        Some more of a call's arguments.

        @raise KeyError: It has not begun.
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

        @raise KeyError: It has not begun.
        """
        self._byKey[key].signature = signature

    def lastID(self) -> str:
        """
        The id of the call that began last.

        @raise IndexError: None has.
        """
        return self._calls[-1].id

    def calls(self) -> tuple[ToolCall, ...]:
        """
        All calls.  Arguments that were left out stand for none.
        """
        return tuple(
            ToolCall(call.id, call.name, "".join(call.pieces) or "{}", call.signature)
            for call in self._calls
        )
