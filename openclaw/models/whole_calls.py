"""
Decoding of tool calls that arrive complete, with arguments as JSON objects.
"""

import msgspec

from openclaw.messages import ToolCall
from openclaw.models.reply_decoding import Framing, StreamedReply
from openclaw.models.upstream_call import Refusal


class WholeCallsReply(StreamedReply):
    """
    A reply in a dialect that sends each tool call complete, with or without an ID.
    """

    def __init__(
        self, provider: str, refusal: Refusal, lines: Framing | None = None
    ) -> None:
        super().__init__(provider, refusal, lines)
        self._seen: dict[str, ToolCall] = {}

    def addCall(
        self,
        name: str,
        id: str | None,
        arguments: msgspec.Raw,
        signature: str | None = None,
    ) -> str:
        """
        Add a tool call.  A repeated call with the same ID is skipped.

        @param id: The provider's ID of the call, if it has one.
        @param signature: The provider's signature of the call, if it has one.
        @return: The ID that is used for the call.
        """
        written = _decodeArguments(arguments)
        if id:
            call = ToolCall(id, name, written)
            before = self._seen.setdefault(id, call)
            if before is not call:
                if before == call:
                    return id
                # Two calls with one ID could not be told apart by their results.
                id = None
        key = object()
        self.beginCall(key, name, id)
        self.continueCall(key, written)
        if signature:
            self.signCall(key, signature)
        return self._calls.lastID()


def _decodeArguments(arguments: msgspec.Raw) -> str:
    """
    Return the arguments' JSON as the model wrote it.  Some servers omit empty
    arguments, and some wrap the object in a string.

    @raise msgspec.DecodeError: They are not JSON.
    """
    written = bytes(arguments).strip()
    if written in (b"", b"null"):
        return "{}"
    if written[:1] == b'"':
        return msgspec.json.decode(written, type=str) or "{}"
    return written.decode("utf-8")
