"""
YAML and JSON5 text made into plain data: mappings, lists, strings, numbers.

A syntax error says where it is.  It quotes nothing of the text, which may be part
of a secret.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from openclaw.config.findings import named

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML can be built without its C library
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

MAX_VALUES = 200_000
"""
The most values of a document, with each reference written out.
"""

_TOO_DEEP = "is nested too deeply"
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_JSON5_PLACE = re.compile(r":(\d+) Unexpected (.*) at column (\d+)", re.DOTALL)
_JSON5_DUPLICATE = re.compile(r'Duplicate key "(.*)" found in object', re.DOTALL)


class SyntaxFault(Exception):
    """
    The text can't be read.  The message says where and why.
    """


class _Loader(_SafeLoader):
    """
    Plain YAML, with two differences: a key that comes twice is an error, and what
    looks like a date is text.
    """

    yaml_implicit_resolvers = {
        first: [pair for pair in pairs if not pair[0].endswith(":timestamp")]
        for first, pairs in _SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_document(self, node: yaml.Node) -> Any:
        # Before PyYAML merges what "<<" refers to, which repeats keys by intent.
        _refuseRepeatedKeys(node)
        _refuseMultiplication(node)
        return super().construct_document(node)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, RecursionError):
            raise
        except Exception:
            # PyYAML lets through whatever its converters trip over.
            raise _constructorError(
                "found a value that is not what its form or tag promises", node
            ) from None


def _refuseRepeatedKeys(root: yaml.Node) -> None:
    """
    @raise ConstructorError: A mapping has a key twice.
    """
    waiting: list[yaml.Node] = [root]
    visited: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in visited or isinstance(node, yaml.ScalarNode):
            continue
        visited.add(id(node))
        if not isinstance(node, yaml.MappingNode):
            waiting.extend(node.value)
            continue
        seen: set[tuple[str, str]] = set()
        for key, value in node.value:
            waiting += (key, value)
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise _constructorError(_twice(key.value), key)
                seen.add((key.tag, key.value))


def _refuseMultiplication(root: yaml.Node) -> None:
    """
    Add up what a document has when its references are written out, as "<<" and those
    who walk through it do: nine lines can stand for a billion values.

    @raise ConstructorError: It is too much, or something holds itself.
    """
    sizes: dict[int, int] = {}
    begun: set[int] = set()
    waiting: list[tuple[yaml.Node, bool]] = [(root, False)]
    while waiting:
        node, isDone = waiting.pop()
        if id(node) in sizes:
            continue
        if isinstance(node, yaml.ScalarNode):
            sizes[id(node)] = 1
            continue
        parts = node.value
        if isinstance(node, yaml.MappingNode):
            parts = [part for pair in parts for part in pair]
        if not isDone:
            if id(node) in begun:
                raise _constructorError("found a value that holds itself", node)
            begun.add(id(node))
            waiting.append((node, True))
            waiting += [(part, False) for part in parts if id(part) not in sizes]
            continue
        size = 1 + sum(sizes[id(part)] for part in parts)
        if size > MAX_VALUES:
            raise _constructorError("found too many values", node)
        sizes[id(node)] = size


def _constructorError(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(
        problem=problem, problem_mark=node.start_mark
    )


def parseYAML(text: str) -> Any:
    """
    @return: What the one document holds; C{None} for an empty one.

    @raise SyntaxFault: It is no YAML, or not one document.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        raise SyntaxFault(_marked(error)) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        raise SyntaxFault(
            f"{_at(line, column)}: found a character that YAML does not allow"
        ) from None
    except RecursionError:
        raise SyntaxFault(_TOO_DEEP) from None


def parseJSON5(text: str) -> Any:
    """
    @return: What the text holds; C{None} for an empty one.

    @raise SyntaxFault: It is no JSON5.
    """
    if not text.strip():
        return None
    try:
        # Most files are plain JSON, for which this is far faster.
        return json.loads(text, object_pairs_hook=_uniquePairs)
    except (ValueError, RecursionError):
        pass
    # Imported only now, since it costs start-up time.
    import json5

    try:
        return json5.loads(text, allow_duplicate_keys=False)
    except RecursionError:
        raise SyntaxFault(_TOO_DEEP) from None
    except ValueError as error:
        raise SyntaxFault(_unexpected(str(error))) from None


PARSERS: Mapping[str, Callable[[str], Any]] = {
    ".yaml": parseYAML,
    ".yml": parseYAML,
    ".json": parseJSON5,
    ".json5": parseJSON5,
}
"""
The parser for each ending of a file's name.
"""


def _uniquePairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise SyntaxFault(_twice(key))
        found[key] = value
    return found


def _at(line: int, column: int) -> str:
    return f"line {line}, column {column}"


def _twice(key: str) -> str:
    return f"the key {named(key)} is given a second time"


def _marked(error: yaml.MarkedYAMLError) -> str:
    """
    PyYAML's own message, without the excerpt from the file that it would add.
    """
    parts = [error.context, error.problem]
    said = ", ".join(_scrubbed(part) for part in parts if part)
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return said
    begin = error.context_mark
    since = ""
    if begin is not None and begin.line != mark.line:
        since = f" (it begins at {_at(begin.line + 1, begin.column + 1)})"
    return f"{_at(mark.line + 1, mark.column + 1)}: {said}{since}"


def _scrubbed(text: str) -> str:
    """
    Texts quoted by PyYAML are either punctuation that it expected or part of the file.
    """
    return _QUOTED.sub(
        lambda found: "..." if any(map(str.isalnum, found[0])) else found[0], text
    )


def _unexpected(text: str) -> str:
    """
    json5's message, with the character that it quotes left out.
    """
    if duplicate := _JSON5_DUPLICATE.search(text):
        return _twice(duplicate[1])
    place = _JSON5_PLACE.search(text)
    if place is None:
        return "is no JSON5"
    what = "end of the text" if place[2] == "end of input" else "character"
    return f"{_at(int(place[1]), int(place[3]))}: unexpected {what}"
