"""
A string that is not shown in logs and messages.
"""

import hmac
from typing import NoReturn


class Secret:
    """
    A secret string.  Its C{repr} and formatting show only that there is one; L{reveal}
    is the only way to the text, and easy to search for.

    Two secrets are compared in constant time.  A secret is equal only to another
    secret, and can't be a key of a dictionary.
    """

    __slots__ = ("_text",)

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """
        Return the text, for a comparison or for the wire, never for a message.
        """
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_encode(self._text), _encode(other._text))

    def __repr__(self) -> str:
        return "<Secret>"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce__(self) -> NoReturn:
        """
        @raise TypeError: Always: a pickle would hold the text in the clear.
        """
        raise TypeError("a secret can't be pickled or copied")


def _encode(text: str) -> bytes:
    """
    Encode for C{compare_digest}, which takes non-ASCII text only as bytes.  Text from
    the environment can hold surrogates, which plain UTF-8 rejects.
    """
    return text.encode("utf-8", "surrogatepass")
