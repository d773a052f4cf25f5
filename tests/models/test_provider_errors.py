"""
Tests of L{openclaw.models.provider_errors}.
"""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from openclaw.errors import (
    ContextTooLong,
    OpenClawError,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRefused,
)
from openclaw.models.provider_errors import providerError

NO_HEADERS = Headers()


def refusal(status: int, body: object = None, *secrets: str) -> OpenClawError:
    """
    Return the error for a status and a JSON body.
    """
    text = msgspec.json.encode(body)
    return providerError("vendor", status, NO_HEADERS, text, secrets)


class StatusTests(SynchronousTestCase):
    """
    The meaning of statuses.
    """

    def assertMeans(
        self,
        statuses: list[int],
        kind: type[OpenClawError],
        told: int,
        shouldRetry: bool | None = None,
    ) -> None:
        """
        Assert the error of statuses, and whether clients should retry.
        """
        for status in statuses:
            error = refusal(status)
            self.assertIs(type(error), kind, status)
            self.assertEqual(error.status, told, status)
            self.assertEqual(error.shouldRetry, shouldRetry, status)
            self.assertIn("'vendor'", error.message)

    def test_key(self) -> None:
        """
        A rejected API key is the gateway's error, not the caller's, and is not retried.
        """
        self.assertMeans([401, 403], UpstreamAuthFailed, 502, shouldRetry=False)

    def test_limit(self) -> None:
        """
        A rate limit is a rate limit for the caller, too.
        """
        self.assertMeans([429], UpstreamRateLimited, 429)

    def test_request(self) -> None:
        """
        A request that the provider rejects is the caller's error.
        """
        self.assertMeans([400, 422], UpstreamRefused, 400)
        self.assertMeans([413], ContextTooLong, 400)

    def test_server(self) -> None:
        """
        A failing provider may be retried.
        """
        self.assertMeans([500, 502, 503, 504, 529, 599], UpstreamError, 502)

    def test_others(self) -> None:
        """
        Other statuses are not retried.
        """
        statuses = [201, 204, 206, 301, 302, 307, 404, 405, 408, 451]
        self.assertMeans(statuses, UpstreamError, 502, shouldRetry=False)
        self.assertIn("status 404", refusal(404).message)


class BaseURLTests(SynchronousTestCase):
    """
    A path that the provider does not have is often the fault of the base URL.
    """

    def told(self, status: int, body: bytes, baseURL: str) -> str:
        """
        Return the message for a response.
        """
        return providerError("vendor", status, NO_HEADERS, body, (), baseURL).message

    def test_missingVersion(self) -> None:
        """
        The message names the base URL, and what it lacks.
        """
        for status in (404, 405):
            message = self.told(status, b"not here", "http://vendor.test:8000")
            self.assertIn("Check its base URL, http://vendor.test:8000,", message)
            self.assertIn("which usually ends in /v1", message)

    def test_otherPath(self) -> None:
        """
        With a version only the URL is named.
        """
        message = self.told(404, b"", "http://vendor.test/v1/chat")
        self.assertTrue(message.endswith("base URL, http://vendor.test/v1/chat."))

    def test_others(self) -> None:
        """
        Other errors say nothing of it, nor does one about the model.
        """
        unknown = b'{"error":{"message":"The model `x` does not exist"}}'
        for status, body in ((500, b""), (400, b""), (404, unknown)):
            self.assertNotIn("base URL", self.told(status, body, "http://vendor.test"))


class RetryAfterTests(SynchronousTestCase):
    """
    A provider's retry delay is passed on.
    """

    def retryAfter(self, status: int, *values: str) -> float | None:
        """
        Return the retry delay for these headers.
        """
        headers = Headers({"Retry-After": values})
        return providerError("vendor", status, headers, b"").retryAfter

    def test_seconds(self) -> None:
        """
        A useful delay is given in seconds, including fractions.
        """
        self.assertEqual(self.retryAfter(429, "7"), 7)
        self.assertEqual(self.retryAfter(429, "0.5"), 0.5)
        self.assertEqual(self.retryAfter(503, "0"), 0)
        self.assertIsNone(self.retryAfter(429))
        self.assertIsNone(self.retryAfter(400, "7"))

    def test_nonsense(self) -> None:
        """
        An invalid delay is not passed on.
        """
        date = "Wed, 21 Oct 2026 07:28:00 GMT"
        for value in ("", "soon", "-1", "nan", "inf", "1e9", date):
            self.assertIsNone(self.retryAfter(429, value), value)
            self.assertEqual(self.retryAfter(429, value, "7"), 7)


