"""
Tests for L{openclaw.config.tools}: tool policies and settings.
"""

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import (
    Config,
    ExecSettings,
    GrepSettings,
    ToolSelection,
    WebFetchSettings,
)
from tests.config.check_helpers import at, configOf, faultsOf, merged, warningsOf


def selectTools(own, defaults):
    """
    Return the tools of the only agent, from its entry and the defaults.
    """
    config = configOf(
        merged(at("agents.entries.a.tools", own), at("agents.defaults.tools", defaults))
    )
    (agent,) = config.agentSettings()
    return agent.tools


class AgentToolsTests(SynchronousTestCase):
    """
    The tools of an agent.
    """

    def test_aNewAgentHasNone(self):
        """
        By default an agent has none.
        """
        (agent,) = Config().agentSettings()
        self.assertEqual(agent.tools, ToolSelection(profile="none", allow=(), deny=()))

    def test_theDefaultsHold(self):
        """
        An agent without settings has those of the defaults.
        """
        defaults = {"profile": "coding", "allow": ["x"], "deny": ["exec"]}
        expected = ToolSelection(profile="coding", allow=("x",), deny=("exec",))
        for own in (None, {}, {"profile": None, "allow": None, "deny": None}):
            self.assertEqual(selectTools(own, defaults), expected)

    def test_itsOwnProfileAndListStandInTheirPlace(self):
        """
        An agent's profile and list replace the defaults, including C{none} and an empty
        list.
        """
        defaults = {"profile": "full", "allow": ["x", "y"]}
        self.assertEqual(
            selectTools({"profile": "none", "allow": []}, defaults),
            ToolSelection(profile="none", allow=(), deny=()),
        )
        self.assertEqual(selectTools({"allow": ["z"]}, defaults).profile, "full")
        self.assertEqual(selectTools({"allow": ["z"]}, defaults).allow, ("z",))
        self.assertEqual(selectTools({"profile": "none"}, defaults).allow, ("x", "y"))

    def test_whatIsDeniedToAllStaysDenied(self):
        """
        No agent can get a tool that the defaults deny.
        """
        defaults = {"deny": ["exec", "write"]}
        for own, denied in (
            ({"deny": []}, ("exec", "write")),
            ({"deny": ["edit", "exec"]}, ("exec", "write", "edit")),
            ({"profile": "full", "allow": ["exec"]}, ("exec", "write")),
        ):
            self.assertEqual(selectTools(own, defaults).deny, denied)

    def test_eachFormOfAnAgentCanHaveThem(self):
        """
        The list form has the same keys.
        """
        entry = {"id": "a", "maxModelCalls": 3, "tools": {"profile": "readonly"}}
        (agent,) = configOf(at("agents.list", [entry])).agentSettings()
        self.assertEqual((agent.tools.profile, agent.maxModelCalls), ("readonly", 3))

    def test_mistakesAreNamed(self):
        """
        Unknown profiles and invalid names of tools are rejected, such as wildcards,
        which C{deny} would silently ignore.
        """
        for key, value, text in (
            (
                "profile",
                "minimal",
                'expected "none", "readonly", "coding" or "full", got the string '
                '"minimal"',
            ),
            ("allow", "read", "expected a list, got a string"),
        ):
            path = f"agents.defaults.tools.{key}"
            self.assertEqual(faultsOf(at(path, value)), [f"{path}: {text}"])
        for path in (
            "agents.entries.a.tools",
            "agents.defaults.tools",
            "gateway.tools",
        ):
            for name in ("*", "web.fetch", "", "a b", "a\n", "x" * 65, 5):
                (fault,) = faultsOf(at(path, {"deny": ["read", name]}))
                self.assertTrue(
                    fault.startswith(f"{path}.deny[1]: expected the name of a tool"),
                    fault,
                )


class ReachableToolsTests(SynchronousTestCase):
    """
    The tools for HTTP callers.
    """

    def permitted(self, settings):
        """
        Return the permitted ones of three tools.
        """
        reachable = configOf(at("gateway.tools", settings)).gateway.tools
        return [tool for tool in ("exec", "ls", "read") if reachable.permits(tool)]

    def test_allAreReachedUnlessSomeAreNamed(self):
        """
        By default, and with an empty list, all are permitted; otherwise those in the
        list.
        """
        self.assertEqual(self.permitted({}), ["exec", "ls", "read"])
        self.assertEqual(self.permitted({"allow": []}), ["exec", "ls", "read"])
        self.assertEqual(self.permitted({"allow": ["ls"]}), ["ls"])

    def test_denyWins(self):
        """
        A tool in both lists is denied.
        """
        self.assertEqual(self.permitted({"deny": ["exec"]}), ["ls", "read"])
        self.assertEqual(
            self.permitted({"allow": ["exec", "ls"], "deny": ["exec"]}), ["ls"]
        )
        self.assertEqual(self.permitted({"allow": ["exec"], "deny": ["exec"]}), [])


