"""
Tests for L{openclaw.config.consistency}: keys that depend on each other.
"""

from twisted.trial.unittest import SynchronousTestCase

from openclaw.config import Config
from tests.config.check_helpers import at, configOf, faultsOf, merged

ALIASES = "gateway.http.endpoints.chatCompletions.modelAliases"


def provider(name, **settings):
    """
    Return a configuration with one provider.
    """
    return at("models.providers", {name: {"baseUrl": "http://a", **settings}})


class ExposedGatewayTests(SynchronousTestCase):
    """
    The address and the authentication.
    """

    def test_aCustomBindNeedsItsAddress(self):
        """
        C{custom} requires an address.
        """
        self.assertEqual(
            faultsOf(at("gateway.bind", "custom")),
            [
                'gateway.customBindHost: missing; "gateway.bind: custom" needs an IP '
                "address"
            ],
        )
        data = at("gateway", {"bind": "custom", "customBindHost": "192.0.2.7"})
        self.assertEqual(configOf(data).gateway.interface(), "192.0.2.7")

    def test_aWrongAddressIsOneFault(self):
        """
        An invalid address is not reported as missing, too.
        """
        data = at("gateway", {"bind": "custom", "customBindHost": "example.com"})
        (fault,) = faultsOf(data)
        self.assertTrue(fault.startswith("gateway.customBindHost: expected an IP"))

    def test_anOpenGatewayIsOnlyForThisMachine(self):
        """
        C{mode: none} requires loopback.
        """
        none = at("gateway.auth.mode", "none")
        for bind in ("lan", "192.0.2.7", "::"):
            (fault,) = faultsOf(merged(none, at("gateway.bind", bind)))
            self.assertTrue(
                fault.startswith('gateway.auth.mode: "none" is only allowed')
            )
        for bind in ("loopback", "127.0.0.1", "::1"):
            configOf(merged(none, at("gateway.bind", bind)))

    def test_tlsNeedsBothFiles(self):
        """
        A certificate without its key is an error, and not plain HTTP.
        """
        for given, missing in (("certPath", "keyPath"), ("keyPath", "certPath")):
            self.assertEqual(
                faultsOf(at(f"gateway.tls.{given}", "a.pem")),
                [f"gateway.tls.{missing}: missing; required with {given}"],
            )
        configOf(at("gateway.tls", {"certPath": "a.pem", "keyPath": "b.pem"}))
        both = at("gateway.tls", {"certPath": "a.pem", "keyPath": 1})
        self.assertEqual(len(faultsOf(both)), 1)

    def test_passwordModeNeedsAPassword(self):
        """
        The password may be in the file or in the environment.
        """
        data = at("gateway.auth.mode", "password")
        (fault,) = faultsOf(data)
        self.assertTrue(fault.startswith("gateway.auth.password: missing"))
        self.assertIn("OPENCLAW_GATEWAY_PASSWORD", fault)
        configOf(data, OPENCLAW_GATEWAY_PASSWORD="p")
        configOf(merged(data, at("gateway.auth.password", "p")))
        wrong = merged(data, at("gateway.auth.password", 5))
        self.assertEqual(len(faultsOf(wrong)), 1)

    def test_trustedProxyModeNeedsProxiesAndAHeader(self):
        """
        The mode requires proxies and the header of the user.
        """
        mode = at("gateway.auth.mode", "trusted-proxy")
        header = at("gateway.auth.trustedProxy.userHeader", "X-User")
        proxies = at("gateway.trustedProxies", ["10.0.0.0/8"])
        keys = ["gateway.trustedProxies", "gateway.auth.trustedProxy.userHeader"]
        found = [fault.partition(":")[0] for fault in faultsOf(mode)]
        self.assertEqual(found, keys)
        self.assertEqual(len(faultsOf(merged(mode, header))), 1)
        self.assertEqual(len(faultsOf(merged(mode, proxies))), 1)
        config = configOf(merged(mode, header, proxies, at("gateway.bind", "lan")))
        self.assertEqual(config.gateway.trustedProxies, ("10.0.0.0/8",))
        wrong = merged(mode, header, at("gateway.trustedProxies", ["10.0.0"]))
        self.assertEqual(len(faultsOf(wrong)), 1)

    def test_trustedProxiesAreAddresses(self):
        """
        A network has no host bits, and never includes all addresses.
        """
        good = ["192.0.2.1", "10.0.0.0/8", "::1", "2001:db8::/32", "unix"]
        configOf(at("gateway.trustedProxies", good))
        for wrong in ("10.0.0.5/8", "0.0.0.0/0", "::/0", "localhost", "", "10.0.0.0/x"):
            (fault,) = faultsOf(at("gateway.trustedProxies", [wrong]))
            self.assertTrue(fault.startswith("gateway.trustedProxies[0]: expected an"))

    def test_tokenModeNeedsNoToken(self):
        """
        Without a token the gateway generates one.
        """
        config = configOf(at("gateway.auth.mode", "token"))
        self.assertEqual(config.gateway.auth.mode, "token")


