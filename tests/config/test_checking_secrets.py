"""
Tests for L{openclaw.config.checking}: what is not shown, and what is not looked at.
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
        A token of the wrong kind, or in the wrong place, is named by its kind only.
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
        A variable may hold a secret, whatever key it was put into.
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
        An empty token would let everybody in; one with a line break, nobody.
        """
        for token in ("", " a", "a\t", "a\nb", "a\x00"):
            (fault,) = faultsOf(at("gateway.auth.token", token))
            self.assertTrue(fault.startswith("gateway.auth.token: "))


class UnknownKeyTests(SynchronousTestCase):
    """
    A key that means nothing is mentioned, and does no harm.
    """

    def test_theNearestKeyIsSuggested(self):
        """
        A typing error is found by its line.
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
        No far-fetched advice is given.
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
        A configuration of the original works, though most of it means nothing here:
        not even a variable that only the original needs has to exist.
        """
        self.assertEqual(
            warningsOf(at("channels.telegram", {"botToken": "${TELEGRAM_TOKEN}"})),
            ["channels: unknown key, ignored"],
        )

    def test_warningsStandBesideTheConfiguration(self):
        """
        Known keys are in force beside unknown ones.
        """
        data = merged(at("gateway.port", 1), at("gateway.prot", 2))
        self.assertEqual(configOf(data).gateway.port, 1)
