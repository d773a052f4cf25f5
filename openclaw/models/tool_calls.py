"""
Tool calls as models write them: pieces in, whole calls out, without I/O.
"""

from secrets import token_hex

from openclaw.events import ToolCallDelta
from openclaw.messages import ToolCall


class ToolCallAssembler:
    """
    Puts the pieces of one answer's tool calls together, whatever the provider does
    with ids and indexes.
    """

    def __init__(self) -> None:
        self._ids: list[str] = []
        self._names: list[str] = []
        self._arguments: list[list[str]] = []
        self._positions: dict[object, int] = {}
        self._signatures: dict[int, str] = {}

    def begin(self, key: object, name: str, id: str | None = None) -> ToolCallDelta:
        """
        A call begins.

        @param key: What the provider tells its pieces by, such as an index.

        @param id: The provider's own id.  One is made where it has none, or has given
            it to an earlier call: the results of two could not be told apart.
        """
        position = self._positions[key] = len(self._ids)
        if not id or id in self._ids:
            id = f"call_{token_hex(12)}"
        self._ids.append(id)
        self._names.append(name)
        self._arguments.append([])
        return ToolCallDelta(position, self._ids[position], name, "")

    def knows(self, key: object) -> bool:
        """
        Has this call begun?
        """
        return key in self._positions

    def more(self, key: object, arguments: str) -> ToolCallDelta:
        """
        Some more of a call's arguments.

        @raise KeyError: It has not begun.
        """
        position = self._positions[key]
        self._arguments[position].append(arguments)
        return ToolCallDelta(position, None, None, arguments)

    def sign(self, key: object, signature: str) -> None:
        """
        What the provider wants back with a call.

        @raise KeyError: It has not begun.
        """
        self._signatures[self._positions[key]] = signature

    def calls(self) -> tuple[ToolCall, ...]:
        """
        All calls.  Arguments that were left out stand for none.
        """
        return tuple(
            ToolCall(
                id, name, "".join(pieces) or "{}", self._signatures.get(position, "")
            )
            for position, (id, name, pieces) in enumerate(
                zip(self._ids, self._names, self._arguments, strict=True)
            )
        )


__all__ = ["ToolCallAssembler"]
