"""
Tests for L{openclaw.config.checking}: secrets and unknown keys.
"""

from twisted.trial.unittest import SynchronousTestCase

from tests.config.check_helpers import at, configOf, faultsOf, merged, warningsOf

PROVIDER = at("models.providers.example.baseUrl", "https://api.example.com/v1")


class HiddenValuesTests(SynchronousTestCase):
    """
    Values that may be secrets are never shown.
    """

    def test_aWrongSecretIsNotShown(self):
        """
        For a token of the wrong type, or in the wrong place, only the type is shown.
        """
        for path, value in (
            ("gateway.auth.token", 314159),
            ("gateway.auth.token", ["314159"]),
            ("gateway.auth.token", "314159 "),
            ("gateway.auth.token", "314159\n"),
            ("gateway.auth.token", "314159\ud800"),
            ("gateway.auth", "314159"),
            ("gateway", 314159),
            ("models.providers.example", "314159"),
            ("models.providers.example.headers", "314159"),
            ("models.providers.example.headers", {"X": 314159}),
            ("models.providers.example.headers", {"Bearer 314159": "x"}),
        ):
            (fault,) = faultsOf(merged(PROVIDER, at(path, value)))
            self.assertNotIn("314159", fault)
            self.assertTrue(fault.startswith(path), fault)

    def test_whatCameFromTheEnvironmentIsNotShown(self):
        """
        A variable may contain a secret, whatever key it is used for.
        """
        self.assertEqual(
            faultsOf(at("logging.level", "${LEVEL}"), LEVEL="hunter2"),
            [
                'logging.level: expected "debug", "info", "warn" or "error", '
                "got a string"
            ],
        )

    def test_uselessSecretsAreRefused(self):
        """
        Empty tokens, and those with a line break, are rejected.
        """
        for token in ("", " a", "a\t", "a\nb", "a\x00"):
            (fault,) = faultsOf(at("gateway.auth.token", token))
            self.assertTrue(fault.startswith("gateway.auth.token: "))


class UnknownKeyTests(SynchronousTestCase):
    """
    An unknown key is a warning.
    """

    def test_theNearestKeyIsSuggested(self):
        """
        The warning suggests a similar key.
        """
        for path, nearest in (
            ("gateway.prot", "port"),
            ("gatway", "gateway"),
            ("models.providers.example.baseURL", "baseUrl"),
            ("agents.defaults.sytemPromt", "systemPrompt"),
        ):
            self.assertEqual(
                warningsOf(merged(PROVIDER, at(path, {}))),
                [f'{path}: unknown key; did you mean "{nearest}"?'],
            )

    def test_aKeyLikeNoOtherIsJustIgnored(self):
        """
        Without a similar key there is no suggestion.
        """
        self.assertEqual(
            warningsOf({"channels": {}, True: 1}),
            [
                "channels: unknown key, ignored",
                "the boolean true: unknown key, ignored",
            ],
        )

    def test_itsContentIsNotLookedAt(self):
        """
        A configuration of the original works, though most keys are unknown: their
        content, including variables, is not checked.
        """
        self.assertEqual(
            warningsOf(at("channels.telegram", {"botToken": "${TELEGRAM_TOKEN}"})),
            ["channels: unknown key, ignored"],
        )

    def test_warningsStandBesideTheConfiguration(self):
        """
        Known keys are used beside unknown ones.
        """
        data = merged(at("gateway.port", 1), at("gateway.prot", 2))
        self.assertEqual(configOf(data).gateway.port, 1)
