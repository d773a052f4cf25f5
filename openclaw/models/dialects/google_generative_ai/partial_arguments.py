"""
Tool calls whose arguments arrive in pieces, each with its path.

Follows the section on streamed function call arguments of
U{https://docs.cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling},
which a proxy may request.
"""

import re
from typing import Any

import msgspec

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,6})\]|\['([^']*)'\]|\[\"([^\"]*)\"\]")
_MOST_STEPS = 32


class PartialArgument(msgspec.Struct, rename="camel"):
    """
    A piece of a call's arguments: a value, or the next part of a string.
    """

    json_path: str = ""
    string_value: str | None = None
    number_value: float | int | None = None
    bool_value: bool | None = None


class PartialCall(msgspec.Struct):
    """
    A tool call that has begun.
    """

    name: str
    id: str | None
    signature: str | None
    pieces: dict[str, list[str] | float | int | bool | None] = {}

    def add(self, piece: PartialArgument) -> None:
        path, text = piece.json_path, piece.string_value
        if text is None:
            self.pieces[path] = (
                piece.bool_value if piece.number_value is None else piece.number_value
            )
            return
        texts = self.pieces.get(path)
        if isinstance(texts, list):
            texts.append(text)
        else:
            self.pieces[path] = [text]

    def arguments(self) -> dict[str, Any]:
        """
        Return the arguments.

        @raise msgspec.DecodeError: The path of a piece is invalid.
        """
        root: list[Any] = [{}]
        for path, value in self.pieces.items():
            target: Any = root
            step: str | int = 0
            for following in _steps(path):
                target = _child(target, step, [] if type(following) is int else {})
                step = following
            _put(target, step, "".join(value) if isinstance(value, list) else value)
        arguments = root[0]
        if not isinstance(arguments, dict):
            raise msgspec.DecodeError("arguments that are not an object")
        return arguments


def _steps(path: str) -> list[str | int]:
    """
    Parse a path such as C{$.items[0].name}.
    """
    place = 1
    steps: list[str | int] = []
    while place < len(path) and len(steps) < _MOST_STEPS:
        step = _STEP.match(path, place)
        if step is None:
            break
        name, index, *quoted = step.groups()
        steps.append(int(index) if index else name or "".join(filter(None, quoted)))
        place = step.end()
    if path[:1] != "$" or place < len(path) or not steps:
        raise msgspec.DecodeError(f"a path that is none: {path[:100]}")
    return steps


def _child(target: Any, step: str | int, fresh: Any) -> Any:
    """
    Return a member that is an object or an array, and create it if it is missing.
    """
    known = step in target if isinstance(target, dict) else _isWithin(target, step)
    if not known:
        _put(target, step, fresh)
    child = target[step]
    if type(child) is not type(fresh):
        raise msgspec.DecodeError("pieces that contradict each other")
    return child


def _isWithin(target: Any, step: str | int) -> bool:
    return isinstance(target, list) and type(step) is int and step < len(target)


def _put(target: Any, step: str | int, value: Any) -> None:
    if (isinstance(target, dict) and isinstance(step, str)) or _isWithin(target, step):
        target[step] = value
    elif isinstance(target, list) and step == len(target):
        target.append(value)
    else:
        raise msgspec.DecodeError("pieces that are out of order")
