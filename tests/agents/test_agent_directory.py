"""
Tests of L{openclaw.agents.agent_directory}.
"""

from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from openclaw.agents.agent_directory import AGENT_HEADER, AgentDirectory
from openclaw.auth.realm import Operator
from openclaw.config import Config
from openclaw.errors import InvalidRequest
from openclaw.interfaces import ICaller
from openclaw.sessions.session_keys import SESSION_HEADER
from tests.config.check_helpers import configOf

OPERATOR = Operator("somebody")


@implementer(ICaller)
@dataclass(frozen=True)
class NamespacedCaller:
    """
    A caller who may use only some agents.
    """

    usableIDs: frozenset[str]
    label: str = "guest"

    def hasScope(self, scope: str) -> bool:
        """
        Return true for every scope.
        """
        return True

    def mayUse(self, agentID: str) -> bool:
        return agentID in self.usableIDs

    def withScopes(self, scopes: Any) -> "NamespacedCaller":
        return self


def directoryOf(*agents: str | dict, **more: Any) -> AgentDirectory:
    """
    Return a directory of the agents in a configuration.

    @param agents: Their ids, or entries of C{agents.list}.
    @param more: Further keys of the configuration.
    """
    entries = [{"id": each} if isinstance(each, str) else each for each in agents]
    return AgentDirectory(configOf({"agents": {"list": entries}, **more}))


class DirectoryTestCase(SynchronousTestCase):
    """
    A test case with an agent directory.
    """

    def setUp(self) -> None:
        """
        Create a directory with some agents.
        """
        self.directory = directoryOf("main", "ops", "b-2")

    def find(
        self,
        model: str | None = None,
        header: str | None = None,
        session: str | None = None,
        caller: ICaller = OPERATOR,
    ) -> str:
        """
        Return the id of the agent for a request.
        """
        return self.directory.find(
            caller, model=model, agentHeader=header, sessionHeader=session
        ).id

    def assertRefused(
        self, param: str, code: str | None, **request: Any
    ) -> InvalidRequest:
        """
        Assert that a request is invalid in this field.
        """
        error = self.assertRaises(InvalidRequest, self.find, **request)
        self.assertEqual(error.status, 400)
        self.assertEqual(error.param, param)
        self.assertEqual(error.code, code)
        return error


class DefaultAgentTests(DirectoryTestCase):
    """
    A request that names no agent gets the default one.
    """

    def test_spellings(self) -> None:
        """
        The gateway's names, in any case and with surrounding blanks, no name, and an
        empty name.
        """
        for model in (
            "openclaw",
            "openclaw/default",
            "OpenClaw",
            "OPENCLAW/Default",
            "  openclaw ",
            "\topenclaw/default\n",
            None,
            "",
            "  ",
        ):
            self.assertEqual(self.find(model), "main")

    def test_marked(self) -> None:
        """
        The default is the agent with C{default: true}.
        """
        self.directory = directoryOf("main", {"id": "ops", "default": True})
        self.assertEqual(self.find("openclaw"), "ops")

    def test_main(self) -> None:
        """
        Without one, it is the agent C{main}, in any position.
        """
        self.directory = directoryOf("ops", "main")
        self.assertEqual(self.find("openclaw"), "main")

    def test_first(self) -> None:
        """
        Otherwise it is the first.
        """
        self.directory = directoryOf("ops", "b-2")
        self.assertEqual(self.find("openclaw"), "ops")
        self.assertEqual(self.find(), "ops")

    def test_noneConfigured(self) -> None:
        """
        Without any configuration there is one agent.
        """
        self.directory = AgentDirectory(Config())
        self.assertEqual(self.find("openclaw/default"), "main")

    def test_forbidden(self) -> None:
        """
        A caller who may not use the default agent must name another one.
        """
        guest = NamespacedCaller(frozenset({"ops"}))
        error = self.assertRefused("model", "unknown_agent", caller=guest)
        self.assertIn("Agents you may use: 'ops'.", error.message)
        self.assertEqual(self.find("openclaw/ops", caller=guest), "ops")


