"""
Requests of a web page to which the browser adds the credential itself.
"""

from base64 import b64encode

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse

from tests.server.memory_gateway import (
    AUTHORIZATION,
    COMPLETIONS,
    HELLO,
    GatewayTestCase,
    configOf,
)

PAGE = "https://chat.example"
LISTED = {"cors": {"allowedOrigins": [PAGE]}}
FOREIGN = (
    [("Origin", "https://evil.example")],
    [("Origin", "null")],
    [("Origin", "http://gateway:8000")],
    [("Origin", "http://gateway.evil.example")],
    [("Origin", "file://gateway")],
    [("Origin", "")],
    [("Origin", PAGE), ("Origin", "https://evil.example")],
    [("Origin", "https://evil.example"), ("Sec-Fetch-Site", "same-origin")],
    [("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", " Cross-Site ")],
)
GOOD = (
    [],
    [("Origin", PAGE)],
    [("Origin", "http://gateway")],
    [("Origin", "https://GATEWAY")],
    [("Origin", PAGE), ("Sec-Fetch-Site", "cross-site")],
    [("Sec-Fetch-Site", "same-origin")],
    [("Sec-Fetch-Site", "none")],
)
BASIC = ("Authorization", f"Basic {b64encode(b'ada:pass').decode()}")


class ForeignPageTests(GatewayTestCase):
    """
    The modes of authentication without a token of the gateway.
    """

    def refusals(self, gateway, *credential):
        """
        Send requests on all paths that require a caller, as foreign pages would.
        """
        for headers in FOREIGN:
            for method, path in (
                ("POST", COMPLETIONS),
                ("GET", "/v1/models"),
                ("GET", "/v1/runs"),
                ("GET", "/v1/runs/run_1/events"),
                ("POST", "/v1/runs/run_1/cancel"),
            ):
                caller = gateway.connect()
                lines = [*credential, *headers, ("Content-Type", "text/plain")]
                # The response does not wait for the body, which has not arrived.
                if method == "POST":
                    lines += [("Content-Length", "1000000")]
                caller.ask(method, path, lines)
                self.assertRefused(caller.answer, 403, "origin_not_allowed")
        self.assertEqual(gateway.provider.calls, [])

    def successes(self, gateway, *credential):
        """
        Send requests as other clients do.
        """
        for headers in GOOD:
            caller = gateway.connect()
            caller.ask("GET", "/v1/models", [*credential, *headers])
            self.assertEqual(caller.answer.status, 200, headers)

    def test_none(self):
        """
        C{mode: none}.
        """
        gateway = self.start(secret=None, config=configOf(http=LISTED))
        self.refusals(gateway)
        self.successes(gateway)

    def test_anyOrigin(self):
        """
        C{*} only allows pages with a token: it accepts no page without one.
        """
        http = {"cors": {"allowedOrigins": ["*"]}}
        gateway = self.start(secret=None, config=configOf(http=http))
        caller = gateway.connect()
        caller.ask("POST", COMPLETIONS, [("Origin", PAGE), ("Content-Length", "9")])
        self.assertRefused(caller.answer, 403, "origin_not_allowed")

    def test_basic(self):
        """
        HTTP Basic, whose credentials browsers remember.
        """
        checker = InMemoryUsernamePasswordDatabaseDontUse(ada=b"pass")
        gateway = self.start(config=configOf(http=LISTED), checkers=[checker])
        self.refusals(gateway, BASIC)
        self.successes(gateway, BASIC)

    def test_bearer(self):
        """
        A page may send a token that it has.
        """
        for gateway in (self.gateway, self.start(secret=None)):
            for headers in FOREIGN:
                caller = gateway.connect()
                caller.ask("GET", "/v1/models", [AUTHORIZATION, *headers])
                self.assertEqual(caller.answer.status, 200, headers)

    def test_harmless(self):
        """
        Any page can read public information.
        """
        gateway = self.start(secret=None)
        for headers in FOREIGN:
            caller = gateway.connect()
            caller.ask("GET", "/healthz", headers)
            self.assertEqual(caller.answer.status, 200)

    def test_ownPage(self):
        """
        A page of the gateway's own host may start a run.
        """
        gateway = self.start(secret=None)
        caller = gateway.connect()
        gateway.ask(caller, HELLO, ("Origin", "http://gateway"))
        gateway.call.say("Yes?")
        gateway.call.finish()
        self.assertEqual(caller.answer.status, 200)
