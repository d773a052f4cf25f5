"""
Tests of L{openclaw.models.registry}.
"""

from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from openclaw import __version__
from openclaw.config import Config, LocalModel, Models, Provider, Secret
from openclaw.errors import ConfigError, UpstreamTimeout
from openclaw.interfaces import (
    IModelCall,
    IModelProvider,
    IModelProviderMaker,
    ModelRequest,
)
from openclaw.messages import UserMessage
from openclaw.models.registry import Providers, checkDialects, findInstalledMakers
from openclaw.testing import ScriptedModelServer, ScriptedProvider, ServedCall
from tests.models.memory_network import Network, siteOf


def config(local: LocalModel | None = None, **providers: Provider) -> Config:
    """
    Return a configuration with these providers.
    """
    return Config(
        models=Models(providers=providers, local=local or LocalModel(id="small"))
    )


def provider(path: str = "/v1", **settings: object) -> Provider:
    """
    Return the settings of a provider, newly created each time, as by reading a file.
    """
    return Provider(baseUrl=f"http://model.test{path}", **settings)


class RegistryTestCase(SynchronousTestCase):
    """
    Providers in a network in memory.
    """

    def setUp(self) -> None:
        """
        Begin without a provider, with a model at the other end.
        """
        self.network = Network()
        self.model = ScriptedModelServer()
        self.network.listen(80, siteOf(self.model))
        self.logged: list[dict] = []
        self.providers = Providers(
            self.network, {}, Logger(observer=self.logged.append)
        )

    def ask(self, name: str) -> IModelCall:
        """
        Call a provider.
        """
        question = ModelRequest("some-model", "", [UserMessage("Hello?")])
        call = self.providers.get(name).ask(question, lambda events: None)
        self.network.flush()
        return call

    def served(self, name: str) -> ServedCall:
        """
        Return the reply of a provider.
        """
        self.ask(name)
        return self.model.calls[-1]


class ConfigureTests(RegistryTestCase):
    """
    Providers of the configuration, which may change.
    """

    def test_none(self) -> None:
        """
        Without a configuration there are no providers.
        """
        self.assertIsNone(self.providers.get("a"))
        self.assertEqual(self.providers.all(), [])

    def test_named(self) -> None:
        """
        Each provider is found by its name, and has it; the embedded model is always
        included.
        """
        self.assertEqual(self.providers.configure(config(a=provider())), [])
        for name in ("a", "local"):
            found = self.providers.get(name)
            self.assertTrue(verifyObject(IModelProvider, found))
            self.assertEqual(found.name, name)
        self.assertIs(self.providers.local, self.providers.get("local"))
        self.assertIsNone(self.providers.get("b"))
        self.assertEqual({each.name for each in self.providers.all()}, {"a", "local"})

    def test_unchanged(self) -> None:
        """
        Unchanged providers are kept.
        """
        settings = {"apiKey": Secret("hush"), "headers": {"X-Team": Secret("a")}}
        self.providers.configure(config(a=provider(**settings)))
        before = [self.providers.get(name) for name in ("a", "local")]
        self.assertNotIn(None, before)
        settings = {"apiKey": Secret("hush"), "headers": {"X-Team": Secret("a")}}
        again = self.providers.configure(config(b=provider(), a=provider(**settings)))
        self.assertEqual(again, [])
        after = [self.providers.get(name) for name in ("a", "local")]
        self.assertTrue(all(map(lambda one, two: one is two, before, after)))
        self.assertIs(self.providers.local, after[1])

    def test_changed(self) -> None:
        """
        A changed provider is replaced; the old one is returned, to be closed after its
        calls.
        """
        self.providers.configure(config(a=provider()))
        for settings in [
            provider("/v2"),
            provider(apiKey=Secret("one")),
            provider(apiKey=Secret("two")),
            provider(headers={"X-Team": Secret("a")}),
            provider(timeoutSeconds=5),
            provider(connectTimeoutSeconds=5),
        ]:
            old, local = self.providers.get("a"), self.providers.get("local")
            self.assertEqual(self.providers.configure(config(a=settings)), [old])
            self.assertIsNot(self.providers.get("a"), old)
            self.assertIs(self.providers.get("local"), local)

    def test_changedLocal(self) -> None:
        """
        The embedded model is replaced like any other.
        """
        self.providers.configure(config(a=provider()))
        old, other = self.providers.local, self.providers.get("a")
        changed = config(LocalModel(id="large"), a=provider())
        self.assertEqual(self.providers.configure(changed), [old])
        self.assertIsNot(self.providers.local, old)
        self.assertIs(self.providers.local, self.providers.get("local"))
        self.assertIs(self.providers.get("a"), other)

    def test_removed(self) -> None:
        """
        A removed provider is returned, and closed.
        """
        self.providers.configure(config(a=provider(), b=provider()))
        old = self.providers.get("a")
        self.assertEqual(self.providers.configure(config(b=provider())), [old])
        self.assertIsNone(self.providers.get("a"))
        self.assertNotIn(old, self.providers.all())

    def test_replacedServesItsCalls(self) -> None:
        """
        A call of a replaced provider can end.
        """
        self.providers.configure(config(a=provider()))
        call = self.ask("a")
        [old] = self.providers.configure(config())
        closing = old.close()
        self.model.calls[0].say("Good day")
        self.model.calls[0].finish()
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "Good day")
        self.successResultOf(closing)
        self.assertEqual(self.network.getDelayedCalls(), [])


