"""
A string that must not be seen.
"""

import hmac
from typing import NoReturn


class Secret:
    """
    Holds a secret.  Printing, formatting or logging it shows only that there is
    one; L{reveal} is the one way to the text, easy to search for.

    Two secrets are compared in a time that does not depend on their contents.  A
    secret is equal to nothing but a secret, and can't be a key of a dictionary.
    """

    __slots__ = ("_text",)

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """
        The secret itself: for a comparison or for the wire, never for a message.
        """
        return self._text

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self._text), _bytes(other._text))

    def __repr__(self) -> str:
        return "<Secret>"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce__(self) -> NoReturn:
        """
        @raise TypeError: Always: a pickle would hold the text for all to read.
        """
        raise TypeError("a secret can't be pickled or copied")


def _bytes(text: str) -> bytes:
    """
    C{compare_digest} takes non-ASCII text only as bytes.  Text from the environment
    can hold surrogates, which plain UTF-8 refuses.
    """
    return text.encode("utf-8", "surrogatepass")
