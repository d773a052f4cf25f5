"""
Tests for L{openclaw.config.checking}: single values.
"""

import datetime
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import (
    Config,
    Model,
    ModelChoice,
    ModelRef,
    Secret,
)
from openclaw.errors import ConfigError
from tests.config.check_helpers import FOLDER, at, check, configOf, faultsOf, merged

ENDPOINT = "gateway.http.endpoints.chatCompletions"
PROVIDER = at("models.providers.example.baseUrl", "https://api.example.com/v1")


class GoodValuesTests(SynchronousTestCase):
    """
    Valid values are converted to their types.
    """

    def test_nothingGivesTheDefaults(self):
        """
        An empty file, and one with only headings, are the defaults.
        """
        headings = merged(
            at("gateway.auth", None), at("agents.list", None), at("models", None)
        )
        for data in (None, {}, headings):
            self.assertEqual(configOf(data), Config())

    def test_aValueIsKept(self):
        """
        A value of each simple type is in its field.
        """
        config = configOf(
            merged(
                at("gateway.port", 8080),
                at(f"{ENDPOINT}.enabled", True),
                at(f"{ENDPOINT}.modelAliases", {"gpt-4o": "MAIN"}),
                at("session.waitSeconds", 1.5),
                at("logging.level", "debug"),
            )
        )
        endpoint = config.gateway.http.endpoints.chatCompletions
        self.assertEqual(config.gateway.port, 8080)
        self.assertIs(endpoint.enabled, True)
        self.assertEqual(endpoint.modelAliases, {"gpt-4o": "main"})
        self.assertEqual(config.session.waitSeconds, 1.5)
        self.assertEqual(config.logging.level, "debug")

    def test_wholeNumbersAreNumbers(self):
        """
        C{30} is accepted in place of C{30.0}.
        """
        seconds = configOf(at("session.waitSeconds", 30)).session.waitSeconds
        self.assertEqual((seconds, type(seconds)), (30.0, float))

    def test_secretsAreWrapped(self):
        """
        Each of the four kinds of secret is a L{Secret}.
        """
        config = configOf(
            merged(
                at("gateway.auth", {"token": "t1", "password": "p1"}),
                PROVIDER,
                at("models.providers.example.apiKey", "k1"),
                at("models.providers.example.headers", {"X-Key": "h1"}),
            )
        )
        example = config.models.providers["example"]
        self.assertEqual(config.gateway.auth.token, Secret("t1"))
        self.assertEqual(config.gateway.auth.password, Secret("p1"))
        self.assertEqual(example.apiKey, Secret("k1"))
        self.assertEqual(example.headers, {"X-Key": Secret("h1")})

    def test_aModelIsAStringOrAChoice(self):
        """
        Both forms of a model are equivalent, and its id may contain slashes.
        """
        short = configOf(merged(PROVIDER, at("agents.defaults.model", "example/a/b")))
        self.assertEqual(
            short.agents.defaults.model, ModelChoice(primary=ModelRef("example", "a/b"))
        )
        long = configOf(
            merged(
                PROVIDER,
                at("agents.defaults.model.primary", "example/a/b"),
                at("agents.defaults.model.fallbacks", ["example/c"]),
            )
        )
        self.assertEqual(
            long.agents.defaults.model,
            ModelChoice(
                primary=ModelRef("example", "a/b"),
                fallbacks=(ModelRef("example", "c"),),
            ),
        )

    def test_aProvidersModelMayBeJustItsId(self):
        """
        A list of models may contain strings.
        """
        config = configOf(
            merged(
                PROVIDER,
                at("models.providers.example.models", ["a", {"id": "b", "input": []}]),
            )
        )
        self.assertEqual(
            config.models.providers["example"].models,
            (Model(id="a"), Model(id="b", input=())),
        )

    def test_anyDialectHasItsName(self):
        """
        A plug-in's dialect may have any name.
        """
        api = "models.providers.example.api"
        self.assertEqual(
            configOf(PROVIDER).models.providers["example"].api, "openai-completions"
        )
        for name in ("openai-responses", "google-generative-ai", "ollama", "my-own-2"):
            config = configOf(merged(PROVIDER, at(api, name)))
            self.assertEqual(config.models.providers["example"].api, name)
        for name in ("", "OpenAI", "a b", "a\n", "../a"):
            (fault,) = faultsOf(merged(PROVIDER, at(api, name)))
            self.assertTrue(fault.startswith(f"{api}: expected the name of a dialect"))

    def test_pathsStartFromTheFileAndHome(self):
        """
        A path does not depend on the daemon's working directory.
        """
        for written, meant in (
            ("key.pem", FOLDER / "key.pem"),
            ("/etc/key.pem", Path("/etc/key.pem")),
            ("~/key.pem", Path("/home/claw/key.pem")),
            ("~", Path("/home/claw")),
            ("./~/key.pem", FOLDER / "~/key.pem"),
        ):
            config = configOf(at("session.store", written))
            self.assertEqual(config.session.store, meant)

    def test_stringsTakeVariables(self):
        """
        A key can come from the environment.
        """
        config = configOf(at("gateway.auth.token", "a-${TOKEN}"), TOKEN="b")
        self.assertEqual(config.gateway.auth.token, Secret("a-b"))

    def test_addressesCanBeBoundTo(self):
        """
        The names of interfaces and IP addresses are accepted.
        """
        for bind, interface, loopback in (
            ("loopback", "127.0.0.1", True),
            ("lan", "0.0.0.0", False),
            ("192.0.2.1", "192.0.2.1", False),
            ("::1", "::1", True),
            ("127.0.0.9", "127.0.0.9", True),
        ):
            gateway = configOf(at("gateway.bind", bind)).gateway
            self.assertEqual(gateway.interface(), interface)
            self.assertEqual(gateway.onLoopback(), loopback)


