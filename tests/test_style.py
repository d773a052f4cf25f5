"""
Tests of the style of the code, by counting.  Each limit is the count on the day when it
was set: it may be lowered, and never raised.
"""

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.interface import InterfaceClass

from docs.modules import PAGE, layers, updated

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = PROJECT / "openclaw"
# The other folders with Python code.
BESIDE = ("benchmarks", "docs", "tests", "twistd-plugin")
QUESTION_WORDS = frozenset(
    ["What", "Who", "Whom", "Whose", "How", "Where", "Whether", "Which"]
)
LONGEST = 450
# These have the interfaces and errors of all packages.
VOCABULARY = frozenset(["errors.py", "interfaces.py"])
# The only module that may use private names of Twisted.
TWISTED_PRIVATE = "openclaw/net/twisted_internals.py"
# Public names that look private: a method of named tuples, and a type of zlib.
PUBLIC = frozenset(["_replace", "_Decompress"])
# Names of modules that Python or a convention prescribes.
CONVENTIONAL = frozenset(["__init__", "__main__"])

DIALECTS = "openclaw/models/dialects/"

MOST_QUESTIONS = 0
MOST_LONG_FILES = 0
MOST_HOMONYMS = 0


@cache
def modules(folder: Path) -> list[tuple[str, ast.Module]]:
    """
    Parse each module of a folder.

    @return: Its path in the project, and its syntax tree.
    """
    return [
        (path.relative_to(PROJECT).as_posix(), ast.parse(path.read_text()))
        for path in sorted(folder.rglob("*.py"))
    ]


def docstrings(tree: ast.Module) -> Iterator[str]:
    """
    Find the docstrings of a module, its classes, functions, and attributes.
    """
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        for statement in body:
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield text


def questions(tree: ast.Module) -> list[str]:
    """
    Find the docstrings that begin with a question word.
    """
    return [
        text.strip().splitlines()[0]
        for text in docstrings(tree)
        if text.split(maxsplit=1)[:1] and text.split()[0] in QUESTION_WORDS
    ]


def isPrivate(name: str) -> bool:
    """
    Return whether a name is private: C{_so}, and not C{__so__} or C{_}.
    """
    return name.startswith("_") and not name.endswith("__") and name != "_"


def importedPrivately(tree: ast.Module) -> Iterator[str]:
    """
    Find the private names of Twisted that a module imports: C{twisted.web._http2}.
    """
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{each.name}" for each in node.names]
        elif isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        for name in names:
            package, *parts = name.split(".")
            if package == "twisted" and any(map(isPrivate, parts)):
                yield name