class SettingsTests(RegistryTestCase):
    """
    The settings of a provider take effect.
    """

    def test_key(self) -> None:
        """
        The key is sent as a Bearer token.
        """
        self.providers.configure(config(a=provider(apiKey=Secret("hush"))))
        self.assertEqual(self.served("a").headers["authorization"], "Bearer hush")

    def test_noKey(self) -> None:
        """
        Without a key none is sent.
        """
        self.providers.configure(config(a=provider()))
        self.assertNotIn("authorization", self.served("a").headers)

    def test_userAgent(self) -> None:
        """
        Requests have a C{User-Agent}.
        """
        self.providers.configure(config(a=provider()))
        name = f"openclaw-twisted/{__version__}"
        self.assertEqual(self.served("a").headers["user-agent"], name)

    def test_headers(self) -> None:
        """
        Configured headers are sent, and replace standard ones.
        """
        headers = {"X-Team": "é", "Authorization": "Basic abc", "User-Agent": "me"}
        self.providers.configure(
            config(
                a=provider(
                    apiKey=Secret("hush"),
                    headers={name: Secret(text) for name, text in headers.items()},
                )
            )
        )
        sent = self.served("a").headers
        self.assertEqual(sent["x-team"].encode("latin-1").decode(), "é")
        self.assertEqual(sent["authorization"], "Basic abc")
        self.assertEqual(sent["user-agent"], "me")

    def test_timeouts(self) -> None:
        """
        Each provider has its own timeouts.
        """
        patient = provider(timeoutSeconds=500)
        hasty = provider(timeoutSeconds=5, connectTimeoutSeconds=2)
        self.providers.configure(config(patient=patient, hasty=hasty))
        calls = [self.ask("patient"), self.ask("hasty")]
        self.network.advance(5)
        self.assertNoResult(calls[0].done)
        error = self.failureResultOf(calls[1].done, UpstreamTimeout).value
        self.assertEqual(error.code, "upstream_idle_timeout")
        self.network.listen(80, None)
        late = self.ask("hasty")
        self.network.advance(2)
        error = self.failureResultOf(late.done, UpstreamTimeout).value
        self.assertEqual(error.code, "upstream_connect_timeout")

    def test_secretsStaySecret(self) -> None:
        """
        No error and no log line has a secret.
        """
        secrets = provider(apiKey=Secret("hush"), headers={"X-Team": Secret("psst")})
        self.providers.configure(config(a=secrets))
        self.model.answer = lambda call: call.refuse(400, "No hush, no psst")
        call = self.ask("a")
        error = self.failureResultOf(call.done).value
        self.assertTrue(error.message.endswith("No ***, no ***"), error.message)
        self.assertEqual(self.logged, [])


@implementer(IModelProviderMaker)
class PlugIn:
    """
    A maker of a plug-in.

    @ivar fault: The exception of C{makeProvider}, if any.
    """

    def __init__(self, api: str, fault: Exception | None = None) -> None:
        self.api = api
        self.fault = fault
        self.given: list[object] = []

    def makeProvider(
        self, name: str, settings: object, reactor: object, log: Logger
    ) -> IModelProvider:
        if self.fault is not None:
            raise self.fault
        self.given = [name, settings, reactor, log]
        return ScriptedProvider(name)


