"""
Parse YAML and JSON5 into plain data: mappings, lists, strings, numbers.

A syntax error has a line and a column.  It quotes nothing of the text, which may be
part of a secret.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from openclaw.config.findings import formatKey

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML can be built without its C library
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

MAX_VALUES = 200_000
"""
The limit of values in a document, with each alias expanded.
"""

_TOO_DEEP = "is nested too deeply"
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_JSON5_PLACE = re.compile(r":(\d+) Unexpected (.*) at column (\d+)", re.DOTALL)
_JSON5_DUPLICATE = re.compile(r'Duplicate key "(.*)" found in object', re.DOTALL)


class ConfigSyntaxError(Exception):
    """
    The text can't be parsed.  The message has the position and the reason.
    """


class _Loader(_SafeLoader):
    """
    Plain YAML, with two differences: a duplicate key is an error, and dates are text.
    """

    yaml_implicit_resolvers = {
        first: [pair for pair in pairs if not pair[0].endswith(":timestamp")]
        for first, pairs in _SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_document(self, node: yaml.Node) -> Any:
        # Before PyYAML merges "<<", which repeats keys on purpose.
        _rejectDuplicateKeys(node)
        _rejectExpansion(node)
        return super().construct_document(node)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, RecursionError):
            raise
        except Exception:
            # PyYAML lets any exception of its converters through.
            raise _constructorError(
                "found a value that does not fit its tag", node
            ) from None


def _rejectDuplicateKeys(root: yaml.Node) -> None:
    """
    @raise ConstructorError: A mapping has a duplicate key.
    """
    pending: list[yaml.Node] = [root]
    visited: set[int] = set()
    while pending:
        node = pending.pop()
        if id(node) in visited or isinstance(node, yaml.ScalarNode):
            continue
        visited.add(id(node))
        if not isinstance(node, yaml.MappingNode):
            pending.extend(node.value)
            continue
        seen: set[tuple[str, str]] = set()
        for key, value in node.value:
            pending += (key, value)
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    raise _constructorError(_duplicateKey(key.value), key)
                seen.add((key.tag, key.value))


def _rejectExpansion(root: yaml.Node) -> None:
    """
    Count the values of a document with its aliases expanded, as "<<" and every walk
    through the data do: nine lines can stand for a billion values.

    @raise ConstructorError: There are more than L{MAX_VALUES}, or a value contains
        itself.
    """
    sizes: dict[int, int] = {}
    begun: set[int] = set()
    pending: list[tuple[yaml.Node, bool]] = [(root, False)]
    while pending:
        node, isDone = pending.pop()
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
                raise _constructorError("found a value that contains itself", node)
            begun.add(id(node))
            pending.append((node, True))
            pending += [(part, False) for part in parts if id(part) not in sizes]
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
    Parse one YAML document.

    @return: Its data; C{None} for an empty one.

    @raise SyntaxFault: It is not valid YAML, or not one document.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.MarkedYAMLError as error:
        raise ConfigSyntaxError(_formatYAMLError(error)) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line = before.count("\n") + 1
        column = len(before) - before.rfind("\n")
        raise ConfigSyntaxError(
            f"{_position(line, column)}: found a character that YAML does not allow"
        ) from None
    except RecursionError:
        raise ConfigSyntaxError(_TOO_DEEP) from None


def parseJSON5(text: str) -> Any:
    """
    Parse JSON5.

    @return: Its data; C{None} for an empty text.

    @raise SyntaxFault: It is not valid JSON5.
    """
    if not text.strip():
        return None
    try:
        # Most files are plain JSON, for which this is far faster.
        return json.loads(text, object_pairs_hook=_dictOfUnique)
    except (ValueError, RecursionError):
        pass
    # Importing it at the top would slow down each start.
    import json5

    try:
        return json5.loads(text, allow_duplicate_keys=False)
    except RecursionError:
        raise ConfigSyntaxError(_TOO_DEEP) from None
    except ValueError as error:
        raise ConfigSyntaxError(_formatJSON5Error(str(error))) from None


PARSERS: Mapping[str, Callable[[str], Any]] = {
    ".yaml": parseYAML,
    ".yml": parseYAML,
    ".json": parseJSON5,
    ".json5": parseJSON5,
}
"""
The parser for each file suffix.
"""


def _dictOfUnique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ConfigSyntaxError(_duplicateKey(key))
        found[key] = value
    return found


def _position(line: int, column: int) -> str:
    return f"line {line}, column {column}"


def _duplicateKey(key: str) -> str:
    return f"duplicate key {formatKey(key)}"


def _formatYAMLError(error: yaml.MarkedYAMLError) -> str:
    """
    Format PyYAML's message without its excerpt from the file.
    """
    parts = [error.context, error.problem]
    message = ", ".join(_removeQuotes(part) for part in parts if part)
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return message
    begin = error.context_mark
    since = ""
    if begin is not None and begin.line != mark.line:
        since = f" (it begins at {_position(begin.line + 1, begin.column + 1)})"
    return f"{_position(mark.line + 1, mark.column + 1)}: {message}{since}"


def _removeQuotes(text: str) -> str:
    """
    Remove quoted parts of the file.  PyYAML also quotes punctuation that it expected,
    which stays.
    """
    return _QUOTED.sub(
        lambda found: "..." if any(map(str.isalnum, found[0])) else found[0], text
    )


def _formatJSON5Error(text: str) -> str:
    """
    Format json5's message without the character that it quotes.
    """
    if duplicate := _JSON5_DUPLICATE.search(text):
        return _duplicateKey(duplicate[1])
    place = _JSON5_PLACE.search(text)
    if place is None:
        return "not valid JSON5"
    what = "end of the text" if place[2] == "end of input" else "character"
    return f"{_position(int(place[1]), int(place[3]))}: unexpected {what}"
