"""
Tests of L{openclaw.server.access}: decisions by the headers.
"""

from hypothesis import given
from hypothesis import strategies as st

from tests.server.memory_gateway import (
    AUTHORIZATION,
    COMPLETIONS,
    HELLO,
    TOKEN,
    GatewayTestCase,
    configOf,
)

SPELLINGS = (
    "/v1/chat/completions",
    "/v1/chat/completions/",
    "/v1/chat/completions?stream=true",
    "/v1/chat/completions/?",
    "//v1/chat/completions",
    "///v1/chat/completions",
    "/v1/chat/%63ompletions",
    "/%76%31/chat/completions",
    "/v1%2Fchat%2fcompletions",
    "/%2Fv1/chat/completions",
)
"""
Spellings of the endpoint's path.
"""

MISSPELT = (
    "/v1/chat//completions",
    "/v1//chat/completions",
    "/v1/chat/completions//",
    "/V1/chat/completions",
    "/v1/chat/completions/x",
    "/v1/chat/completionsx",
    "/v1/chat",
    "/v1/v1/chat/completions",
    "/chat/completions",
    "/v1/../v1/chat/completions",
    "/v1/modelsx",
    "/x",
    "/x?/healthz",
)
"""
Paths that do not exist.
"""

IMPOSSIBLE = (
    "/%ff",
    "/\x80",
    "/v1/models/%c3",
    "xv1/chat/completions",
    "v1/models",
    "ftp://gateway/v1/models",
    "http:/v1/models",
    "http://",
    "http://user@gateway/v1/models",
    "gateway:443",
    "*",
    "?",
)
"""
Paths that can't exist.
"""

COMPANIONS = (
    "/v1/models",
    "/v1/models/",
    "/v1/models/openclaw",
    "/v1/embeddings",
    "/v1/runs",
    "/v1/runs/run_1",
    "/v1/runs/run_1/cancel",
    "/v1/runs/run_1/events",
)
"""
Paths that are disabled together with the endpoint.
"""

PIECES = ["", "v1", "chat", "completions", "models", "openclaw", "main", "healthz", "x"]
SLASHES = ["/", "//", "%2F", "%2f", "/./", "/%20", "/%00", "%", "?", "/%C3%A4", "\x80"]
paths = st.lists(
    st.tuples(st.sampled_from(SLASHES + ["/"] * 9), st.sampled_from(PIECES)),
    min_size=1,
    max_size=5,
).map(lambda pieces: "/" + "".join(a + b for a, b in pieces).removeprefix("/"))


