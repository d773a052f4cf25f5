"""
Tests for L{openclaw.config.agent_settings} and L{openclaw.config.root}.
"""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import (
    AgentSettings,
    Config,
    Model,
    ModelChoice,
    ModelRef,
    ToolSelection,
)
from tests.config.check_helpers import at, configOf, merged

EMBEDDED = ModelChoice(primary=ModelRef("local", "smollm2-135m-instruct"))


class AgentSettingsTests(SynchronousTestCase):
    """
    An agent's settings are those of its entry, and otherwise the defaults.
    """

    def test_withoutAnyThereIsMain(self):
        """
        Without any configuration there is an agent.
        """
        self.assertEqual(
            Config().agentSettings(),
            (
                AgentSettings(
                    id="main",
                    name="main",
                    model=EMBEDDED,
                    systemPrompt=None,
                    workspace=None,
                    timeoutSeconds=600,
                    maxModelCalls=25,
                    tools=ToolSelection(),
                ),
            ),
        )

    def test_theDefaultsApply(self):
        """
        Missing keys of an entry come from C{agents.defaults}.
        """
        config = configOf(
            merged(
                at("models.providers.example.baseUrl", "http://a"),
                at(
                    "agents.defaults",
                    {
                        "model": "example/a",
                        "systemPrompt": "Be brief.",
                        "workspace": "/w",
                        "timeoutSeconds": 5,
                        "maxModelCalls": 6,
                        "tools": {"profile": "readonly"},
                    },
                ),
                at("agents.list", [{"id": "A"}]),
            )
        )
        self.assertEqual(
            config.agentSettings(),
            (
                AgentSettings(
                    id="a",
                    name="a",
                    model=ModelChoice(primary=ModelRef("example", "a")),
                    systemPrompt="Be brief.",
                    workspace=Path("/w"),
                    timeoutSeconds=5,
                    maxModelCalls=6,
                    tools=ToolSelection(profile="readonly"),
                ),
            ),
        )

    def test_theEntryWins(self):
        """
        An entry's keys take precedence, including an empty prompt.
        """
        entry = {
            "name": "The B",
            "model": {
                "primary": "local/smollm2-135m-instruct",
                "fallbacks": ["example/b"],
            },
            "systemPrompt": "",
            "workspace": "/v",
            "timeoutSeconds": 7,
            "maxModelCalls": 8,
            "tools": {"profile": "coding"},
        }
        config = configOf(
            merged(
                at("models.providers.example.baseUrl", "http://a"),
                at(
                    "agents.defaults",
                    {"model": "example/a", "systemPrompt": "x", "workspace": "/w"},
                ),
                at("agents.entries.B", entry),
            )
        )
        self.assertEqual(
            config.agentSettings(),
            (
                AgentSettings(
                    id="b",
                    name="The B",
                    model=ModelChoice(
                        primary=EMBEDDED.primary,
                        fallbacks=(ModelRef("example", "b"),),
                    ),
                    systemPrompt="",
                    workspace=Path("/v"),
                    timeoutSeconds=7,
                    maxModelCalls=8,
                    tools=ToolSelection(profile="coding"),
                ),
            ),
        )

    def test_bothFormsAreAgents(self):
        """
        Agents of the list and of the entries are combined, in order.
        """
        config = configOf(
            at("agents", {"entries": {"c": None}, "list": [{"id": "b"}, {"id": "a"}]})
        )
        self.assertEqual(
            [agent.id for agent in config.agentSettings()], ["b", "a", "c"]
        )

    def test_anotherEmbeddedModelIsUsed(self):
        """
        A configured GGUF file is the default model of all agents.
        """
        (agent,) = configOf(at("models.local.id", "qwen")).agentSettings()
        self.assertEqual(agent.model.primary, ModelRef("local", "qwen"))


class DefaultAgentTests(SynchronousTestCase):
    """
    The default agent.
    """

    def test_theMarkThenMainThenTheFirst(self):
        """
        It is the agent with C{default}; without one, C{main}; without that, the first.
        """
        for entries, expected in (
            ({}, "main"),
            ({"a": {}, "b": {}}, "a"),
            ({"a": {}, "Main": {}}, "main"),
            ({"a": {}, "main": {}, "b": {"default": True}}, "b"),
        ):
            config = configOf(at("agents.entries", entries))
            self.assertEqual(config.defaultAgentID(), expected)


class ConfiguredModelTests(SynchronousTestCase):
    """
    The configured properties of a model.
    """

    def test_aListedModelIsFound(self):
        """
        The configured limits of a model are returned.
        """
        models = ["a", {"id": "b/c", "contextWindow": 8192, "input": ["image"]}]
        config = configOf(
            at("models.providers.example", {"baseUrl": "http://a", "models": models})
        )
        self.assertEqual(
            config.findModel(ModelRef("example", "b/c")),
            Model(id="b/c", contextWindow=8192, input=("image",)),
        )
        self.assertEqual(config.findModel(ModelRef("example", "a")), Model(id="a"))

    def test_theEmbeddedOneHasItsContext(self):
        """
        The embedded model accepts text, up to its context size.
        """
        config = configOf(at("models.local", {"id": "qwen", "contextSize": 512}))
        self.assertEqual(
            config.findModel(ModelRef("local", "qwen")),
            Model(id="qwen", contextWindow=512, input=("text",)),
        )

    def test_ofOthersNothingIsKnown(self):
        """
        A model that is not listed has no limits.
        """
        config = configOf(at("models.providers.example.baseUrl", "http://a"))
        for text in ("example/a", "other/a", "local/a"):
            self.assertIsNone(config.findModel(ModelRef.parse(text)))


class ModelRefTests(SynchronousTestCase):
    """
    References to models.
    """

    def test_theFirstSlashSeparates(self):
        """
        The first slash separates the provider; the id may contain more.
        """
        reference = ModelRef.parse("openrouter/meta/llama-3")
        self.assertEqual(reference, ModelRef("openrouter", "meta/llama-3"))
        self.assertEqual(str(reference), "openrouter/meta/llama-3")

    def test_bothPartsAreNeeded(self):
        """
        A bare id, and a slash at an end, are rejected.
        """
        for text in ("", "gpt-4o", "/gpt-4o", "openai/", "a/b c", " a/b", "a/b\n"):
            self.assertRaises(ValueError, ModelRef.parse, text)