class WordsTests(SynchronousTestCase):
    """
    The provider's message.
    """

    def test_forms(self) -> None:
        """
        Each provider has its own format.
        """
        for body in [
            {"error": {"message": "Too long", "type": "invalid_request_error"}},
            {"error": "Too long"},
            {"message": "Too long", "request_id": "1"},
            {"detail": "Too long"},
            {"detail": {"message": "Too long"}},
            {"object": "error", "message": "Too long", "code": 400},
        ]:
            message = refusal(400, body).message
            self.assertEqual(
                message,
                "Provider 'vendor' refused the request. It says: Too long",
                body,
            )

    def test_noWords(self) -> None:
        """
        Without a message in the body, none is invented.
        """
        alone = "Provider 'vendor' refused the request."
        for body in (None, 1, [], {}, {"error": None}, {"error": {"message": 1}}, ""):
            self.assertEqual(refusal(400, body).message, alone)
        for text in (b"", b"<html>Bad Request</html>", b'{"error":', b"\xff", b"["):
            message = providerError("vendor", 400, NO_HEADERS, text).message
            self.assertEqual(message, alone)

    def test_nested(self) -> None:
        """
        A deeply nested body has no message.
        """
        for text in (b"[" * 60_000, b'{"error":' * 7_000):
            error = providerError("vendor", 500, NO_HEADERS, text)
            self.assertTrue(error.message.endswith("status 500."))

    def test_oneShortLine(self) -> None:
        """
        It is converted to one short line.
        """
        body = {"error": {"message": "Too\r\n\n  long: " + "word " * 1000}}
        message = refusal(400, body).message
        self.assertIn("Too long: word word", message)
        self.assertNotIn("\n", message)
        self.assertLess(len(message), 600)
        self.assertTrue(message.endswith("…"))

    @given(st.binary(max_size=60), st.sampled_from([400, 401, 429, 500]))
    def test_anyBody(self, body: bytes, status: int) -> None:
        """
        Any body results in an error.
        """
        error = providerError("vendor", status, NO_HEADERS, body)
        self.assertIsInstance(error, UpstreamError)


class SecretsTests(SynchronousTestCase):
    """
    Secrets that a provider quotes are hidden.
    """

    def test_refusedKey(self) -> None:
        """
        For a rejected key no message is passed on.
        """
        for status in (401, 403):
            message = refusal(status, {"error": "Incorrect key: abc"}).message
            self.assertEqual(message, "Provider 'vendor' refused the gateway's key.")

    def test_ownSecrets(self) -> None:
        """
        Secrets are hidden at any position, in any form.
        """
        for secret in ("hush", "a/b+c==", "(.*)", "pass word"):
            for status in (400, 429, 500, 503):
                body = {"error": {"message": f"No {secret}! ({secret})"}}
                message = refusal(status, body, "other", secret).message
                self.assertTrue(message.endswith("It says: No ***! (***)"), message)

    def test_whatLooksLikeKeys(self) -> None:
        """
        Texts that look like keys are hidden, too.
        """
        for key in [
            "sk-proj-abc123DEF456",
            "sk-ab******************yz",
            "pk_live_0123456789",
            "key-0123456789",
            "0123456789abcdef0123456789abcdef",
        ]:
            message = refusal(400, {"error": f"Who is {key}?"}).message
            self.assertTrue(message.endswith("It says: Who is ***?"), message)

    def test_ordinaryWords(self) -> None:
        """
        Ordinary text stays, including names of models and numbers.
        """
        words = "Model 'meta-llama/Llama-3.1-8B' takes 8192 tokens, a key-value store"
        self.assertIn(words, refusal(400, {"error": words}).message)
