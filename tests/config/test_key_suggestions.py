"""
Tests of L{openclaw.config.key_suggestions}.
"""

from twisted.trial.unittest import SynchronousTestCase

from tests.config.check_helpers import at, warningsOf


class SuggestionTests(SynchronousTestCase):
    """
    The warning about an unknown key suggests a correction.
    """

    def assertAdvice(self, path, value, advice):
        """
        Assert the end of the warning about a key.
        """
        self.assertEqual(warningsOf(at(path, value)), [f"{path}: unknown key{advice}"])

    def test_similar(self):
        """
        A similar key of the same mapping is suggested.
        """
        for key in ("Port", "prot"):
            self.assertAdvice(f"gateway.{key}", 1, '; did you mean "port"?')
        for key in ("timeout_seconds", "timeout-seconds"):
            advice = '; did you mean "timeoutSeconds"?'
            self.assertAdvice(f"agents.defaults.{key}", 1, advice)

    def test_elsewhere(self):
        """
        A key of another mapping is suggested with its whole path.
        """
        for path, place in (
            ("gateway.chatCompletions", "gateway.http.endpoints.chatCompletions"),
            ("chatCompletions", "gateway.http.endpoints.chatCompletions"),
            ("gateway.baseUrl", "models.providers.<name>.baseUrl"),
            ("drainSeconds", "gateway.drainSeconds"),
        ):
            self.assertAdvice(path, {}, f", ignored; did you mean {place}?")

    def test_missingLevel(self):
        """
        An entry one level too high is reported with its right place.
        """
        self.assertAdvice(
            "models.acme",
            {"baseUrl": "https://acme.example/v1", "apiKey": "k"},
            ", ignored; did you mean models.providers.acme?",
        )
        self.assertAdvice(
            "agents.ops",
            {"tools": {"profile": "coding"}},
            ", ignored; did you mean agents.entries.ops?",
        )

    def test_none(self):
        """
        A key at many places, or at none, is only reported as ignored.
        """
        for path in ("channels", "gateway.nonsense", "gateway.model"):
            self.assertAdvice(path, 1, ", ignored")

    def test_bareVariable(self):
        """
        The name of a variable without braces is literal text, with a warning.
        """
        path = "gateway.auth.token"
        self.assertEqual(
            warningsOf(at(path, "$ACME_KEY")),
            [
                f'{path}: "$ACME_KEY" is taken literally; for the variable, write'
                ' "${ACME_KEY}"'
            ],
        )
        for plain in ("$5", "a$ACME", "$ACME-KEY", "cost$"):
            self.assertEqual(warningsOf(at(path, plain)), [])
