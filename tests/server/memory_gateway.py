"""
A complete gateway in memory: all parts are real, except for the model, the session
store, the clock and the connections.
"""

from pathlib import Path

import msgspec
from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.agent_directory import AgentDirectory
from openclaw.agents.agent_tools import AgentTools
from openclaw.agents.runtime import Runtime
from openclaw.api.app import GatewayApp
from openclaw.auth.client_address import TrustedProxies
from openclaw.auth.doorkeeper import AuthPolicy, Doorkeeper
from openclaw.auth.proxied_users import ProxiedUsers
from openclaw.config import Secret
from openclaw.metrics.exposition import MetricsPage
from openclaw.server.access import AccessCheck
from openclaw.server.live_config import LiveConfig
from openclaw.server.site import GatewaySite
from openclaw.testing import MemorySessionStore, ScriptedProvider
from openclaw.tools.catalogue import Catalogue
from tests.auth.doorkeeper_doubles import NOWHERE, accessStateOf
from tests.config.check_helpers import check
from tests.server.memory_connection import Caller

EPOCH = 1_800_000_000
COMPLETIONS = "/v1/chat/completions"
TOKEN = "a-token-that-nobody-may-see"
AUTHORIZATION = ("Authorization", f"Bearer {TOKEN}")
HELLO = {"messages": [{"role": "user", "content": "Hello."}]}
STREAMED = {**HELLO, "stream": True}
NOTHING: dict[str, object] = {}


def configOf(
    endpoint=NOTHING,
    agents=NOTHING,
    defaults=NOTHING,
    session=NOTHING,
    models=(),
    tools=NOTHING,
    http=NOTHING,
):
    """
    Return a configuration whose agents use the scripted model.

    @param endpoint: Keys of the endpoint, in addition to C{enabled}.
    @param agents: The agents by id.
    @param defaults: Keys of C{agents.defaults}.
    @param session: Keys of C{session}.
    @param models: Keys of C{models}.
    @param tools: Keys of C{tools}.
    @param http: Keys of C{gateway.http}.
    """
    scripted = {"baseUrl": "http://model.example", "models": list(models)}
    chatCompletions = {"enabled": True, **endpoint}
    data = {
        "gateway": {
            "http": {"endpoints": {"chatCompletions": chatCompletions}, **http}
        },
        "agents": {
            "defaults": {"model": "scripted/one", **defaults},
            "entries": agents,
        },
        "models": {"providers": {"scripted": scripted}},
        "session": session,
        "tools": tools,
    }
    return check(data, {}, Path("/srv"))[0]