class FaultTests(SynchronousTestCase):
    """
    An error has the key, the value, and the expected type.
    """

    def assertFault(self, path, value, text, **environ):
        """
        Assert that a value at a path causes exactly this error.
        """
        self.assertEqual(faultsOf(at(path, value), **environ), [f"{path}: {text}"])

    def test_theKindOfTheValueIsNamed(self):
        """
        The line has the actual and the expected type.
        """
        wanted = "expected an integer between 0 and 65535, got"
        for value, kind in (
            ("abc", 'the string "abc"'),
            (70000, "the integer 70000"),
            (-1, "the integer -1"),
            (1.5, "the number 1.5"),
            (True, "the boolean true"),
            ([], "a list"),
            ({}, "a mapping"),
            (datetime.date(2026, 1, 31), "a date"),
            (b"80", "binary data"),
            ({80}, "a set"),
            (10**5000, "an integer"),
            ("80" * 30, 'the string "' + "80" * 20 + '..."'),
        ):
            self.assertFault("gateway.port", value, f"{wanted} {kind}")

    def test_eachKindOfKeySaysWhatItTakes(self):
        """
        The line has the expected values of each type.
        """
        for path, value, text in (
            (f"{ENDPOINT}.enabled", "yes", 'true or false, got the string "yes"'),
            (
                "session.waitSeconds",
                float("nan"),
                "a number between 0 and 604800, got the number nan",
            ),
            (
                "agents.defaults.timeoutSeconds",
                0,
                "a number above 0, at most 604800, got the integer 0",
            ),
            (
                "models.local.start",
                "never",
                '"firstUse" or "atOnce", got the string "never"',
            ),
            (
                "agents.defaults.model",
                "gpt-4o",
                'a model as "provider/id", got the string "gpt-4o"',
            ),
            (
                "agents.defaults.model",
                7,
                'a model as "provider/id", or a mapping with "primary" and '
                '"fallbacks", got an integer',
            ),
            (
                "gateway.bind",
                "tailnet",
                '"loopback", "lan", "custom" or an IP address, got the string '
                '"tailnet"',
            ),
            ("agents.list", "main", "a list, got a string"),
            ("agents.entries", [], "a mapping, got a list"),
            ("session", "sqlite", "a mapping, got a string"),
        ):
            self.assertFault(path, value, f"expected {text}")

    def test_whatYAMLTakesForSomethingElseWantsQuotes(self):
        """
        For an agent called C{no} or C{12}, the error recommends quotes.
        """
        for value, kind in ((False, "boolean false"), (12, "integer 12")):
            self.assertFault(
                "agents.defaults.systemPrompt",
                value,
                f"expected a string, got the {kind}; put it in quotes",
            )

    def test_everyFaultIsShown(self):
        """
        All errors of a file are reported together.
        """
        data = {
            "gateway": {"port": "x", "drainSeconds": -1},
            "agents": {"list": [{"id": "a"}, {"id": 1}, {"name": "b"}, 5]},
            "session": {"maxWaiting": 0.5},
        }
        self.assertEqual(
            [fault.partition(":")[0] for fault in faultsOf(data)],
            [
                "gateway.port",
                "gateway.drainSeconds",
                "agents.list[1].id",
                "agents.list[2].id",
                "agents.list[3]",
                "session.maxWaiting",
            ],
        )

    def test_whatIsRequiredIsMissed(self):
        """
        A provider without its URL, or with C{null}, is rejected.
        """
        for entry in ({}, {"baseUrl": None}, None):
            self.assertEqual(
                faultsOf(at("models.providers.example", entry)),
                [
                    "models.providers.example.baseUrl: missing; expected an http or "
                    "https URL"
                ],
            )
        self.assertEqual(
            faultsOf(at("agents.defaults.model.fallbacks", [])),
            [
                "agents.defaults.model.primary: missing; expected a model as "
                '"provider/id"'
            ],
        )

    def test_keysThatAreNamesAreChecked(self):
        """
        Ids of agents, names of providers and of headers have their own rules.
        """
        for path, key in (
            ("agents.entries", "a b"),
            ("agents.entries", "x" * 65),
            ("agents.entries", "agent\n"),
            ("agents.entries", False),
            ("models.providers", "a/b"),
            ("models.providers", ""),
        ):
            (fault,) = faultsOf(at(path, {key: {"baseUrl": "http://a"}}))
            self.assertTrue(fault.startswith(f"{path}: invalid key: expected "), fault)
        headers = merged(PROVIDER, at("models.providers.example.headers", {"X Y": "z"}))
        self.assertEqual(
            faultsOf(headers),
            [
                "models.providers.example.headers: invalid key: expected a name that "
                "HTTP allows for a header, got a string"
            ],
        )

    def test_unusualKeysAreQuoted(self):
        """
        A path stays on its line, and dots inside of keys are distinguished.
        """
        path = f"{ENDPOINT}.modelAliases"
        self.assertEqual(
            [fault.partition(": ")[0] for fault in faultsOf(at(path, {"a.b\n": "x"}))],
            [f'{path}."a.b\\n"'],
        )

    def test_nothingUnprintableIsShown(self):
        """
        A message has no control characters, and can be encoded.
        """
        text = "a\u202e\x1b[2J"
        for data in (
            at("logging.level", text),
            at("agents.entries", {text: {}}),
            at(f"{ENDPOINT}.modelAliases", {text: "x"}),
        ):
            (fault,) = faultsOf(data)
            self.assertTrue(fault.isprintable(), ascii(fault))

    def test_aMissingVariableIsNamed(self):
        """
        The line has the key and the variable.
        """
        self.assertFault(
            "agents.defaults.systemPrompt",
            "I am ${NAME}",
            "the environment has no variable NAME; set it for the daemon and restart",
        )

    def test_badURLsAreRefused(self):
        """
        An invalid URL of a provider is rejected.
        """
        for url in (
            "api.example.com/v1",
            "ftp://api.example.com",
            "https://",
            "https://a b/",
            "https://a:port/",
            "https://[::1/",
            "https://a/ ",
            "https://user:hunter2@a/",
            "https://a/?key=hunter2",
            "https://a/#top",
        ):
            (fault,) = faultsOf(at("models.providers.example.baseUrl", url))
            self.assertTrue(fault.startswith("models.providers.example.baseUrl: "))
            self.assertNotIn("hunter2", fault)

    def test_textThatIsNoTextIsRefused(self):
        """
        A lone surrogate is rejected.
        """
        got = "got a string that is not valid Unicode"
        for path, wanted in (
            ("agents.defaults.systemPrompt", "a string"),
            ("gateway.port", "an integer between 0 and 65535"),
            ("models.local.start", '"firstUse" or "atOnce"'),
        ):
            self.assertFault(path, "a\ud800", f"expected {wanted}, {got}")

    def test_impossiblePathsAreRefused(self):
        """
        An empty path is an error, and so is one with a NUL.
        """
        for path in ("", "a\0b", "~nobody-of-that-name/x"):
            (fault,) = faultsOf(at("session.store", path))
            self.assertTrue(fault.startswith("session.store: "), fault)

    def test_theFileIsNamed(self):
        """
        The first line of the error has the file and the number of errors.
        """
        error = self.assertRaises(
            ConfigError, check, at("gateway.port", "x"), {}, FOLDER, "/srv/a.yaml"
        )
        self.assertEqual(str(error).splitlines()[0], "/srv/a.yaml: 1 error:")
        self.assertEqual(str(error).splitlines()[1:], [f"  {error.errors[0]}"])
