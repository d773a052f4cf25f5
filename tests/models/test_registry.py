"""
Tests of L{openclaw.models.registry}.
"""

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from openclaw import __version__
from openclaw.config import Config, LocalModel, Models, Provider, Secret
from openclaw.errors import UpstreamTimeout
from openclaw.interfaces import IModelCall, IModelProvider, ModelRequest
from openclaw.messages import UserMessage
from openclaw.models.registry import Providers
from openclaw.testing import ScriptedModelServer, ServedCall
from tests.models.network import Network, siteOf


def config(local: LocalModel | None = None, **providers: Provider) -> Config:
    """
    A configuration with these providers.
    """
    return Config(
        models=Models(providers=providers, local=local or LocalModel(id="small"))
    )


def provider(path: str = "/v1", **settings: object) -> Provider:
    """
    The settings of a provider.  They are made anew each time, as they are when a file
    is read.
    """
    return Provider(baseUrl=f"http://model.test{path}", **settings)


class RegistryTestCase(SynchronousTestCase):
    """
    Providers in a network in memory.
    """

    def setUp(self) -> None:
        """
        Have no provider yet, and a model at the other end.
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
        Ask a provider.
        """
        question = ModelRequest("some-model", "", [UserMessage("Hello?")])
        call = self.providers.get(name).ask(question, lambda events: None)
        self.network.flush()
        return call

    def served(self, name: str) -> ServedCall:
        """
        What a provider sends.
        """
        self.ask(name)
        return self.model.calls[-1]


class ConfigureTests(RegistryTestCase):
    """
    The configuration names the providers, and may change while the daemon runs.
    """

    def test_none(self) -> None:
        """
        Before there is a configuration there is no provider.
        """
        self.assertIsNone(self.providers.get("a"))
        self.assertEqual(self.providers.all(), [])

    def test_named(self) -> None:
        """
        Each provider is found by its name, and knows it; the embedded model is
        always one of them.
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
        What a new configuration leaves as it was goes on as it was.
        """
        settings = {"apiKey": Secret("hush"), "headers": {"X-Team": Secret("a")}}
        self.providers.configure(config(a=provider(**settings)))
        before = [self.providers.get(name) for name in ("a", "local")]
        settings = {"apiKey": Secret("hush"), "headers": {"X-Team": Secret("a")}}
        again = self.providers.configure(config(b=provider(), a=provider(**settings)))
        self.assertEqual(again, [])
        after = [self.providers.get(name) for name in ("a", "local")]
        self.assertTrue(all(map(lambda one, two: one is two, before, after)))
        self.assertIs(self.providers.local, after[1])

    def test_changed(self) -> None:
        """
        Whatever changes about a provider, it is replaced; the old one is given back,
        to be closed when it has served its calls.
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
        What is no longer named is gone, and given back.
        """
        self.providers.configure(config(a=provider(), b=provider()))
        old = self.providers.get("a")
        self.assertEqual(self.providers.configure(config(b=provider())), [old])
        self.assertIsNone(self.providers.get("a"))
        self.assertNotIn(old, self.providers.all())

    def test_replacedServesItsCalls(self) -> None:
        """
        A call that a replaced provider has comes to its end.
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
    What is configured of a provider is what it does.
    """

    def test_key(self) -> None:
        """
        The key is shown as a bearer token.
        """
        self.providers.configure(config(a=provider(apiKey=Secret("hush"))))
        self.assertEqual(self.served("a").headers["authorization"], "Bearer hush")

    def test_noKey(self) -> None:
        """
        Without one nothing is shown.
        """
        self.providers.configure(config(a=provider()))
        self.assertNotIn("authorization", self.served("a").headers)

    def test_userAgent(self) -> None:
        """
        A provider can tell who asks.
        """
        self.providers.configure(config(a=provider()))
        name = f"openclaw-twisted/{__version__}"
        self.assertEqual(self.served("a").headers["user-agent"], name)

    def test_headers(self) -> None:
        """
        Headers are sent as configured, also in the place of our own.
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
        Each provider has its own clocks.
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
        No error and no log line shows what is secret.
        """
        secrets = provider(apiKey=Secret("hush"), headers={"X-Team": Secret("psst")})
        self.providers.configure(config(a=secrets))
        self.model.answer = lambda call: call.refuse(400, "No hush, no psst")
        call = self.ask("a")
        error = self.failureResultOf(call.done).value
        self.assertTrue(error.message.endswith("No ***, no ***"), error.message)
        self.assertEqual(self.logged, [])
