"""
Tool calls that come whole, their arguments as JSON objects, without I/O.
"""

import msgspec

from openclaw.messages import ToolCall
from openclaw.models.reply_decoding import Framing, StreamedReply
from openclaw.models.upstream_call import Refusal


class WholeCallsReply(StreamedReply):
    """
    An answer in a dialect whose tool calls come each in one piece, with or without
    an id.
    """

    def __init__(
        self, provider: str, refusal: Refusal, lines: Framing | None = None
    ) -> None:
        super().__init__(provider, refusal, lines)
        self._seen: dict[str, ToolCall] = {}

    def call(
        self,
        name: str,
        id: str | None,
        arguments: msgspec.Raw,
        signature: str | None = None,
    ) -> str:
        """
        The model calls a tool.  A call that is sent again, with its id, is passed
        over.

        @param id: The provider's id for it, if it has one.

        @param signature: What the provider wants back with it, if it wants anything.

        @return: The id that the call goes by.
        """
        written = _asText(arguments)
        if id:
            call = ToolCall(id, name, written)
            before = self._seen.setdefault(id, call)
            if before is not call:
                if before == call:
                    return id
                # By one id the results of two calls can't be told apart.
                id = None
        key = object()
        self.beginCall(key, name, id)
        self.continueCall(key, written)
        if signature:
            self.signCall(key, signature)
        return self._calls.lastID()


def _asText(arguments: msgspec.Raw) -> str:
    """
    Arguments as the model wrote them.  Some servers leave out empty ones, and some
    wrap the object into a string.

    @raise msgspec.DecodeError: They are no JSON.
    """
    written = bytes(arguments).strip()
    if written in (b"", b"null"):
        return "{}"
    if written[:1] == b'"':
        return msgspec.json.decode(written, type=str) or "{}"
    return written.decode("utf-8")
