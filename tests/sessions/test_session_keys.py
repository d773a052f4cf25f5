"""
Tests of L{openclaw.sessions.session_keys}.
"""

import re
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.auth.realm import user
from openclaw.errors import InvalidRequest, PermissionDenied
from openclaw.sessions.session_keys import (
    MAX_NAME_CHARACTERS,
    OPERATOR,
    RESERVED,
    SESSION_HEADER,
    agentOfKey,
    mayAccess,
    namedKey,
    statelessKey,
    userKey,
)

AGENTS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,20}", fullmatch=True)
BLANKS = st.text(" \t\n\r", max_size=3)
NAMES = (
    st.text(min_size=1, max_size=30)
    .map(str.strip)
    .filter(lambda name: name and name.isprintable())
)
"""
Printable names in any language.
"""


def anyCase(text: str) -> st.SearchStrategy[str]:
    """
    Build a text in any mixture of cases.
    """
    pairs = [st.sampled_from([letter.lower(), letter.upper()]) for letter in text]
    return st.tuples(*pairs).map("".join)


def isReserved(name: str) -> bool:
    """
    Return whether a name begins with a reserved prefix.
    """
    return bool(re.match("(subagent|cron|acp|harness):", name, re.IGNORECASE | re.A))


class StatelessTests(SynchronousTestCase):
    """
    A request without a session gets a key that is used once.
    """

    def test_shape(self) -> None:
        """
        It contains the agent, as clients expect.
        """
        key = statelessKey("main", OPERATOR)
        prefix, _, unique = key.rpartition(":")
        self.assertEqual(prefix, "agent:main:openai")
        self.assertEqual(str(UUID(unique)), unique)
        self.assertEqual(agentOfKey(key), "main")

    def test_once(self) -> None:
        """
        No two requests get the same key.
        """
        self.assertEqual(len({statelessKey("main", OPERATOR) for _ in range(100)}), 100)


class UserTests(SynchronousTestCase):
    """
    The C{user} of a request selects a session.
    """

    def test_shape(self) -> None:
        """
        The key contains the agent and the user.
        """
        self.assertEqual(userKey("main", "ada", OPERATOR), "agent:main:openai-user:ada")

    def test_caseMatters(self) -> None:
        """
        C{Conv1} and C{conv1} are different sessions.
        """
        self.assertNotEqual(
            userKey("main", "Conv1", OPERATOR), userKey("main", "conv1", OPERATOR)
        )
        self.assertEqual(
            userKey("main", "Conv1", OPERATOR), "agent:main:openai-user:Conv1"
        )

    @given(agent=AGENTS, user=NAMES, before=BLANKS, after=BLANKS)
    def test_blanks(self, agent, user, before, after) -> None:
        """
        Only surrounding blanks do not matter.
        """
        key = userKey(agent, before + user + after, OPERATOR)
        self.assertEqual(key, f"agent:{agent}:openai-user:{user}")
        self.assertEqual(agentOfKey(key), agent)

    @given(agent=AGENTS, blanks=BLANKS)
    def test_nothing(self, agent, blanks) -> None:
        """
        A blank user selects no session.
        """
        self.assertIsNone(userKey(agent, blanks, OPERATOR))

    def test_ownNames(self) -> None:
        """
        A user can have the name of a reserved session without getting access to it.
        """
        self.assertEqual(
            userKey("main", "cron:x", OPERATOR), "agent:main:openai-user:cron:x"
        )

    def test_tooLong(self) -> None:
        """
        The length of a name is limited.
        """
        longest = "a" * MAX_NAME_CHARACTERS
        self.assertEqual(
            userKey("main", longest, OPERATOR), f"agent:main:openai-user:{longest}"
        )
        error = self.assertRaises(
            InvalidRequest, userKey, "main", longest + "a", OPERATOR
        )
        self.assertEqual(error.param, "user")
        self.assertEqual(error.status, 400)

    def test_control(self) -> None:
        """
        Names that are not printable are rejected, since they could forge log lines.
        """
        for name in ("a\nb", "a\x00b", "a\x1b[2Jb", "a\u202eb", "a\ud800b"):
            error = self.assertRaises(InvalidRequest, userKey, "main", name, OPERATOR)
            self.assertEqual(error.param, "user")
            self.assertNotIn(name, error.message)