class NamedAgentTests(DirectoryTestCase):
    """
    Requests that name an agent as the model.
    """

    def test_spellings(self) -> None:
        """
        Each of the prefixes is accepted, in any case and with surrounding blanks.
        """
        for model in (
            "openclaw:ops",
            "openclaw/ops",
            "agent:ops",
            "OpenClaw:Ops",
            "OPENCLAW/OPS",
            "Agent:oPs",
            "  openclaw/ops\t",
            "openclaw/ ops",
        ):
            self.assertEqual(self.find(model), "ops")

    @given(
        agent=st.sampled_from(["main", "ops", "b-2"]),
        prefix=st.sampled_from(["openclaw:", "openclaw/", "agent:"]),
        case=st.functions(like=lambda letter: None, returns=st.booleans(), pure=True),
        before=st.text(" \t\n", max_size=3),
        after=st.text(" \t\n", max_size=3),
    )
    def test_anySpelling(self, agent, prefix, case, before, after) -> None:
        """
        The case of an agent's name does not matter.
        """
        model = "".join(
            letter.upper() if case(letter) else letter for letter in prefix + agent
        )
        self.assertEqual(self.find(before + model + after), agent)

    def test_unknown(self) -> None:
        """
        The error has the unknown name, and lists the agents.
        """
        error = self.assertRefused("model", "unknown_agent", model="openclaw/Ghost")
        self.assertEqual(
            error.message,
            "Unknown agent 'ghost'. Agents you may use: 'main', 'ops', 'b-2'.",
        )
        for model in ("openclaw:ghost", "agent:ghost", "openclaw/", "openclaw/a/b"):
            self.assertRefused("model", "unknown_agent", model=model)

    def test_forbidden(self) -> None:
        """
        An agent that the caller may not use is reported as unknown.
        """
        guest = NamespacedCaller(frozenset({"ops", "b-2"}))
        error = self.assertRefused(
            "model", "unknown_agent", model="openclaw/main", caller=guest
        )
        self.assertEqual(
            error.message, "Unknown agent 'main'. Agents you may use: 'ops', 'b-2'."
        )

    def test_noneUsable(self) -> None:
        """
        A caller who may use no agent gets an error that says so.
        """
        error = self.assertRefused(
            "model",
            "unknown_agent",
            caller=NamespacedCaller(frozenset()),
            model="agent:ops",
        )
        self.assertIn("Agents you may use: none.", error.message)

    def test_otherModels(self) -> None:
        """
        Any other model gets the error that clients know, with the accepted names.
        """
        for model in ("gpt-4o", "ops", "openclawx", "open claw", "openai/gpt-4o"):
            error = self.assertRefused("model", "model_not_found", model=model)
            self.assertEqual(
                error.message,
                "Invalid `model`. Use `openclaw` or `openclaw/<agentId>`. Agents you"
                " may use: 'main', 'ops', 'b-2'. For a client that insists on another"
                " name, the configuration's `modelAliases` maps it to an agent.",
            )


class AliasTests(DirectoryTestCase):
    """
    Model names that are aliases of agents.
    """

    def setUp(self) -> None:
        """
        Configure an alias.
        """
        endpoint = {"modelAliases": {"gpt-4o": "ops", "Fast": "b-2"}}
        self.directory = directoryOf(
            "main",
            "ops",
            "b-2",
            gateway={"http": {"endpoints": {"chatCompletions": endpoint}}},
        )

    def test_alias(self) -> None:
        """
        The alias selects the agent; surrounding blanks do not matter.
        """
        self.assertEqual(self.find("gpt-4o"), "ops")
        self.assertEqual(self.find(" gpt-4o "), "ops")
        self.assertEqual(self.find("Fast"), "b-2")

    def test_others(self) -> None:
        """
        Other names are not affected.
        """
        self.assertEqual(self.find("openclaw"), "main")
        self.assertRefused("model", "model_not_found", model="gpt-4")

    def test_forbidden(self) -> None:
        """
        An alias gives no permission.
        """
        guest = NamespacedCaller(frozenset({"main"}))
        self.assertRefused("model", "unknown_agent", model="gpt-4o", caller=guest)