class ToolSettingsTests(SynchronousTestCase):
    """
    The settings of tools.
    """

    def test_ourToolsHaveDefaults(self):
        """
        OpenClaw's tools have defaults.
        """
        for name, settings in (
            ("grep", GrepSettings()),
            ("exec", ExecSettings()),
            ("web_fetch", WebFetchSettings()),
            ("read", {}),
        ):
            self.assertEqual(Config().toolSettings(name), settings)

    def test_whatIsSetArrives(self):
        """
        Each key sets its tool.
        """
        config = configOf(
            at(
                "tools",
                {
                    "grep": {"timeoutSeconds": 3},
                    "exec": {"environment": ["JAVA_HOME"]},
                    "web": {"fetch": {"allowPrivate": True, "ports": [8080]}},
                },
            )
        )
        for name, settings in (
            ("grep", GrepSettings(timeoutSeconds=3)),
            ("exec", ExecSettings(environment=("JAVA_HOME",))),
            ("web_fetch", WebFetchSettings(allowPrivate=True, ports=(8080,))),
        ):
            self.assertEqual(config.toolSettings(name), settings)

    def test_aPluginIsToldWhatIsWritten(self):
        """
        A plug-in gets its settings as they are, with variables replaced in strings
        directly below its name.
        """
        settings = {"key": "${KEY}", "cities": ["Ulm"], "deep": {"n": 1}, "off": None}
        config = configOf(at("tools.plugins.weather", settings), KEY="k")
        self.assertEqual(
            config.toolSettings("weather"),
            {"key": "k", "cities": ["Ulm"], "deep": {"n": 1}, "off": None},
        )
        self.assertEqual(config.toolSettings("tides"), {})

    def test_aPluginsSecretsAreNotPrinted(self):
        """
        A plug-in's settings are not in the configuration's C{repr}.
        """
        config = configOf(at("tools.plugins.weather", {"key": "hunter2"}))
        self.assertNotIn("hunter2", repr(config))

    def test_mistakesAreNamed(self):
        """
        The error has the expected type.
        """
        for path, value, text in (
            ("tools.plugins.weather", "hunter2", "expected a mapping, got a string"),
            (
                "tools.exec.environment",
                ["A=b"],
                'expected the name of an environment variable, got the string "A=b"',
            ),
            (
                "tools.web.fetch.ports",
                [0],
                "expected an integer between 1 and 65535, got the integer 0",
            ),
        ):
            (fault,) = faultsOf(at(path, value))
            self.assertEqual(fault.partition(": ")[2], text)
            self.assertTrue(fault.startswith(path), fault)

    def test_ourToolsAreNoPlugins(self):
        """
        Settings of OpenClaw's tools under C{plugins} are an error.
        """
        for name, key in (
            ("grep", "tools.grep"),
            ("exec", "tools.exec"),
            ("web_fetch", "tools.web.fetch"),
        ):
            self.assertEqual(
                faultsOf(at("tools.plugins", {name: {}})),
                [f'tools.plugins.{name}: not a plug-in; its settings are in "{key}"'],
            )

    def test_aCommandsUsualTimeIsNotAboveTheMost(self):
        """
        A default time-out above the limit is an error, unless one of them is invalid.
        """
        self.assertEqual(
            faultsOf(at("tools.exec.maxTimeoutSeconds", 60)),
            [
                "tools.exec.timeoutSeconds: 120 is more than "
                "tools.exec.maxTimeoutSeconds, which is 60"
            ],
        )
        same = at("tools.exec", {"timeoutSeconds": 60, "maxTimeoutSeconds": 60})
        configOf(same)
        wrong = at("tools.exec", {"timeoutSeconds": 700, "maxTimeoutSeconds": "x"})
        self.assertEqual(len(faultsOf(wrong)), 1)

    def test_unknownKeysAreMentioned(self):
        """
        Unknown keys of a tool's settings are warnings; a plug-in's keys are not
        checked.
        """
        data = merged(
            at("tools.exec.timeoutSecond", 5), at("tools.plugins.weather.unit", "C")
        )
        self.assertEqual(
            warningsOf(data),
            ['tools.exec.timeoutSecond: unknown key; did you mean "timeoutSeconds"?'],
        )

    def test_itTakesNoTools(self):
        """
        Loading a configuration does not import the tools.
        """
        script = (
            "import sys, openclaw.config\n"
            "print([each for each in sys.modules\n"
            "       if each.partition('.')[0] == 'twisted'\n"
            "       or each.startswith('openclaw.tools')])\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.assertEqual(done.stdout.strip(), "[]")