class NamedTests(SynchronousTestCase):
    """
    Sessions that callers name.
    """

    def assertRefused(self, key: str, code: str | None = None) -> None:
        """
        Assert that a key is rejected.
        """
        error = self.assertRaises(InvalidRequest, namedKey, "main", key, OPERATOR)
        self.assertEqual(error.status, 400)
        self.assertEqual(error.param, SESSION_HEADER)
        self.assertEqual(error.code, code)

    @given(agent=AGENTS, name=NAMES, before=BLANKS, after=BLANKS)
    def test_bare(self, agent, name, before, after) -> None:
        """
        A bare name is a session of the agent.  Its case matters; surrounding blanks do
        not.
        """
        assume(not isReserved(name))
        assume(agentOfKey(name) is None)
        self.assertEqual(
            namedKey(agent, before + name + after, OPERATOR), f"agent:{agent}:{name}"
        )

    @given(
        agent=AGENTS,
        name=NAMES,
        prefix=anyCase("agent"),
        inner=BLANKS,
        outer=BLANKS,
        upper=st.booleans(),
    )
    def test_whole(self, agent, name, prefix, inner, outer, upper) -> None:
        """
        A whole key is the same session as its bare name.
        """
        assume(not isReserved(name))
        shown = agent.upper() if upper else agent
        key = f"{outer}{prefix}:{inner}{shown}{inner}:{inner}{name}{outer}"
        self.assertEqual(agentOfKey(key), agent)
        self.assertEqual(namedKey(agent, key, OPERATOR), f"agent:{agent}:{name}")

    @given(agent=AGENTS, name=NAMES)
    def test_again(self, agent, name) -> None:
        """
        The key in a response can be sent back.
        """
        assume(not isReserved(name))
        assume(agentOfKey(name) is None)
        key = namedKey(agent, name, OPERATOR)
        self.assertEqual(namedKey(agent, key, OPERATOR), key)

    @given(
        reserved=st.sampled_from(RESERVED).flatmap(anyCase),
        rest=NAMES | st.just(""),
        prefix=anyCase("agent:main:") | st.just(""),
        blanks=BLANKS,
    )
    def test_reserved(self, reserved, rest, prefix, blanks) -> None:
        """
        Reserved sessions are rejected in any case, with any blanks, and in whole keys.
        """
        self.assertRefused(
            f"{blanks}{prefix}{blanks}{reserved}{rest}", "reserved_session_key"
        )

    def test_reservedList(self) -> None:
        """
        The reserved prefixes.
        """
        for key in ("subagent:x", "cron:x", "acp:x", "harness:x", "agent:ops:CRON:x"):
            self.assertRefused(key, "reserved_session_key")

    def test_notReserved(self) -> None:
        """
        Names that only look similar are accepted.
        """
        for name in ("cron", "crontab:x", "my:cron:x", "subagents:x", "xacp:"):
            self.assertEqual(namedKey("main", name, OPERATOR), f"agent:main:{name}")

    def test_neverInsideReserved(self) -> None:
        """
        No combination of prefixes results in a reserved key.
        """
        for key in ("agent:main:agent:main:cron:x", "agent :main:cron:x"):
            made = namedKey("main", key, OPERATOR)
            self.assertFalse(isReserved(made.removeprefix("agent:main:")))

    def test_empty(self) -> None:
        """
        An empty name is rejected.
        """
        empty = ("", "  ", ":", ": :", "agent:main:", "agent:main:  ", "agent:main::")
        for key in (*empty, " agent:main:\t"):
            self.assertRefused(key)

    def test_noName(self) -> None:
        """
        A whole key without a name is rejected.
        """
        for key in ("agent:", "agent:main", " AGENT: main ", "Agent :"):
            self.assertRefused(key)
        self.assertEqual(namedKey("main", "agent", OPERATOR), "agent:main:agent")
        self.assertEqual(namedKey("main", "agents:x", OPERATOR), "agent:main:agents:x")

    def test_tooLong(self) -> None:
        """
        The length of a name is limited, without the prefix.
        """
        longest = "a" * MAX_NAME_CHARACTERS
        for key in (longest, f"agent:main:{longest}"):
            self.assertEqual(namedKey("main", key, OPERATOR), f"agent:main:{longest}")
        self.assertRefused(longest + "a")

    def test_control(self) -> None:
        """
        A name that is not printable is rejected.
        """
        for key in ("a\nb", "a\x00b", "agent:main:a\x7fb", "a\ud800"):
            self.assertRefused(key)


