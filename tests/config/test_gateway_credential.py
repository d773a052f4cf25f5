"""
Tests for L{openclaw.config.gateway_credential}.
"""

from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import Auth, Config, Gateway, Secret, resolveCredential

TOKEN = {"OPENCLAW_GATEWAY_TOKEN": "env-token"}
PASSWORD = {"OPENCLAW_GATEWAY_PASSWORD": "env-password"}


class CredentialInForceTests(SynchronousTestCase):
    """
    There is one answer to what callers must show, and where it comes from.
    """

    def assertInForce(self, auth, environ, mode, secret, source):
        """
        With this configuration and environment, this credential is in force.
        """
        config = Config(gateway=Gateway(auth=Auth(**auth)))
        self.assertEqual(
            resolveCredential(config, environ),
            (mode, secret and Secret(secret), source),
        )

    def test_theConfigurationWins(self):
        """
        A variable that is left over in the environment changes nothing.
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
        Without a credential in the file, the variable of the mode is used.
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
        A password without a mode means the password mode.
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
        A gateway without a credential is a token gateway that has none yet; an
        empty variable is no credential.
        """
        for environ in ({}, {"OPENCLAW_GATEWAY_TOKEN": " \n"}):
            for auth in ({}, {"mode": "token", "password": Secret("b")}):
                self.assertInForce(auth, environ, "token", None, "none configured")

    def test_noneMeansNone(self):
        """
        A gateway that is told to ask for nothing does not, whatever it finds.
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
        A line break that a file of variables leaves behind locks nobody out.
        """
        self.assertInForce(
            {},
            {"OPENCLAW_GATEWAY_TOKEN": "env-token\n"},
            "token",
            "env-token",
            "OPENCLAW_GATEWAY_TOKEN",
        )