def definedPrivately(tree: ast.Module) -> Iterator[str]:
    """
    Find the private names that a module defines: of functions and classes, variables,
    attributes, fields and slots.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(
            node.ctx, ast.Store
        ):
            yield node.id if isinstance(node, ast.Name) else node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def usedPrivately(tree: ast.Module) -> Iterator[str]:
    """
    Find the private attributes that a module reads.
    """
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name, ctx=ast.Load()) if isPrivate(name):
                yield name


@cache
def privateIn(kind: type) -> frozenset[str]:
    """
    Find the private names of a class: its own, and those of its objects.
    """
    try:
        source = inspect.getsource(kind)
    except OSError:  # It was made by a function.
        return frozenset(filter(isPrivate, vars(kind)))
    tree = ast.parse(textwrap.dedent(source))
    return frozenset(filter(isPrivate, definedPrivately(tree)))


def basesPrivately(module: str, node: ast.AST) -> set[str]:
    """
    Find the private names of the classes of Twisted that a class extends.

    @param node: A statement of the module, which may be the class.
    """
    if not isinstance(node, ast.ClassDef):
        return set()
    dotted = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    kind = getattr(import_module(dotted), node.name)
    bases = getattr(kind, "__mro__", ())  # An Interface has none.
    return {
        name
        for base in bases
        if base.__module__.split(".")[0] == "twisted"
        for name in privateIn(base)
    }


REFERENCE = re.compile(r"[LC]\{(openclaw(?:\.\s*\w+)+)\}")


def isThere(name: str) -> bool:
    """
    Return whether a dotted name is that of a module, or of something in one.
    """
    first, *rest = name.split(".")
    found: object = import_module(first)
    path = first
    for part in rest:
        path = f"{path}.{part}"
        if isinstance(found, InterfaceClass):
            return part in found
        if not hasattr(found, part):
            try:
                import_module(path)
            except ImportError:
                return False
        found = getattr(found, part)
    return True


class StyleTests(SynchronousTestCase):
    """
    Counts of C{openclaw/}.
    """

    def setUp(self) -> None:
        """
        Parse the package.
        """
        self.modules = modules(PACKAGE)
        self.assertGreater(len(self.modules), 100)

    def test_docstringsAreNoQuestions(self) -> None:
        """
        A docstring begins with a verb or a noun.
        """
        beside = [each for name in BESIDE for each in modules(PROJECT / name)]
        self.assertGreater(len(beside), 300)
        found = [
            f"{name}: {text}"
            for name, tree in [*self.modules, *beside]
            for text in questions(tree)
        ]
        self.assertLessEqual(len(found), MOST_QUESTIONS, found[:5])

    def test_filesAreShort(self) -> None:
        """
        No file but the vocabulary is longer than 450 lines.
        """
        found = [
            name
            for name, _ in self.modules
            if Path(name).name not in VOCABULARY
            and len((PROJECT / name).read_text().splitlines()) > LONGEST
        ]
        self.assertLessEqual(len(found), MOST_LONG_FILES, found)

    def test_noHomonyms(self) -> None:
        """
        No two modules have the same base name, except those of dialects, which mean the
        same in each of them.
        """
        stems = {
            name if DIALECTS not in name else DIALECTS + Path(name).name
            for name, _ in self.modules
        }
        stems = [Path(name).stem for name in stems]
        counts = Counter(stem for stem in stems if stem not in CONVENTIONAL)
        found = {stem: count for stem, count in counts.items() if count > 1}
        self.assertLessEqual(len(found), MOST_HOMONYMS, found)

    def test_architectureListsModules(self) -> None:
        """
        The list of modules in docs/architecture.md is current, and has all of them.
        C{python -m docs.modules} updates it.
        """
        page = PAGE.read_text("utf-8")
        self.assertEqual(page, updated(page), "Run: python -m docs.modules")
        listed = {name for layer in layers() for name in layer}
        top = {name.split("/")[1].removesuffix(".py") for name, _ in self.modules}
        self.assertEqual(listed, top - {"__init__"})

    def test_privateNamesOfTwisted(self) -> None:
        """
        Private names of Twisted, which may change with any release, are used in one
        module only.
        """
        # Private attributes that nothing here defines belong to a base class or an
        # object of Twisted.
        ours = {name for _, tree in self.modules for name in definedPrivately(tree)}
        found = [
            f"{module}: {name}"
            for module, tree in self.modules
            if module != TWISTED_PRIVATE
            for name in [
                *importedPrivately(tree),
                *sorted(set(usedPrivately(tree)) - ours - PUBLIC),
            ]
        ]
        self.assertEqual(found, [])

    def test_privateNamesOfBases(self) -> None:
        """
        No class uses or replaces a private name of a class of Twisted that it extends,
        even by accident, except in that module.
        """
        extending: set[str] = set()
        found: list[str] = []
        for module, tree in self.modules:
            for node in tree.body:
                theirs = basesPrivately(module, node)
                if theirs:
                    extending.add(module)
                    used = {*definedPrivately(node), *usedPrivately(node)} & theirs
                    found += [f"{module}: {name}" for name in sorted(used)]
        self.assertGreater(len(extending), 5)
        self.assertEqual([each for each in found if TWISTED_PRIVATE not in each], [])
        self.assertNotEqual(found, [])

    def test_docstringsSaySomething(self) -> None:
        """
        No docstring is a placeholder.
        """
        found = [
            name
            for name, tree in self.modules
            for text in docstrings(tree)
            if re.match(r"\s*(TODO|FIXME|XXX)\b", text)
        ]
        self.assertEqual(found, [])

    def test_references(self) -> None:
        """
        All dotted names in docstrings exist.
        """
        found = {
            f"{module}: {name}"
            for module, tree in [*self.modules, *modules(PROJECT / "tests")]
            for text in docstrings(tree)
            for name in (re.sub(r"\s", "", each) for each in REFERENCE.findall(text))
            if not isThere(name)
        }
        self.assertEqual(found, set())

    def test_warnings(self) -> None:
        """
        Importing a module causes no warning about its code.
        """
        names = [name[: -len(".py")].replace("/", ".") for name, _ in self.modules]
        code = (
            "import importlib, sys; [importlib.import_module(n) for n in sys.argv[1:]]"
        )
        done = subprocess.run(
            [
                sys.executable,
                "-B",
                *("-W", "error::FutureWarning", "-W", "error::SyntaxWarning"),
                *("-c", code),
                *(each.removesuffix(".__init__") for each in names),
            ],
            cwd=PROJECT,
            capture_output=True,
            text=True,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
