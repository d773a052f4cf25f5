"""
Tests of L{openclaw.agents.agent_directory}: the choice of the model.
"""

from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.agent_directory import MODEL_HEADER, AgentDirectory
from openclaw.auth.realm import Operator
from openclaw.config import ModelRef
from openclaw.errors import NotFound
from tests.config.check_helpers import configOf


class OverrideTests(SynchronousTestCase):
    """
    A caller can request another model than the agent's.
    """

    def setUp(self) -> None:
        """
        Configure providers with and without a list of models.
        """
        model = {"primary": "listed/a", "fallbacks": ["open/z"]}
        providers = {
            "listed": {"baseUrl": "http://a/v1", "models": ["a", "x/b"]},
            "open": {"baseUrl": "http://b/v1"},
        }
        self.directory = AgentDirectory(
            configOf(
                {
                    "agents": {
                        "defaults": {"embeddingModel": "listed/a"},
                        "list": [{"id": "main", "model": model}],
                    },
                    "models": {"providers": providers},
                }
            )
        )
        self.agent = self.directory.agents["main"]

    def override(self, asked: str | None) -> ModelRef | None:
        """
        Return the model for a value of the header.
        """
        return self.directory.resolveModelOverride(
            self.agent, asked, Operator("operator")
        )

    def test_none(self) -> None:
        """
        No header, or an empty one, requests none.
        """
        for asked in (None, "", "  "):
            self.assertIsNone(self.override(asked))

    def test_whole(self) -> None:
        """
        Provider and model, with surrounding blanks.
        """
        self.assertEqual(self.override("listed/a"), ModelRef("listed", "a"))
        self.assertEqual(self.override(" listed/x/b "), ModelRef("listed", "x/b"))

    def test_bare(self) -> None:
        """
        The bare id of a model that a provider lists, or that the agent uses.
        """
        self.assertEqual(self.override("a"), ModelRef("listed", "a"))
        self.assertEqual(self.override("x/b"), ModelRef("listed", "x/b"))
        self.assertEqual(self.override("z"), ModelRef("open", "z"))

    def test_unlisted(self) -> None:
        """
        A provider without a list accepts any model.
        """
        self.assertEqual(self.override("open/any/thing"), ModelRef("open", "any/thing"))

    def test_local(self) -> None:
        """
        The embedded model can always be requested.
        """
        local = self.directory.config.models.local.id
        for asked in (local, f"local/{local}"):
            self.assertEqual(self.override(asked), ModelRef("local", local))

    def test_unknown(self) -> None:
        """
        Everything else is not found: an unknown provider, a model that its provider
        does not list, an unknown bare id.
        """
        for asked in ("ghost/a", "listed/ghost", "ghost", "local/ghost", "open/", "/a"):
            error = self.assertRaises(NotFound, self.override, asked)
            self.assertEqual(error.status, 404)
            self.assertEqual(error.code, "model_not_found")
            self.assertEqual(error.param, MODEL_HEADER)
            self.assertIn(f"'{asked}'", error.message)