class HeaderTests(DirectoryTestCase):
    """
    Requests that name an agent in the header.
    """

    def test_wins(self) -> None:
        """
        The header takes precedence over the model, which can then be anything.
        """
        for model in ("openclaw/main", "openclaw", None, "gpt-4o", "openclaw/ghost"):
            self.assertEqual(self.find(model, header="ops"), "ops")

    def test_spellings(self) -> None:
        """
        The case and surrounding blanks do not matter.
        """
        self.assertEqual(self.find(header=" OPS "), "ops")

    def test_blank(self) -> None:
        """
        An empty header is ignored.
        """
        self.assertEqual(self.find("openclaw/ops", header=""), "ops")
        self.assertEqual(self.find("openclaw/ops", header="  "), "ops")
        self.assertRefused("model", "model_not_found", model="gpt-4o", header=" ")

    def test_unknown(self) -> None:
        """
        The error of an unknown agent names the header.
        """
        error = self.assertRefused(
            AGENT_HEADER, "unknown_agent", model="openclaw/ops", header="Ghost"
        )
        self.assertIn("Unknown agent 'ghost'.", error.message)


class SessionTests(DirectoryTestCase):
    """
    Requests whose session key names an agent.
    """

    def test_ofSession(self) -> None:
        """
        The session's agent is used if no other is named.
        """
        for model in (None, "", "openclaw", "openclaw/default"):
            self.assertEqual(self.find(model, session="agent:ops:x"), "ops")
        self.assertEqual(self.find(session=" Agent:OPS:x "), "ops")

    def test_same(self) -> None:
        """
        The same agent can be named twice.
        """
        self.assertEqual(self.find("openclaw/ops", session="agent:OPS:x"), "ops")
        self.assertEqual(self.find(header="ops", session="agent:ops:x"), "ops")

    def test_another(self) -> None:
        """
        Two different agents are an error.
        """
        for request in ({"model": "openclaw/main"}, {"header": "main"}):
            error = self.assertRefused(
                SESSION_HEADER, None, session="agent:ops:x", **request
            )
            self.assertIn("'ops'", error.message)
            self.assertIn("'main'", error.message)

    def test_unknown(self) -> None:
        """
        The error of an unknown agent names the key.
        """
        self.assertRefused(SESSION_HEADER, "unknown_agent", session="agent:ghost:x")
        self.assertRefused(SESSION_HEADER, "unknown_agent", session="agent::x")

    def test_forbidden(self) -> None:
        """
        A key gives no permission.
        """
        guest = NamespacedCaller(frozenset({"main"}))
        self.assertRefused(
            SESSION_HEADER, "unknown_agent", session="agent:ops:x", caller=guest
        )

    def test_bareName(self) -> None:
        """
        A bare name does not select an agent.
        """
        for session in ("x", "agent:ops", "", "a:b:c"):
            self.assertEqual(self.find(session=session), "main")
            self.assertEqual(self.find("openclaw/ops", session=session), "ops")


class ListingTests(DirectoryTestCase):
    """
    The list of models.
    """

    def test_all(self) -> None:
        """
        The names of the default agent come first, then each agent, in the configured
        order.
        """
        self.assertEqual(
            self.directory.modelNames(OPERATOR),
            [
                "openclaw",
                "openclaw/default",
                "openclaw/main",
                "openclaw/ops",
                "openclaw/b-2",
            ],
        )

    def test_some(self) -> None:
        """
        Only agents that the caller may use are listed.
        """
        guest = NamespacedCaller(frozenset({"ops"}))
        self.assertEqual(self.directory.modelNames(guest), ["openclaw/ops"])
        self.assertEqual(self.directory.usableIDs(guest), ["ops"])

    def test_listedWorks(self) -> None:
        """
        Each listed name can be requested.
        """
        for caller in (
            OPERATOR,
            NamespacedCaller(frozenset({"main"})),
            NamespacedCaller(frozenset({"b-2"})),
        ):
            listed = self.directory.modelNames(caller)
            self.assertTrue(listed)
            for model in listed:
                self.assertTrue(caller.mayUse(self.find(model, caller=caller)))
