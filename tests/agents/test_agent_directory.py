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
    A caller who may use some agents only.
    """

    usableIDs: frozenset[str]
    label: str = "guest"

    def hasScope(self, scope: str) -> bool:
        """
        Everything.
        """
        return True

    def mayUse(self, agentID: str) -> bool:
        return agentID in self.usableIDs

    def withScopes(self, scopes: Any) -> "NamespacedCaller":
        """
        The same.
        """
        return self


def directoryOf(*agents: str | dict, **more: Any) -> AgentDirectory:
    """
    A directory of agents, as a configuration names them.

    @param agents: Their ids, or entries of C{agents.list}.
    @param more: More keys of the configuration.
    """
    entries = [{"id": each} if isinstance(each, str) else each for each in agents]
    return AgentDirectory(configOf({"agents": {"list": entries}, **more}))


class DirectoryTestCase(SynchronousTestCase):
    """
    A test case with an agent directory.
    """

    def setUp(self) -> None:
        """
        Have some agents.
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
        The id of the agent that a request gets.
        """
        return self.directory.find(
            caller, model=model, agentHeader=header, sessionHeader=session
        ).id

    def assertRefused(
        self, param: str, code: str | None, **request: Any
    ) -> InvalidRequest:
        """
        Assert that a request is wrong, and where.
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
        The names of the gateway, in any case and with blanks around, no name, and an
        empty one.
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
        The default is the agent that is marked.
        """
        self.directory = directoryOf("main", {"id": "ops", "default": True})
        self.assertEqual(self.find("openclaw"), "ops")

    def test_main(self) -> None:
        """
        Else the one called main, wherever it stands.
        """
        self.directory = directoryOf("ops", "main")
        self.assertEqual(self.find("openclaw"), "main")

    def test_first(self) -> None:
        """
        Else the first: also among several there is a default.
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
        A caller who may not use the default agent must name another.
        """
        guest = NamespacedCaller(frozenset({"ops"}))
        error = self.assertRefused("model", "unknown_agent", caller=guest)
        self.assertIn("Agents you may use: 'ops'.", error.message)
        self.assertEqual(self.find("openclaw/ops", caller=guest), "ops")


class NamedAgentTests(DirectoryTestCase):
    """
    An agent can be named by the model.
    """

    def test_spellings(self) -> None:
        """
        With each of the prefixes, in any case and with blanks around.
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
        Any mixture of cases names the agent.
        """
        model = "".join(
            letter.upper() if case(letter) else letter for letter in prefix + agent
        )
        self.assertEqual(self.find(before + model + after), agent)

    def test_unknown(self) -> None:
        """
        The error names the agent that there isn't, and lists those that there are.
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
        An agent that the caller may not use is as unknown as one that isn't there.
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
        Any other model is refused with the words that clients know, and what to use.
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
    A model name that some program insists on can stand for an agent.
    """

    def setUp(self) -> None:
        """
        Have an alias.
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
        The alias gets the agent; blanks around it don't matter.
        """
        self.assertEqual(self.find("gpt-4o"), "ops")
        self.assertEqual(self.find(" gpt-4o "), "ops")
        self.assertEqual(self.find("Fast"), "b-2")

    def test_others(self) -> None:
        """
        Other names are what they were.
        """
        self.assertEqual(self.find("openclaw"), "main")
        self.assertRefused("model", "model_not_found", model="gpt-4")

    def test_forbidden(self) -> None:
        """
        An alias gives no access.
        """
        guest = NamespacedCaller(frozenset({"main"}))
        self.assertRefused("model", "unknown_agent", model="gpt-4o", caller=guest)


class HeaderTests(DirectoryTestCase):
    """
    An agent can be named by a header.
    """

    def test_wins(self) -> None:
        """
        The header wins over the model, and any model is accepted beside it.
        """
        for model in ("openclaw/main", "openclaw", None, "gpt-4o", "openclaw/ghost"):
            self.assertEqual(self.find(model, header="ops"), "ops")

    def test_spellings(self) -> None:
        """
        In any case, with blanks around.
        """
        self.assertEqual(self.find(header=" OPS "), "ops")

    def test_blank(self) -> None:
        """
        An empty header is none.
        """
        self.assertEqual(self.find("openclaw/ops", header=""), "ops")
        self.assertEqual(self.find("openclaw/ops", header="  "), "ops")
        self.assertRefused("model", "model_not_found", model="gpt-4o", header=" ")

    def test_unknown(self) -> None:
        """
        An unknown agent in the header is an error of the header.
        """
        error = self.assertRefused(
            AGENT_HEADER, "unknown_agent", model="openclaw/ops", header="Ghost"
        )
        self.assertIn("Unknown agent 'ghost'.", error.message)


class SessionTests(DirectoryTestCase):
    """
    The key of a session names its agent.
    """

    def test_ofSession(self) -> None:
        """
        Without any other wish the session's agent answers.
        """
        for model in (None, "", "openclaw", "openclaw/default"):
            self.assertEqual(self.find(model, session="agent:ops:x"), "ops")
        self.assertEqual(self.find(session=" Agent:OPS:x "), "ops")

    def test_same(self) -> None:
        """
        Naming the same agent twice is fine.
        """
        self.assertEqual(self.find("openclaw/ops", session="agent:OPS:x"), "ops")
        self.assertEqual(self.find(header="ops", session="agent:ops:x"), "ops")

    def test_another(self) -> None:
        """
        Naming two different agents is not.
        """
        for request in ({"model": "openclaw/main"}, {"header": "main"}):
            error = self.assertRefused(
                SESSION_HEADER, None, session="agent:ops:x", **request
            )
            self.assertIn("'ops'", error.message)
            self.assertIn("'main'", error.message)

    def test_unknown(self) -> None:
        """
        An unknown agent in the key is an error of the key.
        """
        self.assertRefused(SESSION_HEADER, "unknown_agent", session="agent:ghost:x")
        self.assertRefused(SESSION_HEADER, "unknown_agent", session="agent::x")

    def test_forbidden(self) -> None:
        """
        A key gives no access.
        """
        guest = NamespacedCaller(frozenset({"main"}))
        self.assertRefused(
            SESSION_HEADER, "unknown_agent", session="agent:ops:x", caller=guest
        )

    def test_bareName(self) -> None:
        """
        A bare name says nothing about the agent.
        """
        for session in ("x", "agent:ops", "", "a:b:c"):
            self.assertEqual(self.find(session=session), "main")
            self.assertEqual(self.find("openclaw/ops", session=session), "ops")


class ListingTests(DirectoryTestCase):
    """
    A caller can see what there is.
    """

    def test_all(self) -> None:
        """
        The default's names come first, then each agent, as configured.
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
        Only what the caller may use is listed.
        """
        guest = NamespacedCaller(frozenset({"ops"}))
        self.assertEqual(self.directory.modelNames(guest), ["openclaw/ops"])
        self.assertEqual(self.directory.usableIDs(guest), ["ops"])

    def test_listedWorks(self) -> None:
        """
        Whatever is listed can be asked for.
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