class PlugInTests(RegistryTestCase):
    """
    Dialects of plug-ins.
    """

    def having(self, *makers: object) -> Providers:
        """
        Return the providers with these plug-ins installed.
        """
        self.log = Logger(observer=self.logged.append)
        return Providers(self.network, {}, self.log, lambda: makers)

    def faults(self, *makers: object, **providers: Provider) -> list[str]:
        """
        Return the faults of a configuration.
        """
        log = Logger(observer=self.logged.append)
        return checkDialects(config(**providers), log, lambda: makers)

    def test_ours(self) -> None:
        """
        OpenClaw's dialects are found by the documented names.
        """
        found = {maker.api: maker for maker in findInstalledMakers()}
        ours = {
            "anthropic-messages",
            "google-generative-ai",
            "ollama",
            "openai-completions",
            "openai-responses",
        }
        self.assertLessEqual(ours, set(found))
        for api in ours:
            self.assertTrue(verifyObject(IModelProviderMaker, found[api]))
            made = self.providers
            made.configure(config(a=provider(api=api)))
            self.assertTrue(verifyObject(IModelProvider, made.get("a")))

    def test_made(self) -> None:
        """
        A plug-in gets the provider's whole configuration.
        """
        plugIn, settings = PlugIn("gopher"), provider(api="gopher")
        providers = self.having(plugIn, PlugIn("telex"))
        providers.configure(config(a=settings))
        self.assertIsInstance(providers.get("a"), ScriptedProvider)
        self.assertEqual(plugIn.given, ["a", settings, self.network, self.log])

    def test_lazySearch(self) -> None:
        """
        Without a configured provider plug-ins are not searched, which would slow down
        each start.
        """
        providers = Providers(self.network, {}, Logger(), lambda: self.fail("looked"))
        providers.configure(config())
        checkDialects(config(), Logger(), lambda: self.fail("looked"))

    def test_unknown(self) -> None:
        """
        The error of an unknown C{api} lists the known ones.
        """
        makers = [PlugIn("telex"), PlugIn("gopher")]
        strange = {"a": provider(api="telex"), "b": provider(api="none")}
        self.assertEqual(
            self.faults(*makers, **strange),
            ['models.providers.b.api: no plug-in has "none"; there are: gopher, telex'],
        )
        self.assertRaises(
            ConfigError, self.having(*makers).configure, config(**strange)
        )

    def test_twice(self) -> None:
        """
        Two plug-ins for the same C{api} are an error with both names if it is used.
        """
        makers = [PlugIn("gopher"), PlugIn("gopher"), PlugIn("telex")]
        [fault] = self.faults(*makers, a=provider(api="gopher"))
        self.assertEqual(
            fault,
            'models.providers.a.api: two plug-ins have "gopher": '
            "tests.models.test_registry.PlugIn and tests.models.test_registry.PlugIn",
        )
        self.assertEqual(self.faults(*makers, a=provider(api="telex")), [])

    def test_leftOut(self) -> None:
        """
        An object that only pretends to be a maker is left out, with the reason in the
        log; others are not affected.
        """

        @implementer(IModelProviderMaker)
        class Half:
            api = "half"

        self.assertEqual(
            self.faults(Half(), PlugIn("gopher"), a=provider(api="gopher")), []
        )
        [line] = map(formatEvent, self.logged)
        self.assertIn("Half is left out", line)
        self.assertIn("makeProvider", line)

    def test_wrongSettings(self) -> None:
        """
        A plug-in can reject its settings with its own message.
        """
        providers = self.having(PlugIn("gopher", ValueError("no such hole")))
        error = self.assertRaises(
            ConfigError, providers.configure, config(a=provider(api="gopher"))
        )
        self.assertEqual(error.errors, ("models.providers.a: no such hole",))

    def test_broken(self) -> None:
        """
        The error of a failing plug-in has its name, and the log has the traceback.
        """
        providers = self.having(PlugIn("gopher", KeyError("hush")))
        error = self.assertRaises(
            ConfigError, providers.configure, config(a=provider(api="gopher"))
        )
        self.assertEqual(
            error.errors,
            ('models.providers.a: the plug-in for "gopher" failed with KeyError',),
        )
        self.assertEqual(
            [event["log_failure"].type for event in self.logged], [KeyError]
        )

    def test_nothingChanges(self) -> None:
        """
        If one provider can't be made, none is changed.
        """
        providers = self.having(PlugIn("telex"), PlugIn("gopher", ValueError("no")))
        providers.configure(config(a=provider(api="telex")))
        before = [providers.get("a"), providers.get("local"), providers.local]
        changed = config(
            LocalModel(id="large"),
            a=provider("/v2", api="telex"),
            b=provider(api="gopher"),
        )
        self.assertRaises(ConfigError, providers.configure, changed)
        after = [providers.get("a"), providers.get("local"), providers.local]
        self.assertEqual([*map(id, after)], [*map(id, before)])
        self.assertIsNone(providers.get("b"))
