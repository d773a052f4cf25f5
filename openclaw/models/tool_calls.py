"""
Tool calls as models write them: pieces in, whole calls out, without I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from secrets import token_hex

from openclaw.events import ToolCallDelta
from openclaw.messages import ToolCall


@dataclass(slots=True)
class _Call:
    position: int
    id: str
    name: str
    pieces: list[str] = field(default_factory=list)
    signature: str = ""


class ToolCallAssembler:
    """
    Puts the pieces of one answer's tool calls together, whatever the provider does
    with ids and indexes.
    """

    __slots__ = ("_byKey", "_calls")

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._byKey: dict[object, _Call] = {}

    def begin(self, key: object, name: str, id: str | None = None) -> ToolCallDelta:
        """
        A call begins.

        @param key: What the provider tells its pieces by, such as an index.

        @param id: The provider's own id.  One is made where it has none, or has given
            it to an earlier call: the results of two could not be told apart.
        """
        if not id or any(id == call.id for call in self._calls):
            id = f"call_{token_hex(12)}"
        call = self._byKey[key] = _Call(len(self._calls), id, name)
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

    def more(self, key: object, arguments: str) -> ToolCallDelta:
        """
        Some more of a call's arguments.

        @raise KeyError: It has not begun.
        """
        call = self._byKey[key]
        call.pieces.append(arguments)
        return ToolCallDelta(call.position, None, None, arguments)

    def sign(self, key: object, signature: str) -> None:
        """
        What the provider wants back with a call.

        @raise KeyError: It has not begun.
        """
        self._byKey[key].signature = signature

    def calls(self) -> tuple[ToolCall, ...]:
        """
        All calls.  Arguments that were left out stand for none.
        """
        return tuple(
            ToolCall(call.id, call.name, "".join(call.pieces) or "{}", call.signature)
            for call in self._calls
        )


__all__ = ["ToolCallAssembler"]
