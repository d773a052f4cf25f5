"""
Tests for L{openclaw.config.gateway_credential}.
"""

from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import Auth, Config, Gateway, Secret, resolveCredential

TOKEN = {"OPENCLAW_GATEWAY_TOKEN": "env-token"}
PASSWORD = {"OPENCLAW_GATEWAY_PASSWORD": "env-password"}


class CredentialInForceTests(SynchronousTestCase):
    """
    The effective credential and its source.
    """

    def assertInForce(self, auth, environ, mode, secret, source):
        """
        Assert the effective credential of a configuration and environment.
        """
        config = Config(gateway=Gateway(auth=Auth(**auth)))
        self.assertEqual(
            resolveCredential(config, environ),
            (mode, secret and Secret(secret), source),
        )

    def test_theConfigurationWins(self):
        """
        The configuration takes precedence over the environment.
        """
        self.assertInForce(
            {"token": Secret("a")},
            {**TOKEN, **PASSWORD},
            "token",
            "a",
            "gateway.auth.token in the configuration",
        )
        self.assertInForce(
            {"mode": "password", "password": Secret("b")},
            {**TOKEN, **PASSWORD},
            "password",
            "b",
            "gateway.auth.password in the configuration",
        )

    def test_theEnvironmentIsNext(self):
        """
        Without a credential in the file, the mode's variable is used.
        """
        self.assertInForce(
            {}, {**TOKEN, **PASSWORD}, "token", "env-token", "OPENCLAW_GATEWAY_TOKEN"
        )
        self.assertInForce(
            {"mode": "password"},
            {**TOKEN, **PASSWORD},
            "password",
            "env-password",
            "OPENCLAW_GATEWAY_PASSWORD",
        )

    def test_withoutAModeAPasswordIsEnough(self):
        """
        A password without a mode selects the mode C{password}.
        """
        self.assertInForce(
            {"password": Secret("b")},
            {},
            "password",
            "b",
            "gateway.auth.password in the configuration",
        )
        self.assertInForce(
            {}, PASSWORD, "password", "env-password", "OPENCLAW_GATEWAY_PASSWORD"
        )

    def test_withoutAnythingATokenIsToBeMade(self):
        """
        Without a credential the mode is C{token} without a token; an empty variable is
        ignored.
        """
        for environ in ({}, {"OPENCLAW_GATEWAY_TOKEN": " \n"}):
            for auth in ({}, {"mode": "token", "password": Secret("b")}):
                self.assertInForce(auth, environ, "token", None, "none configured")

    def test_noneMeansNone(self):
        """
        C{mode: none} ignores all credentials.
        """
        self.assertInForce(
            {"mode": "none", "token": Secret("a")},
            TOKEN,
            "none",
            None,
            "none configured",
        )

    def test_blanksAroundAVariableAreNoPartOfIt(self):
        """
        Surrounding blanks and line breaks of a variable are removed.
        """
        self.assertInForce(
            {},
            {"OPENCLAW_GATEWAY_TOKEN": "env-token\n"},
            "token",
            "env-token",
            "OPENCLAW_GATEWAY_TOKEN",
        )
