"""
Tests of L{openclaw.server.cors}: web pages that use the gateway from a browser.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.server.cors import preflightHeaders
from tests.server.memory_gateway import (
    AUTHORIZATION,
    COMPLETIONS,
    HELLO,
    STREAMED,
    GatewayTestCase,
    configOf,
)

PAGE = "https://chat.example"
ORIGIN = ("Origin", PAGE)
OTHER = ("Origin", "https://evil.example")
METHOD = ("Access-Control-Request-Method", "POST")
ASKED = (
    "Access-Control-Request-Headers",
    "authorization,content-type,x-openclaw-session-key, X-Stainless-Lang,b@d",
)


class PageTestCase(GatewayTestCase):
    """
    A gateway that web pages of one origin may use.
    """

    origins = (PAGE, "http://localhost:3000")

    def setUp(self):
        super().setUp()
        cors = {"allowedOrigins": list(self.origins)}
        self.gateway = self.start(config=configOf(http={"cors": cors}))

    def preflight(self, *headers, path=COMPLETIONS):
        """
        Send a browser's preflight request, which has no token.
        """
        caller = self.gateway.connect()
        caller.ask("OPTIONS", path, headers)
        return caller.answer


class PreflightTests(PageTestCase):
    """
    Preflight requests of browsers.
    """

    def test_allowed(self):
        """
        The headers of the SDKs, and those in the preflight request, are allowed.
        """
        for path in (COMPLETIONS, "/v1/models", "/healthz"):
            answer = self.preflight(ORIGIN, METHOD, ASKED, path=path)
            self.assertEqual((answer.status, answer.body), (204, b""))
            headers = answer.headers
            self.assertEqual(headers["access-control-allow-origin"], PAGE)
            self.assertIn("POST", headers["access-control-allow-methods"])
            self.assertEqual(
                headers["access-control-allow-headers"],
                "authorization, content-type, idempotency-key,"
                " x-openclaw-session-key, x-stainless-lang",
            )
            self.assertEqual(headers["access-control-max-age"], "600")
            self.assertIn("Origin", headers["vary"])
            self.assertNotIn("access-control-allow-credentials", headers)

    def test_connectionGoesOn(self):
        """
        The actual request can use the same connection.
        """
        caller = self.gateway.connect()
        caller.ask("OPTIONS", COMPLETIONS, [ORIGIN, METHOD])
        self.gateway.ask(caller, HELLO, ORIGIN)
        self.gateway.call.say("Yes?")
        self.gateway.call.finish()
        self.assertEqual([each.status for each in caller.answers], [204, 200])

    def test_otherPages(self):
        """
        Other origins are not allowed.
        """
        answer = self.preflight(OTHER, METHOD)
        self.assertRefused(answer, 403, "origin_not_allowed")
        self.assertNotIn("access-control-allow-origin", answer.headers)

    def test_noPreflight(self):
        """
        An OPTIONS request that is not a preflight request gets 405.
        """
        for headers in ([], [ORIGIN], [METHOD]):
            answer = self.preflight(*headers)
            self.assertRefused(answer, 405, "method_not_allowed")
            self.assertEqual(answer.headers["allow"], "POST")


class AnswerTests(PageTestCase):
    """
    Responses to requests with an origin.
    """

    def assertReadable(self, answer):
        """
        Assert that the page may read a response with its headers.
        """
        headers = answer.headers
        self.assertEqual(headers["access-control-allow-origin"], PAGE)
        self.assertEqual(headers["vary"], "Origin")
        exposed = headers["access-control-expose-headers"].split(", ")
        for name in (
            "x-request-id",
            "retry-after",
            "retry-after-ms",
            "x-should-retry",
            "openai-processing-ms",
            "x-openclaw-run-id",
            "x-openclaw-session-key",
            "x-openclaw-ignored-params",
            "idempotent-replayed",
        ):
            self.assertIn(name, exposed)

    def test_every(self):
        """
        The page may read replies, streams, and errors of all layers.
        """
        self.assertReadable(self.answered(HELLO, ORIGIN))
        self.assertReadable(self.answered(STREAMED, ORIGIN))
        self.assertReadable(self.gateway.post(b"{", ORIGIN).answer)
        self.assertReadable(self.gateway.get("/nowhere", ORIGIN))
        for headers in (
            [("Content-Length", "9")],
            [AUTHORIZATION, ("Content-Length", "99999999")],
        ):
            caller = self.gateway.connect()
            caller.ask("POST", COMPLETIONS, [ORIGIN, *headers])
            self.assertReadable(caller.answer)

    def test_otherPages(self):
        """
        Other pages can't read them, and C{Vary} keeps caches from mixing them up.
        """
        for headers in ([OTHER], []):
            answer = self.gateway.get("/v1/models", *headers)
            self.assertEqual(answer.status, 200)
            self.assertNotIn("access-control-allow-origin", answer.headers)
            self.assertEqual(answer.headers["vary"], "Origin")


class AnyPageTests(PageTestCase):
    """
    The origin C{*}: any page that has the token.
    """

    origins = ("*",)

    def test_any(self):
        """
        Any page may send requests and read responses.
        """
        for origin in (ORIGIN, OTHER):
            answer = self.preflight(origin, METHOD)
            self.assertEqual(answer.status, 204)
            self.assertEqual(answer.headers["access-control-allow-origin"], "*")
            answer = self.gateway.get("/v1/models", origin)
            self.assertEqual(answer.headers["access-control-allow-origin"], "*")


class NoPageTests(GatewayTestCase):
    """
    No origin is configured.
    """

    def test_nothing(self):
        """
        Responses have no CORS headers, and OPTIONS is 405.
        """
        for answer in (
            self.gateway.get("/v1/models", ORIGIN),
            self.gateway.get(COMPLETIONS, ORIGIN, METHOD, method="OPTIONS"),
        ):
            names = [name for name in answer.headers if name.startswith("access-")]
            self.assertEqual(names, [])
            self.assertNotIn("vary", answer.headers)
        self.assertRefused(answer, 405, "method_not_allowed")


class PlainHeaderTests(GatewayTestCase):
    """
    The security headers of every response.
    """

    def test_every(self):
        """
        Responses disable content sniffing, caching and referrers, except for a stream's
        own cache header.
        """
        for answer in (
            self.answered(HELLO),
            self.gateway.get("/v1/models"),
            self.gateway.get("/nowhere"),
            self.gateway.get("/healthz"),
        ):
            self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
            self.assertEqual(answer.headers["referrer-policy"], "no-referrer")
            self.assertEqual(answer.headers["cache-control"], "no-store")
        stream = self.answered(STREAMED)
        self.assertEqual(stream.headers["cache-control"], "no-cache, no-transform")


class AskedTests(SynchronousTestCase):
    """
    The requested headers of a preflight request, which are untrusted.
    """

    @given(st.none() | st.binary(max_size=100))
    def test_anything(self, asked):
        """
        Only valid header names are returned.
        """
        headers = list(preflightHeaders(["GET"], asked))
        self.assertTrue(headers)
        for name, value in headers:
            self.assertNotIn(b"\r", name + value)
            self.assertNotIn(b"\n", name + value)
            self.assertTrue(value.isascii())
