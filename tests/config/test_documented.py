"""
Tests that the documentation of the configuration is complete and correct.
"""

import re
from itertools import pairwise
from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import Config, loadConfig
from openclaw.config.syntax import parseYAML
from tests.config.schema_walk import keys

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "etc/openclaw.yaml"
PAGE = ROOT / "docs/configuration.md"
UNIT = ROOT / "etc/systemd/openclaw.service"
ENVIRON = {
    "HOME": "/home/claw",
    "EXAMPLE_TOKEN": "t",
    "EXAMPLE_PASSWORD": "p",
    "EXAMPLE_API_KEY": "k",
    "EXAMPLE_PROJECT": "x",
}


def unmarked(text):
    """
    Return the shipped file with all examples enabled: those after a C{#} without a
    blank.
    """
    return re.sub(r"^( *)#(?=\S)", r"\1", text, flags=re.MULTILINE)


def holds(data, path):
    """
    Return whether the data has a value at a documented path.
    """
    key, _, rest = path.partition(".")
    several = key.startswith("<")
    if several:
        inner = list(data.values()) if isinstance(data, dict) else []
    else:
        found = data.get(key.removesuffix("[]")) if isinstance(data, dict) else None
        inner = found if key.endswith("[]") and found else [found]
    return any(each is not None and (not rest or holds(each, rest)) for each in inner)


class ShippedFileTests(SynchronousTestCase):
    """
    C{etc/openclaw.yaml} is valid.
    """

    def setUp(self):
        """
        Choose a path for the changed file.
        """
        self.path = Path(self.mktemp() + ".yaml").absolute()

    def test_itChangesNothing(self):
        """
        The values in the shipped file are exactly the defaults.
        """
        loaded = loadConfig(SHIPPED, {})
        self.assertEqual(loaded.config, Config())
        self.assertEqual(loaded.warnings, ())

    def test_everyExampleInItWorks(self):
        """
        With all examples enabled the configuration has no error or warning.
        """
        self.path.write_text(unmarked(SHIPPED.read_text()))
        loaded = loadConfig(self.path, ENVIRON)
        self.assertEqual(loaded.warnings, ())
        self.assertEqual(
            [agent.id for agent in loaded.config.agentSettings()], ["helper", "main"]
        )

    def test_everyKeyIsInIt(self):
        """
        The file has all keys.
        """
        data = parseYAML(unmarked(SHIPPED.read_text()))
        # Both forms of a model are shown once, under the defaults; C{compat} only under
        # its provider.
        elsewhere = re.compile(
            r"(entries\.<id>|list\[\])\.model\.|\.models\[\]\.compat\."
        )
        missing = [
            path
            for path, _ in keys(Config)
            if not holds(data, path) and not elsewhere.search(path)
        ]
        self.assertEqual(missing, [])

    def test_everySettingHasAComment(self):
        """
        Each key has a comment, except for those that only show another form.
        """
        lines = SHIPPED.read_text().splitlines()
        setting = re.compile(r" *#?(?:- )?(\w+):")
        prose = re.compile(r" *# ")
        explained = {
            setting.match(line)[1]
            for before, line in pairwise(lines)
            if setting.match(line) and prose.match(before)
        }
        leaves = {re.split(r"[.\[]", path.rstrip("[]"))[-1] for path, _ in keys(Config)}
        self.assertEqual({key for key in leaves if key[0] != "<"} - explained, set())


class UnitTests(SynchronousTestCase):
    """
    C{etc/systemd/openclaw.service} fits the defaults.
    """

    def test_drain(self):
        """
        systemd waits for longer than the time for draining.
        """
        [seconds] = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT.read_text(), re.M)
        self.assertGreater(int(seconds), Config().gateway.drainSeconds)


class PageTests(SynchronousTestCase):
    """
    C{docs/configuration.md} is complete.
    """

    def setUp(self):
        """
        Read the default of each key from the tables.
        """
        self.text = PAGE.read_text()
        self.defaults = {}
        for line in self.text.splitlines():
            if line.startswith("| `"):
                cells = [cell.strip() for cell in line.strip("|").split("|")]
                names, meaning, _, default = cells
                self.assertTrue(meaning and default, line)
                for name in re.findall("`([^`]+)`", names):
                    self.defaults[name] = default
        self.assertTrue(self.defaults)

    def test_itListsEveryKeyAndNoOther(self):
        """
        The tables have all keys, and no others.
        """
        self.assertEqual(set(self.defaults), {path for path, _ in keys(Config)})

    def test_theDefaultsAreTrue(self):
        """
        The documented defaults are the actual ones.
        """
        wrong = []
        for path, field in keys(Config):
            if field.default is msgspec.NODEFAULT and not path.endswith(">"):
                expected = "required"
            elif isinstance(field.default, bool):
                expected = f"`{str(field.default).lower()}`"
            elif isinstance(field.default, int | float | str):
                expected = f"`{field.default}`"
            else:
                continue
            if self.defaults[path] != expected:
                wrong.append((path, expected))
        self.assertEqual(wrong, [])

    def test_theExamplesWorkAndAgree(self):
        """
        Both examples are valid and equivalent.
        """
        configs = []
        for form in ("yaml", "json5"):
            example = re.search(rf"```{form}\n(.*?)```", self.text, re.DOTALL)
            path = Path(f"{self.mktemp()}.{form}").absolute()
            path.write_text(example[1])
            loaded = loadConfig(path, ENVIRON)
            self.assertEqual(loaded.warnings, ())
            configs.append(loaded.config)
        self.assertEqual(*configs)
        self.assertNotEqual(configs[0], Config())
