"""
Tests for L{openclaw.tools.catalogue}, and the contract of every tool.
"""

import os
import subprocess
import sys
from pathlib import Path

from twisted.internet.defer import succeed
from twisted.logger import Logger, formatEvent
from twisted.plugin import IPlugin
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

import openclaw
from openclaw.interfaces import ITool
from openclaw.tools.catalogue import NAME, Catalogue

OURS = {
    "edit",
    "exec",
    "grep",
    "ls",
    "read",
    "sessions_history",
    "sessions_list",
    "web_fetch",
    "write",
}


@implementer(ITool)
class GreetTool:
    """
    A tool of a plug-in.
    """

    def __init__(self, **changes):
        self.name = "greet"
        self.description = "Greet somebody."
        self.parameters = {"type": "object", "properties": {}}
        self.readOnly = True
        for name, value in changes.items():
            setattr(self, name, value)

    def run(self, arguments, context):
        return succeed("Hello.")


class CatalogueTestCase(SynchronousTestCase):
    """
    A catalogue of given tools.
    """

    def setUp(self):
        self.logged = []
        self.looked = 0

    def catalogue(self, *tools):
        def find():
            self.looked += 1
            return iter(tools)

        log = Logger(observer=lambda event: self.logged.append(formatEvent(event)))
        return Catalogue(log=log, find=find)


class InstalledTests(SynchronousTestCase):
    """
    The built-in tools are plug-ins.
    """

    def setUp(self):
        self.logged = []
        self.found = Catalogue(log=Logger(observer=self.logged.append))

    def test_found(self):
        """
        All of them are found, and nothing is logged.
        """
        self.assertLessEqual(OURS, set(self.found.tools()))
        self.assertEqual(self.logged, [])

    def test_contract(self):
        """
        Each provides L{ITool}, and has a description and a schema that describes each
        argument and accepts no others.
        """
        self.assertTrue(self.found.tools())
        for name, tool in self.found.tools().items():
            verifyObject(ITool, tool)
            self.assertTrue(IPlugin.providedBy(tool))
            self.assertEqual(tool.name, name)
            self.assertRegex(name, NAME)
            first = tool.description.split("\n")[0]
            self.assertTrue(first.endswith("."), name)
            self.assertLess(len(tool.description), 300, name)
            self.assertIs(tool.parameters["additionalProperties"], False)
            for argument in tool.parameters["properties"].values():
                self.assertIn("type", argument)
            self.assertLessEqual(
                set(tool.parameters.get("required", ())),
                set(tool.parameters["properties"]),
            )

    def test_flags(self):
        """
        Tools that change something are not marked read-only.
        """
        changing = {n for n in OURS if not self.found.tools()[n].readOnly}
        self.assertEqual(changing, {"edit", "exec", "write"})

    def test_spec(self):
        """
        A model gets the name, the description and the schema.
        """
        spec, tool = self.found.spec("read"), self.found.tools()["read"]
        self.assertEqual(spec.name, "read")
        self.assertEqual(spec.description, tool.description)
        self.assertEqual(spec.parameters, tool.parameters)

    def test_reader(self):
        """
        A tool's arguments are validated by its own schema, which is compiled once.
        """
        reader = self.found.reader("read")
        self.assertEqual(reader.read('{"path": "a"}'), {"path": "a"})
        self.assertIs(self.found.reader("read"), reader)
        self.assertRaises(KeyError, self.found.reader, "none")


PLUG_IN = """
from twisted.internet.defer import succeed
from zope.interface import implementer
from openclaw.interfaces import ITool

@implementer(ITool)
class Wave:
    name = "wave"
    description = "Wave."
    parameters = {"type": "object"}
    readOnly = True

    def run(self, arguments, context):
        return succeed("")

wave = Wave()
"""

LIST = """
from twisted.logger import Logger
from openclaw.tools.catalogue import Catalogue
print(*Catalogue(log=Logger()).tools())
"""


class PlugInTests(SynchronousTestCase):
    """
    Plug-ins can add tools.
    """

    def test_found(self):
        """
        A module in another distribution's C{openclaw/plugins} is found.
        """
        place = Path(self.mktemp()).absolute()
        (place / "openclaw" / "plugins").mkdir(parents=True)
        (place / "openclaw" / "plugins" / "waving.py").write_text(PLUG_IN)
        here = str(Path(openclaw.__file__).parents[1])
        paths = os.pathsep.join([here, str(place)])
        listed = subprocess.run(
            [sys.executable, "-c", LIST],
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertEqual(set(listed.stdout.split()), OURS | {"wave"}, listed.stderr)


class FindingTests(CatalogueTestCase):
    """
    Tools are searched for at the first use, and checked.
    """

    def test_once(self):
        """
        They are searched for once.
        """
        catalogue = self.catalogue(GreetTool())
        self.assertEqual(self.looked, 0)
        catalogue.reader("greet")
        catalogue.tools()
        self.assertEqual(self.looked, 1)

    def test_duplicate(self):
        """
        Of two tools with one name the first is used, and a warning is logged.
        """
        first = GreetTool()
        catalogue = self.catalogue(first, GreetTool())
        self.assertIs(catalogue.tools()["greet"], first)
        [line] = self.logged
        self.assertIn("GreetTool is left out: there is another greet", line)

    def test_invalid(self):
        """
        An invalid tool is left out with a logged error, and the others are available.
        """
        faulty = [
            (object(), "Does not declaratively implement"),
            (GreetTool(name="no spaces"), "its name"),
            (GreetTool(name=""), "its name"),
            (GreetTool(name=5), "its name"),
            (GreetTool(name="x" * 65), "its name"),
            (GreetTool(description=" "), "no description"),
            (GreetTool(description=None), "no description"),
            (GreetTool(readOnly=1), "readOnly"),
            (GreetTool(parameters="x"), "not a JSON Schema"),
            (GreetTool(parameters={"type": "array"}), "not a JSON Schema"),
            (GreetTool(run=lambda arguments: None), "run"),
        ]
        catalogue = self.catalogue(*(tool for tool, _ in faulty), GreetTool())
        self.assertEqual(list(catalogue.tools()), ["greet"])
        self.assertEqual(len(self.logged), len(faulty))
        for line, (_, why) in zip(self.logged, faulty, strict=True):
            self.assertIn("is left out: ", line)
            self.assertIn(why, line)