class AgentOfKeyTests(SynchronousTestCase):
    """
    The agent of a whole key.
    """

    def test_whole(self) -> None:
        """
        It is recognised in any case, with surrounding blanks.
        """
        for key in ("agent:ops:x", " AGENT: Ops :x", "agent:ops:", "agent:ops:a:b"):
            self.assertEqual(agentOfKey(key), "ops")

    def test_bare(self) -> None:
        """
        A bare name has no agent.
        """
        for key in ("", "x", "agent", "agent:", "agent:ops", "agents:ops:x", "x:y:z"):
            self.assertIsNone(agentOfKey(key))

    @given(key=st.text())
    def test_anyText(self, key) -> None:
        """
        Any text has a result.
        """
        agent = agentOfKey(key)
        self.assertTrue(agent is None or agent == agent.strip())
        try:
            made = namedKey("main", key, OPERATOR)
        except InvalidRequest:
            return
        self.assertTrue(made.startswith("agent:main:"))
        self.assertTrue(made.isprintable())
        self.assertFalse(isReserved(made.removeprefix("agent:main:")))


NAMESPACES = st.one_of(
    st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True).map("token:{}".format),
    st.binary(min_size=1, max_size=20).map(lambda name: user(name).namespace),
)
"""
Namespaces of tokens and users.
"""


class NamespaceTests(SynchronousTestCase):
    """
    Callers with a namespace have their own sessions.
    """

    def test_shapes(self) -> None:
        """
        Each kind of key has the namespace after the agent.
        """
        self.assertEqual(
            namedKey("main", "notes", "token:ci"), "agent:main:token:ci:notes"
        )
        self.assertEqual(
            userKey("main", "ada", "token:ci"), "agent:main:token:ci:openai-user:ada"
        )
        self.assertRegex(
            statelessKey("main", "token:ci"), "^agent:main:token:ci:openai:"
        )

    @given(agent=AGENTS, name=NAMES, namespace=NAMESPACES)
    def test_again(self, agent, name, namespace) -> None:
        """
        The key in a response can be sent back.
        """
        assume(not isReserved(name))
        assume(agentOfKey(name) is None)
        key = namedKey(agent, name, namespace)
        self.assertEqual(namedKey(agent, key, namespace), key)
        # The operator can use it, too.
        self.assertEqual(namedKey(agent, key, OPERATOR), key)

    @given(agent=AGENTS, own=NAMESPACES, other=NAMESPACES | st.just(""), name=st.text())
    def test_nobodyElses(self, agent, own, other, name) -> None:
        """
        Any key results in a session of the caller, or in an error.
        """
        assume(own != other)
        theirs = f"agent:{agent}:{other}:{name}" if other else f"agent:{agent}:{name}"
        for sent in (theirs, name, f"{own}:{name}", f" AGENT: {agent}: {own}:{name}"):
            for make in (namedKey, userKey):
                try:
                    key = make(agent, sent, own)
                except (InvalidRequest, PermissionDenied):
                    continue
                if key is None:
                    continue
                self.assertTrue(mayAccess(own, agent, key))
                if other:
                    self.assertFalse(mayAccess(other, agent, key))

    def test_others(self) -> None:
        """
        The error for a session of another caller does not show whether it exists.
        """
        messages = set()
        for key in (
            "agent:main:notes",
            "agent:main:token:other:notes",
            "agent:main:token:ci",
            "agent:main:token:ci-2:notes",
            "agent:main:TOKEN:CI:notes",
            "agent:main:openai-user:ada",
            "agent:main:cron:x",
        ):
            error = self.assertRaises(
                PermissionDenied, namedKey, "main", key, "token:ci"
            )
            self.assertEqual(
                (error.code, error.param), ("session_not_yours", SESSION_HEADER)
            )
            messages.add(error.message)
        self.assertEqual(len(messages), 1)

    def test_reserved(self) -> None:
        """
        Reserved keys are rejected in a namespace, too.
        """
        for key in (
            "cron:x",
            "agent:main:token:ci:cron:x",
            "agent:main:token:ci: CRON:x",
        ):
            error = self.assertRaises(InvalidRequest, namedKey, "main", key, "token:ci")
            self.assertEqual(error.code, "reserved_session_key")

    def test_forged(self) -> None:
        """
        A user whose name has colons gets no access to other sessions.
        """
        for name in (b"ann:notes", b"token:ci", b":", b"ann%3Anotes", b"a\nb"):
            namespace = user(name).namespace
            self.assertEqual(namespace.count(":"), 1)
            self.assertTrue(namespace.isprintable())
            self.assertFalse(
                mayAccess("user:ann", "main", namedKey("main", "x", namespace))
            )

    def test_operator(self) -> None:
        """
        The operator can use all sessions.
        """
        for key in ("agent:main:x", "agent:main:token:ci:x", "agent:main:user:ann:x"):
            self.assertTrue(mayAccess(OPERATOR, "main", key))
