"""
Generate the list of modules in docs/architecture.md from the modules' docstrings.

C{python -m docs.modules} writes the section.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "architecture.md"
HEADING = "## Every module\n"
_PACKAGE = PROJECT / "openclaw"
_INTRODUCTION = """
The first sentence of each module's docstring, in the order in which packages may import
each other. `python -m docs.modules` writes this section.
"""
_SENTENCE = re.compile(r"(.+?)(?:[.:]*\Z|\.\s)", re.DOTALL)
_MARKUP = re.compile(r"[CL]\{((?:[^{}]|\{[^{}]*\})*)\}")


def layers() -> list[list[str]]:
    """
    Return the names of packages and modules in C{openclaw/}, the lowest layer first.

    They are read from the contract that import-linter checks.
    """
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))
    (contract,) = project["tool"]["importlinter"]["contracts"]
    return [layer.split(" : ") for layer in reversed(contract["layers"])]


def firstSentence(path: Path) -> str:
    """
    Return the first sentence of a module's docstring, as Markdown on one line.

    @raise ValueError: The module has no docstring.
    """
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    found = _SENTENCE.match(text.split("\n\n")[0])
    if found is None:
        raise ValueError(f"{path} has no docstring")
    return _MARKUP.sub(r"`\1`", " ".join(found[1].split()))


def _table(paths: list[Path], folder: Path) -> Iterator[str]:
    yield "\n| | |\n|---|---|\n"
    for path in paths:
        name = path.relative_to(folder).with_suffix("").as_posix()
        name = name.removesuffix("/__init__") + "/" * name.endswith("/__init__")
        yield f"| `{name}` | {firstSentence(path)} |\n"


def section() -> str:
    """
    Return the section: for each layer, a table of the modules outside of packages, and
    one for each package.
    """
    parts = [HEADING, _INTRODUCTION]
    for layer in layers():
        single = [_PACKAGE / f"{name}.py" for name in sorted(layer)]
        single = [path for path in single if path.exists()]
        if single:
            parts.append("\n### Modules of `openclaw/` itself\n")
            parts += _table(single, _PACKAGE)
        for package in (_PACKAGE / name for name in sorted(layer)):
            first = package / "__init__.py"
            if first.exists():
                parts.append(f"\n### `{package.name}/`\n\n{firstSentence(first)}.\n")
                modules = sorted(set(package.rglob("*.py")) - {first})
                parts += _table(modules, package)
    return "".join(parts)


def updated(page: str) -> str:
    """
    Return the page with the current section in place of its own.

    @param page: The page's text, with that section as its last one.
    """
    return page[: page.index(HEADING)] + section()


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text("utf-8")), "utf-8")