class MemoryGateway:
    """
    A gateway in memory.

    @ivar clock: Its clock, which only tests advance.
    @ivar provider: The provider, to whose calls tests reply.
    @ivar store: The session store.
    @ivar failing: The reasons that C{/readyz} reports.
    @ivar logged: The text of the log.
    @ivar failures: The tracebacks in the log.  A test that expects some removes them.
    """

    def __init__(
        self,
        config=None,
        secret=TOKEN,
        checkers=(),
        tools=(),
        clock=None,
        state=NOWHERE,
        store=None,
    ):
        """
        @param secret: The token, or C{None} for none.
        @param checkers: Checkers for HTTP Basic.
        @param tools: The installed tools.
        @param clock: A clock with more of a reactor, for tests that need it.
        @param state: The directory of named tokens.
        @param store: A session store other than the one in memory.
        """
        self.clock = clock or Clock()
        self.clock.advance(EPOCH)
        self.logged, self.failures, self.failing = [], [], []
        self._log = Logger(observer=self._observe)
        self._secret, self._checkers = secret, checkers
        self._memory = accessStateOf(self.clock, self._log, state)
        self.provider = ScriptedProvider()
        self.store = store or MemorySessionStore(clock=self.clock)
        self.stand(config or configOf())
        self.runtime = Runtime(
            config=self.live.config,
            providers={"scripted": self.provider}.get,
            store=self.store,
            reactor=self.clock,
            log=self._log,
        )
        self.metrics = MetricsPage(
            self.runtime.tally, self.runtime.countRuns, self.clock
        )
        app = GatewayApp(
            runtime=self.runtime,
            tools=AgentTools(Catalogue(log=self._log, find=lambda: tools)),
            failing=lambda: self.failing,
            metrics=self.metrics,
            reactor=self.clock,
            log=self._log,
            now=self.clock.seconds,
        )
        self.site = GatewaySite(
            app.resource,
            AccessCheck(lambda: self.live, app.routes),
            self.clock,
            lambda: self.live.config.gateway.http,
        )
        app.connections = self.site.connections

    def stand(self, config):
        """
        Apply a configuration, as a reload does.
        """
        gateway, secret = config.gateway, self._secret
        mode = gateway.auth.mode or ("none" if secret is None else "token")
        proxied = mode == "trusted-proxy"
        policy = AuthPolicy(
            mode=mode,
            secret=None if proxied or secret is None else Secret(secret),
            proxies=TrustedProxies(gateway.trustedProxies),
            proxiedUsers=ProxiedUsers(gateway.auth.trustedProxy) if proxied else None,
        )
        self._memory.throttle.setLimits(gateway.auth.rateLimit)
        self.live = LiveConfig(
            config=config,
            path=None,
            directory=AgentDirectory(config),
            doorkeeper=Doorkeeper(policy, self._checkers, self._memory, self._log),
        )

    def _observe(self, event):
        self.logged.append(formatEvent(event))
        if "log_failure" in event:
            self.failures.append(event["log_failure"])

    def connect(self):
        """
        Open a new connection.
        """
        return Caller(self.site)

    def get(self, path, *headers, method="GET"):
        """
        Send a GET request on a new connection, with the token.

        @return: The response.
        """
        caller = self.connect()
        caller.ask(method, path, [AUTHORIZATION, *headers])
        return caller.answer

    def post(self, body, *headers, path=COMPLETIONS):
        """
        Send a completion request on a new connection, with the token.

        @param body: JSON, as bytes or as a value.
        @return: The client's end of the connection.
        """
        caller = self.connect()
        self.ask(caller, body, *headers, path=path)
        return caller

    def ask(self, caller, body, *headers, path=COMPLETIONS, version="1.1"):
        """
        Send a completion request on an existing connection.
        """
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        caller.ask("POST", path, [AUTHORIZATION, *headers], raw, version)

    @property
    def call(self):
        """
        Return the latest call of the model.
        """
        return self.provider.calls[-1]


class GatewayTestCase(SynchronousTestCase):
    """
    A test case with a gateway, which must leave nothing behind: no connection, run,
    delayed call or logged traceback.
    """

    def setUp(self):
        self.gateways = []
        self.gateway = self.start()

    def start(self, **settings):
        """
        Start another gateway; see L{MemoryGateway}.
        """
        gateway = MemoryGateway(**settings)
        self.successResultOf(gateway.store.open())
        gateway.runtime.start()
        self.gateways.append(gateway)
        return gateway

    def tearDown(self):
        """
        Stop all gateways like the daemon.
        """
        for gateway in self.gateways:
            stopped = gateway.runtime.stop()
            gateway.metrics.stop()
            closed = gateway.site.close()
            for connection in list(gateway.site.connections):
                connection.transport.settle()
            self.successResultOf(closed)
            self.successResultOf(stopped)
            self.successResultOf(gateway.store.close())
            self.assertEqual(gateway.clock.getDelayedCalls(), [])
            self.assertEqual(gateway.failures, [])

    def answered(self, body, *headers, say=("Yes?",), **ending):
        """
        Return the response to a request, to which the model replies with C{text}.
        """
        caller = self.gateway.post(body, *headers)
        self.gateway.call.say(*say)
        self.gateway.call.finish(**ending)
        self.assertTrue(caller.answer.complete)
        self.assertEqual(caller.answer.status, 200)
        return caller.answer

    def assertRefused(self, answer, status, code, param=None):
        """
        Assert that a response is an error in OpenAI's format.
        """
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(
            answer.headers["content-type"], "application/json; charset=utf-8"
        )
        self.assertEqual(int(answer.headers["content-length"]), len(answer.body))
        self.assertIn("x-request-id", answer.headers)
        self.assertEqual(answer.json.keys(), {"error"})
        self.assertEqual(answer.error.keys(), {"message", "type", "param", "code"})
        self.assertEqual((answer.error["code"], answer.error["param"]), (code, param))
        self.assertTrue(answer.error["message"])


__all__ = [
    "AUTHORIZATION",
    "COMPLETIONS",
    "EPOCH",
    "HELLO",
    "STREAMED",
    "TOKEN",
    "GatewayTestCase",
    "MemoryGateway",
    "configOf",
]
