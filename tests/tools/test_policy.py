"""
Tests for L{openclaw.tools.policy}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import (
    AgentDefaults,
    AgentEntry,
    Agents,
    Config,
    Gateway,
    ListedAgent,
    ReachableTools,
    ToolPolicy,
)
from openclaw.tools.catalogue import Catalogue
from openclaw.tools.policy import (
    CODING,
    READONLY,
    allowedTools,
    checkImplicitDefault,
    checkToolNames,
)

TOOLS = ["read", "ls", "write", "exec", "web_fetch", "plug_in"]
NAMES = st.lists(st.sampled_from([*TOOLS, "gone"]))
PROFILES = st.sampled_from(["none", "readonly", "coding", "full"])


class ProfileTests(SynchronousTestCase):
    """
    A profile grants tools.
    """

    def test_profiles(self):
        """
        Each grants more than the one before.
        """
        for profile, expected in [
            ("none", ()),
            ("readonly", ("read", "ls")),
            ("coding", ("read", "ls", "write", "exec", "web_fetch")),
            ("full", tuple(TOOLS)),
        ]:
            self.assertEqual(allowedTools(TOOLS, profile), expected)

    def test_readonlyIsReadOnly(self):
        """
        No tool of C{readonly} changes anything or reaches the network.
        """
        tools = Catalogue(log=Logger()).tools()
        for name in READONLY:
            self.assertTrue(tools[name].readOnly, name)
        self.assertNotIn("web_fetch", READONLY)

    def test_exist(self):
        """
        The tools of the profiles exist.
        """
        self.assertLessEqual(READONLY | CODING, set(Catalogue(log=Logger()).tools()))


class ListTests(SynchronousTestCase):
    """
    Lists modify a profile.
    """

    def test_allow(self):
        """
        Further tools can be allowed, including plug-ins.
        """
        self.assertEqual(allowedTools(TOOLS, "none", ["plug_in"]), ("plug_in",))
        self.assertEqual(
            allowedTools(TOOLS, "readonly", ["write"]), ("read", "ls", "write")
        )

    def test_deny(self):
        """
        A denied tool is taken out of every profile, also if it is allowed.
        """
        self.assertEqual(allowedTools(["exec"], "full", ["exec"], ["exec"]), ())
        self.assertEqual(allowedTools(TOOLS, "readonly", [], ["ls"]), ("read",))

    @given(PROFILES, NAMES, NAMES)
    def test_rules(self, profile, allow, deny):
        """
        Denied and unknown tools are never granted; tools that are allowed and not
        denied always are.
        """
        found = set(allowedTools(TOOLS, profile, allow, deny))
        self.assertFalse(found & set(deny))
        self.assertLessEqual(found, set(TOOLS))
        self.assertLessEqual((set(allow) & set(TOOLS)) - set(deny), found)


class NameTests(SynchronousTestCase):
    """
    An unknown name of a tool in the configuration is an error.
    """

    def setUp(self):
        self.looked = 0

    def faults(self, **members):
        """
        Return the errors of a configuration.
        """

        def find():
            self.looked += 1
            return TOOLS

        return checkToolNames(Config(**members), find)

    def test_everyList(self):
        """
        Each is reported with its key, in any list.
        """
        gateway = Gateway(tools=ReachableTools(allow=("a",), deny=("ls", "b")))
        agents = Agents(
            defaults=AgentDefaults(tools=ToolPolicy(allow=("c",), deny=("d",))),
            list=(
                ListedAgent(id="one"),
                ListedAgent(id="two", tools=ToolPolicy(deny=("e",))),
            ),
            entries={"poet": AgentEntry(tools=ToolPolicy(allow=("read", "f")))},
        )
        faults = self.faults(gateway=gateway, agents=agents)
        there = "exec, ls, plug_in, read, web_fetch, write"
        self.assertEqual(
            faults,
            [
                f'{key}: there is no tool "{name}"; there are: {there}'
                for key, name in [
                    ("gateway.tools.allow[0]", "a"),
                    ("gateway.tools.deny[1]", "b"),
                    ("agents.defaults.tools.allow[0]", "c"),
                    ("agents.defaults.tools.deny[0]", "d"),
                    ("agents.list[1].tools.deny[0]", "e"),
                    ("agents.entries.poet.tools.allow[1]", "f"),
                ]
            ],
        )
        self.assertEqual(self.looked, 1)

    def test_plugIn(self):
        """
        Names of plug-ins are accepted.
        """
        tools = ReachableTools(allow=("plug_in",))
        self.assertEqual(self.faults(gateway=Gateway(tools=tools)), [])

    def test_ours(self):
        """
        When only built-in tools are named, or none, plug-ins are not searched for: that
        would cost time at each start.
        """
        tools = ReachableTools(allow=tuple(sorted(CODING)))
        self.assertEqual(self.faults(gateway=Gateway(tools=tools)), [])
        self.assertEqual(self.faults(), [])
        self.assertEqual(self.looked, 0)


class ImplicitDefaultTests(SynchronousTestCase):
    """
    An agent that became the default without being named so may only read.
    """

    def check(self, defaults=None, **entries):
        """
        Return what is wrong with these agents.

        @param entries: Agents by id; each is an entry, or the profile of its tools.
        """
        agents = Agents(
            defaults=AgentDefaults(tools=defaults or ToolPolicy()),
            entries={
                name: AgentEntry(tools=ToolPolicy(profile=each))
                if isinstance(each, str)
                else each
                for name, each in entries.items()
            },
        )
        return checkImplicitDefault(Config(agents=agents), lambda: [*CODING, "plug_in"])

    def test_refused(self):
        """
        The line names the agent's key, its tools and both ways out.
        """
        (line,) = self.check(ops="coding", other="none")
        self.assertTrue(line.startswith("agents.entries.ops: no agent has"), line)
        self.assertIn("edit, exec, web_fetch, write;", line)
        self.assertIn('add an agent "main", or set "default: true" here', line)

    def test_kinds(self):
        """
        The tools may come from a profile, from C{allow} or from the defaults.
        """
        granting = ToolPolicy(allow=("exec",))
        withoutOwn = ToolPolicy(profile="full", deny=tuple(CODING))
        self.assertEqual(len(self.check(ops=AgentEntry(tools=granting))), 1)
        self.assertEqual(len(self.check(defaults=granting, ops="none")), 1)
        self.assertIn("plug_in", self.check(ops=AgentEntry(tools=withoutOwn))[0])
        listed = Agents(list=(ListedAgent(id="ops", tools=granting),))
        (line,) = checkImplicitDefault(Config(agents=listed), list)
        self.assertTrue(line.startswith("agents.list[0]: "), line)

    def test_accepted(self):
        """
        The main agent and one that is named as the default may have any tools, and
        others that only read need not be named.
        """
        denied = ToolPolicy(profile="coding", deny=tuple(CODING - READONLY))
        self.assertEqual(self.check(), [])
        self.assertEqual(self.check(ToolPolicy(profile="full")), [])
        self.assertEqual(self.check(ops="coding", main="none"), [])
        self.assertEqual(self.check(main="full"), [])
        chosen = AgentEntry(default=True, tools=ToolPolicy(profile="full"))
        self.assertEqual(self.check(ops=chosen), [])
        self.assertEqual(self.check(ops="readonly"), [])
        self.assertEqual(self.check(ops=AgentEntry(tools=denied)), [])
