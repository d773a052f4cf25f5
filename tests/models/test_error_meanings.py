"""
Tests of L{openclaw.models.error_wordings} with errors that providers have sent.
"""

import json
from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from openclaw.config import ModelRef
from openclaw.errors import (
    ContextTooLong,
    OpenClawError,
    UpstreamAuthFailed,
    UpstreamError,
    UpstreamModelNotFound,
    UpstreamOutOfFunds,
    UpstreamRateLimited,
    UpstreamRefused,
)
from openclaw.models.failover import Attempts
from openclaw.models.provider_errors import providerError

SAMPLES = [
    json.loads(line)
    for line in Path(__file__)
    .with_name("provider_errors.jsonl")
    .read_text("utf-8")
    .splitlines()
]
"""
Errors as reported in public issues and documentation: status, body and meaning.
"""

TYPES = {
    "failure": UpstreamError,
    "incapable": UpstreamRefused,
    "key": UpstreamAuthFailed,
    "money": UpstreamOutOfFunds,
    "rate limit": UpstreamRateLimited,
    "refused": UpstreamRefused,
    "too long": ContextTooLong,
    "unknown model": UpstreamModelNotFound,
}

OTHERS_ASKED = {"failure", "incapable", "key", "money", "rate limit", "unknown model"}
"""
The meanings that say nothing about another model.
"""


def errorOf(sample: dict[str, object]) -> OpenClawError:
    body = b"" if sample["body"] is None else msgspec.json.encode(sample["body"])
    return providerError("vendor", sample["status"], Headers(), body)


class MeaningTests(SynchronousTestCase):
    """
    An error means what its words say, whatever its status.
    """

    def test_type(self) -> None:
        """
        Each error has the type of its meaning.
        """
        for sample in SAMPLES:
            self.assertIs(type(errorOf(sample)), TYPES[sample["means"]], sample)

    def test_fallback(self) -> None:
        """
        Another model is asked where the error concerns this one, and not where the
        request is wrong.
        """
        for sample in SAMPLES:
            attempts = Attempts([ModelRef("a", "m"), ModelRef("b", "m")])
            error = errorOf(sample)
            asked = {attempts.model}
            try:
                for _ in range(4):
                    attempts.afterFailure(error)
                    asked.add(attempts.model)
            except OpenClawError:
                pass
            isAsked = ModelRef("b", "m") in asked
            self.assertEqual(isAsked, sample["means"] in OTHERS_ASKED, sample)

    def test_inAnswer(self) -> None:
        """
        A status that says nothing, as of an error within a stream, changes no meaning
        that the words have.
        """
        for sample in SAMPLES:
            if sample["means"] in ("money", "too long") and sample["status"] == 400:
                found = errorOf({**sample, "status": 500})
                self.assertIs(type(found), TYPES[sample["means"]], sample)

    def test_plainText(self) -> None:
        """
        The words count without JSON around them, too.
        """
        for words, kind in (
            (b"Context size has been exceeded.", ContextTooLong),
            (b"model 'x' not found", UpstreamModelNotFound),
            (b"Insufficient Balance", UpstreamOutOfFunds),
        ):
            error = providerError("vendor", 400, Headers(), words)
            self.assertIs(type(error), kind)
            self.assertIn(words.decode(), error.message)

    def test_page(self) -> None:
        """
        A web page is not quoted.
        """
        page = b"<html><title>413 Request Entity Too Large</title></html>"
        error = providerError("vendor", 400, Headers(), page)
        self.assertEqual(error.message, "Provider 'vendor' refused the request.")


class ReadableShareTests(SynchronousTestCase):
    """
    An error may say how much of the conversation the model can read.
    """

    def share(self, words: str) -> float | None:
        body = msgspec.json.encode({"error": {"message": words}})
        error = providerError("vendor", 400, Headers(), body)
        assert isinstance(error, ContextTooLong)
        return error.readableShare

    def test_known(self) -> None:
        """
        It is the ratio of the two largest numbers.
        """
        for words in (
            "prompt is too long: 250000 tokens > 200000 maximum",
            "maximum context length is 8,000 tokens. You requested 10,000 tokens",
            "input token count (10000) exceeds the maximum number of tokens (8000)",
        ):
            self.assertEqual(self.share(words), 0.8, words)

    def test_unknown(self) -> None:
        """
        One number, or none, says nothing.
        """
        for words in ("prompt is too long", "exceeded model token limit: 8000"):
            self.assertIsNone(self.share(words), words)
