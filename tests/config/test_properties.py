"""
Properties of arbitrary configurations.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import get_args, get_origin

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import Config, Secret, loadConfig
from openclaw.config.value_types import AgentID
from openclaw.errors import ConfigError
from tests.config.check_helpers import ENVIRON, FOLDER, check
from tests.config.schema_walk import isMapping, present

MARK = "hunter2"
NUMERIC_MARK = 8675309

NAMES = st.sampled_from(["main", "Main", "a", "b", "local", "example", "x y", ""])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=5)
    | NAMES
    | st.sampled_from(["example/a", "local/smollm2-135m-instruct", "http://a", "::1"])
    | st.sampled_from(["~/x", "token", "password", "none", "lan", "custom", "firstUse"])
    | st.sampled_from(["${HOME}", "${NONE}", "$${HOME}"])
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(NAMES | st.integers() | st.none(), inner, max_size=2)
    ),
    max_leaves=4,
)
MARKED = st.sampled_from(
    [
        MARK,
        f"{MARK} ",
        f"{MARK}\n",
        f"\ud800{MARK}",
        f"${{}}{MARK}",
        "${SECRET}",
        "${SECRET}\n",
        NUMERIC_MARK,
        float(NUMERIC_MARK),
        [MARK],
        {MARK: MARK},
    ]
)
"""
A secret with a marker, valid or not.
"""


def shaped(kind):
    """
    Build data similar to a configuration, with some errors.  Each secret in it has the
    marker.
    """
    kind = present(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Secret:
        return MARKED
    if origin is tuple:
        return st.lists(shaped(arguments[0]), max_size=3) | ANYTHING
    if origin is Mapping:
        return st.dictionaries(NAMES, shaped(arguments[1]), max_size=3) | ANYTHING
    if isMapping(kind):
        fields = {
            field.name: shaped(field.type) for field in msgspec.structs.fields(kind)
        }
        known = st.fixed_dictionaries({}, optional=fields)
        strange = st.dictionaries(NAMES, ANYTHING, max_size=1)
        return st.builds(lambda a, b: {**a, **b}, strange, known) | ANYTHING
    if kind is bool:
        return st.booleans() | ANYTHING
    if kind is AgentID:
        return NAMES | ANYTHING
    return ANYTHING


CONFIGS = shaped(Config)
ROUGH = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class AnyConfigurationTests(SynchronousTestCase):
    """
    Any data results in a usable configuration or a clear error.
    """

    def outcome(self, data):
        """
        Return the configuration, or C{None}, and all messages about the data.
        """
        environ = {**ENVIRON, "SECRET": MARK}
        try:
            config, warnings = check(data, environ, FOLDER)
        except ConfigError as error:
            self.assertTrue(error.errors)
            for fault in error.errors:
                self.assertTrue(fault and "\n" not in fault, fault)
            return None, str(error)
        return config, "\n".join(warnings)

    def assertUsable(self, config):
        """
        Assert that the configuration has everything that the daemon reads.
        """
        agents = config.agentSettings()
        ids = [agent.id for agent in agents]
        self.assertIn(config.defaultAgentID(), ids)
        self.assertEqual(len(set(ids)), len(ids))
        for agent in agents:
            for reference in (agent.model.primary, *agent.model.fallbacks):
                self.assertIsNone(config.missingModelReason(reference))
        self.assertIsInstance(config.gateway.onLoopback(), bool)

    @ROUGH
    @given(ANYTHING)
    def test_nothingGetsThroughUnchecked(self, data):
        """
        Arbitrary data results in a clear error, too.
        """
        config, _ = self.outcome(data)
        if config is not None:
            self.assertUsable(config)

    @ROUGH
    @given(CONFIGS)
    def test_noSecretIsSeen(self, data):
        """
        Neither messages nor the C{repr} of a configuration show a secret, valid or not.
        """
        config, said = self.outcome(data)
        for text in (said, repr(config)):
            self.assertNotIn(MARK, text)
            self.assertNotIn(str(NUMERIC_MARK), text)
        if config is not None:
            self.assertUsable(config)


class AnyFileTests(SynchronousTestCase):
    """
    Messages about any file show no secrets.
    """

    def setUp(self):
        """
        Choose a path for the file.
        """
        self.base = self.mktemp()

    @given(
        st.sampled_from(
            [
                "gateway:\n  auth:\n    token: SECRET\n",
                "{gateway: {auth: {token: SECRET}}}",
                "{gateway: {auth: {token: 'SECRET'}}}",
                '{"gateway": {"auth": {"token": "SECRET"}}}',
            ]
        ),
        st.lists(
            st.sampled_from([MARK, *"{}[]'\"\\: #&*!|>%@`?-0a\t\x01"]), max_size=8
        ),
    )
    def test_noSyntaxErrorShowsASecret(self, form, pieces):
        """
        The message about a syntax error does not show the token that causes it.
        """
        token = "".join([*pieces, MARK])
        text = form.replace("SECRET", token)
        for ending in ("yaml", "json5"):
            path = Path(f"{self.base}.{ending}").absolute()
            path.write_text(text)
            try:
                loaded = loadConfig(path, {})
            except ConfigError as error:
                self.assertNotIn(MARK, str(error))
            else:
                self.assertNotIn(MARK, repr(loaded))
