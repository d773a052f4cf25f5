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
    An agent is what its entry says, and else what the defaults say.
    """

    def test_withoutAnyThereIsMain(self):
        """
        The gateway has an agent that can answer, without any configuration.
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
        Keys that an entry leaves out come from C{agents.defaults}.
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
        An entry's keys win, an empty prompt too.
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
        Agents of the list and of the entries stand side by side, in order.
        """
        config = configOf(
            at("agents", {"entries": {"c": None}, "list": [{"id": "b"}, {"id": "a"}]})
        )
        self.assertEqual(
            [agent.id for agent in config.agentSettings()], ["b", "a", "c"]
        )

    def test_anotherEmbeddedModelIsUsed(self):
        """
        Another GGUF file, once configured, is used without being named for each agent.
        """
        (agent,) = configOf(at("models.local.id", "qwen")).agentSettings()
        self.assertEqual(agent.model.primary, ModelRef("local", "qwen"))


class DefaultAgentTests(SynchronousTestCase):
    """
    Callers who name no agent get one.
    """

    def test_theMarkThenMainThenTheFirst(self):
        """
        The mark wins; without it, C{main} does; without that, the first.
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
    The configured properties of a model can be asked for.
    """

    def test_aListedModelIsFound(self):
        """
        The limits that somebody wrote down for a model are those that hold.
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
        The embedded model reads text, as much as its conversations can hold.
        """
        config = configOf(at("models.local", {"id": "qwen", "contextSize": 512}))
        self.assertEqual(
            config.findModel(ModelRef("local", "qwen")),
            Model(id="qwen", contextWindow=512, input=("text",)),
        )

    def test_ofOthersNothingIsKnown(self):
        """
        A model that is not listed, or of no provider, has no limits to go by.
        """
        config = configOf(at("models.providers.example.baseUrl", "http://a"))
        for text in ("example/a", "other/a", "local/a"):
            self.assertIsNone(config.findModel(ModelRef.parse(text)))


class ModelRefTests(SynchronousTestCase):
    """
    A model is written with its provider.
    """

    def test_theFirstSlashSeparates(self):
        """
        The ids of many models hold slashes of their own.
        """
        reference = ModelRef.parse("openrouter/meta/llama-3")
        self.assertEqual(reference, ModelRef("openrouter", "meta/llama-3"))
        self.assertEqual(str(reference), "openrouter/meta/llama-3")

    def test_bothPartsAreNeeded(self):
        """
        A bare id, or a slash at an end, names no model.
        """
        for text in ("", "gpt-4o", "/gpt-4o", "openai/", "a/b c", " a/b", "a/b\n"):
            self.assertRaises(ValueError, ModelRef.parse, text)
