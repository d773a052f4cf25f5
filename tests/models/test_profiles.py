"""
Tests of L{openclaw.models.profiles} and of the tables of profiles.
"""

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import openclaw.models
from openclaw.config import Compat, Model
from openclaw.models import model_families, profile_table
from openclaw.models.profile_table import ROWS
from openclaw.models.profiles import DEFAULT_PROFILE, Profile
from tests.models.model_requests import profileOf

SAMPLING = {"temperature", "top_p"}


class TableTests(SynchronousTestCase):
    """
    The rows of the tables.
    """

    def test_unknown(self) -> None:
        """
        An unknown server gets all fields.
        """
        self.assertEqual(profileOf(), DEFAULT_PROFILE)

    def test_hostOrName(self) -> None:
        """
        A provider is recognised by its URL, whatever its name, or by its name, in any
        case; not by similar ones.
        """
        for name, url, isKnown in (
            ("vendor", "https://api.mistral.ai/v1", True),
            ("vendor", "https://codestral.mistral.ai/v1", True),
            ("vendor", "https://api.mistral.ai.evil.test/v1", False),
            ("vendor", "https://notmistral.ai/v1", False),
            ("Mistral", "http://127.0.0.1:8000/v1", True),
            ("mistral-7b", "http://127.0.0.1:8000/v1", False),
        ):
            profile = profileOf(name=name, baseUrl=url)
            self.assertEqual(profile.seedField == "random_seed", isKnown, (name, url))

    def test_port(self) -> None:
        """
        Servers on this machine are recognised by their ports.
        """
        ollama = profileOf(baseUrl="http://localhost:11434/v1")
        self.assertIn("logit_bias", ollama.dropParams)
        studio = profileOf(baseUrl="http://192.0.2.1:1234/v1")
        self.assertFalse(studio.supportsNamedToolChoice)

    def test_unopenedThinkTag(self) -> None:
        """
        The templates of some models have the opening tag of the reasoning in the
        prompt.
        """
        for model, isOpened in (
            ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", True),
            ("Qwen/QwQ-32B", True),
            ("Qwen3-30B-A3B-Thinking-2507", True),
            ("Qwen3-30B-A3B-Instruct-2507", False),
            ("deepseek-reasoner", False),
        ):
            self.assertEqual(profileOf(model=model).unopenedThinkTag, isOpened, model)
        url = "https://openrouter.ai/api/v1"
        self.assertFalse(profileOf(model="qwen/qwq-32b", baseUrl=url).unopenedThinkTag)

    def test_claude(self) -> None:
        """
        From Opus 4.7 and Sonnet 5 on, Claude accepts neither temperature nor top_p;
        from 4.1 to 4.6 only one of them, and before that both; on every API.
        """
        for model, refusesBoth, onlyOne in (
            ("claude-opus-4-7", True, False),
            ("claude-opus-4-7-20260416", True, False),
            ("claude-opus-4-10", True, False),
            ("claude-sonnet-5", True, False),
            ("claude-sonnet-5-20260930", True, False),
            ("claude-haiku-5-1", True, False),
            ("anthropic/claude-4.7-opus", True, False),
            ("anthropic/claude-opus-4.7", True, False),
            ("us.anthropic.claude-opus-4-8-v1:0", True, False),
            ("claude-opus-4-6", False, True),
            ("claude-sonnet-4-5-20250929", False, True),
            ("claude-opus-4-1-20250805", False, True),
            ("claude-opus-4-20250514", False, False),
            ("claude-3-7-sonnet-20250219", False, False),
            ("claude-3-5-haiku-latest", False, False),
        ):
            for api in ("anthropic-messages", "openai-completions"):
                profile = profileOf(model, api=api)
                self.assertEqual(profile.dropParams >= SAMPLING, refusesBoth, model)
                self.assertEqual(bool(profile.exclusive), onlyOne, model)

    def test_reasoning(self) -> None:
        """
        OpenAI's reasoning models accept no sampling fields, the later ones not while
        they reason; models with similar names do.
        """
        for model, always, reasoning in (
            ("o1", True, False),
            ("o3-mini", True, False),
            ("o4-mini-2025-04-16", True, False),
            ("openai/o3", True, False),
            ("gpt-5", True, False),
            ("gpt-5-mini", True, False),
            ("openai/gpt-5-nano", True, False),
            ("gpt-5.1", False, True),
            ("gpt-5.2-pro", False, True),
            ("gpt-6", False, True),
            ("gpt-5-chat-latest", False, False),
            ("gpt-5.1-chat-latest", False, False),
            ("gpt-4o", False, False),
            ("gpt-4.1", False, False),
            ("gpt-oss-120b", False, False),
            ("olmo-3", False, False),
        ):
            for api in ("openai-completions", "openai-responses"):
                profile = profileOf(model, api=api)
                self.assertEqual(profile.dropParams >= SAMPLING, always, model)
                self.assertEqual(profile.dropWhenThinking >= SAMPLING, reasoning, model)

    def test_sources(self) -> None:
        """
        Each row follows a comment with its source, or another row of that source.
        """
        for module in (profile_table, model_families):
            text = Path(module.__file__).read_text()
            rows = text.count("    ProfileRow(")
            sources = re.findall(r"^    # .*(?:https?://|groq 1\.7)", text, re.M)
            self.assertGreater(len(sources), rows // 2, module)
        self.assertTrue(Path(openclaw.models.__file__).exists())

    def test_everyChangeIsKnown(self) -> None:
        """
        No row changes an attribute that a profile does not have.
        """
        for row in ROWS:
            self.assertLessEqual(row.changes.keys(), set(Profile.__struct_fields__))
            DEFAULT_PROFILE.adjusted(**row.changes)


class ConfiguredTests(SynchronousTestCase):
    """
    The configuration takes precedence over the tables, and a model's over its
    provider's.
    """

    def test_compat(self) -> None:
        """
        Each given key replaces the table's value.
        """
        own = Model(id="m", compat=Compat(supportsUsageInStreaming=True))
        settings = {
            "name": "mistral",
            "compat": Compat(seedField="seed", supportsUsageInStreaming=False),
        }
        profile = profileOf(**settings)
        self.assertEqual(profile.seedField, "seed")
        self.assertFalse(profile.supportsUsageInStreaming)
        self.assertTrue(profile.requiresMistralToolIds)
        profile = profileOf(**settings, models=(own,))
        self.assertTrue(profile.supportsUsageInStreaming)
        self.assertEqual(profile.seedField, "seed")
        other = profileOf("other", **settings, models=(own,))
        self.assertFalse(other.supportsUsageInStreaming)

    def test_everyKeyHasAPlace(self) -> None:
        """
        Each key of C{compat} is an attribute of profiles.
        """
        self.assertLessEqual(
            set(Compat.__struct_fields__), set(Profile.__struct_fields__)
        )

    def test_fields(self) -> None:
        """
        C{dropParams} and C{extraBody} of a model and its provider are merged; required
        fields are never dropped.
        """
        own = Model(id="m", dropParams=("seed",), extraBody={"b": 3, "c": None})
        profile = profileOf(
            models=(own,), dropParams=("stop", "messages"), extraBody={"a": 1, "b": 2}
        )
        self.assertEqual(profile.dropParams, {"seed", "stop"})
        self.assertEqual(profile.extraBody, {"a": 1, "b": 3, "c": None})