class StrangerTests(GatewayTestCase):
    """
    An unauthenticated caller is rejected before the body.
    """

    def statusOf(self, method, path, *headers):
        """
        Return the status of the response to a request on a new connection.
        """
        caller = self.gateway.connect()
        caller.ask(method, path, headers)
        return caller.answer.status

    def test_noPath(self):
        """
        C{OPTIONS *} is answered; CONNECT is rejected.
        """
        caller = self.gateway.connect()
        caller.ask("OPTIONS", "*")
        self.assertEqual((caller.answer.status, caller.answer.body), (204, b""))
        self.assertIn("POST", caller.answer.headers["allow"])
        caller = self.gateway.connect()
        caller.ask("CONNECT", "gateway:443")
        self.assertRefused(caller.answer, 405, "method_not_allowed")

    def test_absoluteForm(self):
        """
        A target in absolute form is handled like its path, also with a body and after
        another request.
        """
        caller = self.gateway.connect()
        self.gateway.ask(caller, HELLO, path=f"http://gateway{COMPLETIONS}")
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        caller.ask("GET", "http://gateway/v1/models?all", [AUTHORIZATION])
        caller.ask("GET", "http://gateway/v1/models")
        self.assertEqual([each.status for each in caller.answers], [200, 200, 401])

    def test_noCredential(self):
        """
        A missing, empty, invalid or different credential gets the same response, which
        names the required one.
        """
        for header in (
            None,
            "",
            "Bearer",
            "Bearer ",
            "Bearer wrong",
            f"Bearer {TOKEN}x",
            f"Bearer {TOKEN[:-1]}",
            f"Token {TOKEN}",
            TOKEN,
            "Basic YTpi",
        ):
            caller = self.gateway.connect()
            headers = [] if header is None else [("Authorization", header)]
            caller.ask("POST", COMPLETIONS, headers)
            self.assertRefused(caller.answer, 401, "invalid_api_key")
            self.assertEqual(caller.answer.error["type"], "authentication_error")
            self.assertEqual(
                caller.answer.headers["www-authenticate"], 'Bearer realm="openclaw"'
            )

    def test_spellingOfTheScheme(self):
        """
        The scheme may have any case and any surrounding blanks.
        """
        for scheme in ("bearer ", "BEARER   ", "  Bearer "):
            header = ("Authorization", f"{scheme}{TOKEN} ")
            self.assertEqual(self.statusOf("GET", "/v1/models", header), 200)

    def test_everySpelling(self):
        """
        The access check and the routes interpret all spellings of a path alike.
        """
        for path in SPELLINGS:
            self.assertEqual(self.statusOf("POST", path), 401, path)
            caller = self.gateway.post(HELLO, path=path)
            self.gateway.call.say("Yes?")
            self.gateway.call.finish()
            self.assertEqual(caller.answer.text, "Yes?", path)
        self.assertEqual(len(self.gateway.provider.calls), len(SPELLINGS))

    def test_models(self):
        """
        The list of models also requires a credential.
        """
        for path in ("/v1/models", "/v1/models/", "/v1/models/openclaw", "//v1/models"):
            for method in ("GET", "HEAD"):
                self.assertEqual(self.statusOf(method, path), 401)
                self.assertEqual(self.statusOf(method, path, AUTHORIZATION), 200)

    def test_pathFirst(self):
        """
        An unknown path is 404 before the credential is checked.
        """
        for path in MISSPELT:
            for headers in ([], [AUTHORIZATION]):
                caller = self.gateway.connect()
                caller.ask("POST", path, headers, b"{}")
                self.assertRefused(caller.answer, 404, "not_found")
        self.assertEqual(self.gateway.provider.calls, [])

    def test_methodSecond(self):
        """
        A method that the path lacks is 405 before the credential is checked.
        """
        for path in SPELLINGS:
            self.assertEqual(self.statusOf("GET", path), 405)
        self.assertEqual(self.statusOf("POST", "/v1/models"), 405)

    def test_impossiblePaths(self):
        """
        Impossible paths are 404, and nothing is logged.
        """
        for path in IMPOSSIBLE:
            for method in ("GET", "POST"):
                caller = self.gateway.connect()
                caller.ask(method, path, [AUTHORIZATION])
                self.assertRefused(caller.answer, 404, "not_found")
        self.assertEqual(self.gateway.logged, [])

    def test_anyHost(self):
        """
        The Host header does not matter here, even if it is invalid.
        """
        for host in ("", "a..b", "\xff", "x" * 300, ":", "[::1", "gateway:port", "*"):
            caller = self.gateway.connect()
            head = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\n\r\n"
            caller.send(head.encode("latin-1"))
            self.assertEqual(caller.answer.status, 200, host)

    @given(st.sampled_from(["GET", "POST", "HEAD", "PUT", "OPTIONS"]), paths)
    def test_anyPath(self, method, path):
        """
        No path bypasses or breaks the access check.
        """
        caller = self.gateway.connect()
        caller.ask(method, path, [], b"{}")
        status = caller.answer.status
        self.assertIn("x-request-id", caller.answer.headers)
        if status == 200:
            # Many paths lead to the index at the root.
            member = "ok" if "healthz" in path else "baseURL"
            if method != "HEAD":
                self.assertIn(member, caller.answer.json)
        else:
            if method != "HEAD":
                self.assertIn("error", caller.answer.json)
            self.assertIn(status, (401, 404, 405))
        caller.leave()
        caller = self.gateway.connect()
        caller.ask(method, path, [AUTHORIZATION], b"{}")
        if status == 401:
            self.assertIn(caller.answer.status, (200, 400, 404))
        else:
            self.assertEqual(caller.answer.status, status)
        caller.leave()