class AgentsTests(SynchronousTestCase):
    """
    Agents are unique.
    """

    def test_anIdIsTakenOnce(self):
        """
        Duplicate ids are found in both forms, in any case.
        """
        data = {
            "agents": {
                "list": [{"id": "Main"}, {"id": "a"}, {"id": "mAIN"}],
                "entries": {"A": {}, "b": {}},
            }
        }
        self.assertEqual(
            faultsOf(data),
            [
                'agents.list[2].id: the id "main" is used by agents.list[0]',
                'agents.entries.a: the id "a" is used by agents.list[1]',
            ],
        )
        self.assertEqual(
            faultsOf(at("agents.entries", {"A": {}, "a": {}})),
            ["agents.entries.a: duplicates another key, which differs only in case"],
        )

    def test_thereIsOneDefault(self):
        """
        Only one agent can be the default.
        """
        data = {
            "agents": {
                "list": [{"id": "a", "default": True}, {"id": "b", "default": False}],
                "entries": {"c": {"default": True}},
            }
        }
        self.assertEqual(
            faultsOf(data),
            ["agents.entries.c.default: agents.list[0] is already the default"],
        )

    def test_onlyTheDefaultIsCalledDefault(self):
        """
        C{openclaw/default} is unambiguous.
        """
        (fault,) = faultsOf(at("agents.entries", {"main": {}, "default": {}}))
        self.assertTrue(fault.startswith("agents.entries.default: only the default"))
        configOf(at("agents.entries", {"default": {}}))
        configOf(at("agents.entries", {"main": {}, "default": {"default": True}}))

    def test_anAliasLeadsToAnAgent(self):
        """
        An alias requires an existing agent.
        """
        self.assertEqual(
            faultsOf(
                merged(
                    at("agents.entries", {"a": {}, "b": {}}), at(ALIASES, {"x": "c"})
                )
            ),
            [f'{ALIASES}.x: unknown agent "c"; known: a, b'],
        )
        configOf(at(ALIASES, {"x": "main"}))

    def test_aFaultyAgentMakesNoOtherFault(self):
        """
        An alias of an agent with an invalid id is not reported, too.
        """
        data = merged(
            at("agents.list", [{"id": "a!"}, 5, {"id": "b"}]), at(ALIASES, {"x": "a"})
        )
        self.assertEqual(
            [fault.partition(":")[0] for fault in faultsOf(data)],
            ["agents.list[0].id", "agents.list[1]"],
        )


class ModelsTests(SynchronousTestCase):
    """
    Agents use existing models.
    """

    def test_anUnknownProviderIsNamedWithTheKnown(self):
        """
        The error lists the providers.
        """
        data = merged(provider("example"), at("agents.defaults.model", "exmaple/a"))
        self.assertEqual(
            faultsOf(data),
            [
                'agents.defaults.model: no provider "exmaple" is configured; '
                "known: local, example"
            ],
        )

    def test_everyReferenceIsChecked(self):
        """
        Fallbacks and the models of single agents are checked, too.
        """
        model = {"primary": "a/1", "fallbacks": ["local/x", "b/2"]}
        data = {
            "agents": {
                "defaults": {"model": model},
                "list": [{"id": "m", "model": "c/3"}],
                "entries": {"n": {"model": model}},
            }
        }
        self.assertEqual(
            [fault.partition(":")[0] for fault in faultsOf(data)],
            [
                "agents.defaults.model.primary",
                "agents.defaults.model.fallbacks[0]",
                "agents.defaults.model.fallbacks[1]",
                "agents.list[0].model",
                "agents.entries.n.model.primary",
                "agents.entries.n.model.fallbacks[0]",
                "agents.entries.n.model.fallbacks[1]",
            ],
        )

    def test_aListOfModelsIsComplete(self):
        """
        A provider with a list has no other models; one without a list accepts any.
        """
        asked = at("agents.defaults.model", "example/c")
        self.assertEqual(
            faultsOf(merged(provider("example", models=["a", "b"]), asked)),
            [
                'agents.defaults.model: the provider "example" has no model "c"; '
                "it has: a, b"
            ],
        )
        configOf(merged(provider("example", models=[{"id": "c"}]), asked))
        configOf(merged(provider("example", models=[]), asked))

    def test_theEmbeddedModelGoesByItsId(self):
        """
        C{local/} requires the configured id of the embedded model.
        """
        local = at("models.local.id", "qwen")
        configOf(merged(local, at("agents.defaults.model", "local/qwen")))
        (fault,) = faultsOf(
            merged(local, at("agents.defaults.model", "local/smollm2-135m-instruct"))
        )
        self.assertIn("it has: qwen", fault)

    def test_localIsTaken(self):
        """
        No provider can be called C{local}.
        """
        for name in ("local", "Local"):
            self.assertEqual(
                faultsOf(provider(name)),
                [
                    f'models.providers.{name}: the name "local" is reserved for the '
                    "embedded model"
                ],
            )

    def test_aFaultyProviderMakesNoOtherFault(self):
        """
        The models of an invalid provider are not reported as unknown, too.
        """
        asked = at("agents.defaults.model", "example/a")
        for broken in (
            at("models.providers.example", 5),
            at("models.providers.example", {"baseUrl": 5, "models": ["a"]}),
            provider("example", models=["b", {"id": 5}]),
            at("models.providers", "example"),
            at("models", 5),
        ):
            self.assertEqual(len(faultsOf(merged(broken, asked))), 1)


class DefaultsTests(SynchronousTestCase):
    """
    The default configuration.
    """

    def test_itIsConsistent(self):
        """
        It is valid.
        """
        self.assertEqual(configOf({}), Config())