class NoCredentialNeededTests(GatewayTestCase):
    """
    With C{gateway.auth.mode: none} all callers are accepted, with the scopes that they
    name.
    """

    def setUp(self):
        """
        Start such a gateway.
        """
        super().setUp()
        self.gateway = self.start(secret=None)

    def answerTo(self, method, path, scopes=None):
        """
        Return the response to a request without a credential.
        """
        caller = self.gateway.connect()
        headers = [] if scopes is None else [("x-openclaw-scopes", scopes)]
        caller.ask(method, path, headers, b"{}" if method == "POST" else b"")
        return caller.answer

    def test_everybody(self):
        """
        Without scopes in the request, everything is permitted.
        """
        self.assertEqual(self.answerTo("GET", "/v1/models").status, 200)
        self.assertRefused(
            self.answerTo("POST", COMPLETIONS), 400, None, param="messages"
        )

    def test_narrowed(self):
        """
        A caller can reduce its scopes; the error names the missing one.
        """
        for scopes, missing in [
            ("operator.read", ["operator.write"]),
            ("operator.write", []),
            ("operator.admin", []),
            ("operator.read, operator.write", []),
            ("", ["operator.read", "operator.write"]),
            ("everything", ["operator.read", "operator.write"]),
        ]:
            for scope, method, path in [
                ("operator.read", "GET", "/v1/models"),
                ("operator.read", "GET", "/v1/runs"),
                ("operator.read", "GET", "/v1/runs/run_1"),
                ("operator.write", "POST", COMPLETIONS),
                ("operator.write", "POST", "/v1/runs/run_1/cancel"),
            ]:
                answer = self.answerTo(method, path, scopes)
                if scope in missing:
                    self.assertRefused(answer, 403, "missing_scope")
                    self.assertEqual(answer.error["message"], f"missing scope: {scope}")
                else:
                    self.assertNotEqual(answer.status, 403)

    def test_notWithToken(self):
        """
        A caller with the token has the token's scopes; the header only applies without
        authentication.
        """
        [closed, _] = self.gateways
        answer = closed.get("/v1/models", ("x-openclaw-scopes", ""))
        self.assertEqual(answer.status, 200)


class DisabledTests(GatewayTestCase):
    """
    The error of a disabled endpoint names the key that enables it.
    """

    def setUp(self):
        """
        Start a gateway whose endpoint is off.
        """
        super().setUp()
        self.gateway = self.start(config=configOf(endpoint={"enabled": False}))

    def test_anyMethod(self):
        """
        The error names the key for all methods, callers and spellings.
        """
        for path in (*SPELLINGS, *COMPANIONS):
            for method in ("GET", "POST", "DELETE"):
                for headers in ([], [AUTHORIZATION]):
                    caller = self.gateway.connect()
                    caller.ask(method, path, headers)
                    self.assertRefused(caller.answer, 404, "endpoint_disabled")
                    self.assertIn(
                        "`gateway.http.endpoints.chatCompletions.enabled: true`",
                        caller.answer.error["message"],
                    )

    def test_withoutTheBody(self):
        """
        The response does not wait for a body, and is not preceded by C{100 Continue}.
        """
        caller = self.gateway.connect()
        caller.ask(
            "POST",
            COMPLETIONS,
            [("Content-Length", "100000"), ("Expect", "100-continue")],
        )
        self.assertRefused(caller.answer, 404, "endpoint_disabled")
        self.assertTrue(caller.received.startswith(b"HTTP/1.1 404 "))

    def test_theRest(self):
        """
        Other paths are not affected.
        """
        self.assertEqual(self.gateway.get("/healthz").status, 200)
        for path in MISSPELT:
            self.assertRefused(self.gateway.get(path), 404, "not_found")
