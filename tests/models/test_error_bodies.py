"""
Tests of L{openclaw.models.error_bodies}, and of the resulting errors.
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
    UpstreamRateLimited,
    UpstreamRefused,
)
from openclaw.models.error_bodies import ErrorBody, parseErrorBody
from openclaw.models.error_wordings import Meaning
from openclaw.models.provider_errors import providerError

TOO_LONG = {
    "OpenAI": (
        400,
        {
            "error": {
                "message": "This model's maximum context length is 128000 tokens."
                " However, your messages resulted in 130011 tokens. Please reduce the"
                " length of the messages.",
                "type": "invalid_request_error",
                "param": "messages",
                "code": "context_length_exceeded",
            }
        },
    ),
    "OpenAI, one message": (
        400,
        {
            "error": {
                "message": "Invalid 'messages[1].content': string too long.",
                "type": "invalid_request_error",
                "code": "string_above_max_length",
            }
        },
    ),
    "Azure": (
        400,
        {
            "error": {
                "message": "Input tokens exceed the configured limit of 272000 tokens.",
                "type": "invalid_request_error",
                "code": "context_length_exceeded",
            }
        },
    ),
    "Anthropic": (
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "prompt is too long: 213462 tokens > 200000 maximum",
            },
        },
    ),
    "Anthropic, with the answer": (
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "input length and `max_tokens` exceed context limit:"
                " 190000 + 21333 > 200000, decrease input length or `max_tokens`",
            },
        },
    ),
    "Gemini": (
        400,
        {
            "error": {
                "code": 400,
                "message": "The input token count (1196265) exceeds the maximum number"
                " of tokens allowed (1048576).",
                "status": "INVALID_ARGUMENT",
            }
        },
    ),
    "Gemini, listed": (
        400,
        [
            {
                "error": {
                    "code": 400,
                    "message": "The input token count exceeds the maximum number of"
                    " tokens allowed 1048576.",
                }
            }
        ],
    ),
    "Ollama": (
        400,
        {"error": "prompt too long; exceeded max context length by 4 tokens"},
    ),
    "llama.cpp": (
        400,
        {
            "error": {
                "code": 400,
                "message": "the request exceeds the available context size, try"
                " increasing it",
                "type": "exceed_context_size_error",
                "n_prompt_tokens": 9412,
                "n_ctx": 8192,
            }
        },
    ),
    "llama.cpp, of old": (
        500,
        {
            "error": {
                "code": 500,
                "message": "the request exceeds the available context size. try"
                " increasing the context size or enable context shift",
                "type": "server_error",
            }
        },
    ),
    "vLLM": (
        400,
        {
            "object": "error",
            "message": "This model's maximum context length is 4096 tokens. However,"
            " you requested 5000 tokens (4000 in the messages, 1000 in the"
            " completion).",
            "type": "BadRequestError",
            "param": None,
            "code": 400,
        },
    ),
    "OpenRouter": (
        400,
        {
            "error": {
                "message": "This endpoint's maximum context length is 131072 tokens."
                " However, you requested about 140000 tokens.",
                "code": 400,
            }
        },
    ),
    "OpenRouter, relaying": (
        400,
        {
            "error": {
                "message": "Provider returned error",
                "code": 400,
                "metadata": {
                    "provider_name": "Somebody",
                    "raw": '{"error":{"message":"prompt is too long: 9 tokens"}}',
                },
            }
        },
    ),
    "Mistral": (
        400,
        {
            "object": "error",
            "message": "Prompt contains 140000 tokens and 0 draft tokens, too large for"
            " model with 131072 maximum context length",
            "type": "invalid_request_prompt",
            "code": "3051",
        },
    ),
    "DeepSeek": (
        400,
        {
            "error": {
                "message": "This model's maximum context length is 131072 tokens."
                " However, you requested 133000 tokens (132000 in the messages, 1000"
                " in the completion).",
                "type": "invalid_request_error",
                "param": None,
                "code": "invalid_request_error",
            }
        },
    ),
    "Groq": (
        400,
        {
            "error": {
                "message": "Please reduce the length of the messages or completion.",
                "type": "invalid_request_error",
                "param": "messages",
                "code": "context_length_exceeded",
            }
        },
    ),
    "xAI": (
        400,
        {
            "code": "Client specified an invalid argument",
            "error": "This model's maximum prompt length is 131072 but the request"
            " contains 537812 tokens.",
        },
    ),
    "LM Studio": (
        500,
        {
            "error": "Trying to keep the first 4097 tokens when context the overflows."
            " However, the number of tokens to keep from the initial prompt is greater"
            " than the context length."
        },
    ),
    "Together": (
        422,
        {
            "error": {
                "message": "The input (516368 tokens) is longer than the model's"
                " context length (262144 tokens).",
                "type": "invalid_request_error",
            }
        },
    ),
}
"""
By the provider's name: the status and the body of the error.
"""

OTHERS: dict[str, tuple[int, object, type[OpenClawError]]] = {
    "too much wanted": (
        400,
        {
            "error": {
                "message": "max_tokens is too large: 200000. This model supports at"
                " most 16384 completion tokens.",
                "code": "invalid_value",
            }
        },
        UpstreamRefused,
    ),
    "too many tokens a minute": (
        429,
        {"error": {"message": "Request too large: input tokens per minute."}},
        UpstreamRateLimited,
    ),
    "image": (
        400,
        {"error": {"message": "image exceeds 5 MB maximum: 6291456 > 5242880"}},
        UpstreamRefused,
    ),
}
"""
Similar errors with another meaning.
"""


def refused(status: int, body: object) -> OpenClawError:
    """
    Return the error for a status and a JSON body.
    """
    return providerError("vendor", status, Headers(), msgspec.json.encode(body))


class TooLongTests(SynchronousTestCase):
    """
    A conversation that is too long is distinguished from other errors, since it can be
    summarised.
    """

    def test_everyProvider(self) -> None:
        """
        Each provider has its own text and status.
        """
        for name, (status, body) in TOO_LONG.items():
            error = refused(status, body)
            self.assertIs(type(error), ContextTooLong, name)
            self.assertEqual(
                (error.status, error.code), (400, "context_length_exceeded")
            )
            self.assertIn("'vendor'", error.message)

    def test_otherTroubles(self) -> None:
        """
        Errors with similar texts are distinguished.
        """
        for name, (status, body, kind) in OTHERS.items():
            self.assertIs(type(refused(status, body)), kind, name)

    def test_words(self) -> None:
        """
        The caller gets the provider's message.
        """
        error = refused(*TOO_LONG["Anthropic"])
        self.assertIn("213462 tokens > 200000 maximum", error.message)

    def test_limitComesFirst(self) -> None:
        """
        An error about a limit of tokens per minute is a rate limit, whatever its text.
        """
        error = refused(429, {"error": {"message": "prompt is too long"}})
        self.assertIs(type(error), UpstreamRateLimited)

    @given(
        st.sampled_from(sorted(TOO_LONG)),
        st.text(max_size=20),
        st.sampled_from([400, 413, 422, 500]),
    )
    def test_moreWords(self, name: str, more: str, status: int) -> None:
        """
        Other numbers, surrounding texts and statuses do not matter.
        """
        message = parseErrorBody(msgspec.json.encode(TOO_LONG[name][1])).message
        body = {"error": {"message": f"{more} {message.upper()} {more}"}}
        known = parseErrorBody(msgspec.json.encode({"error": {"message": message}}))
        if known.meaning is Meaning.TOO_LONG:
            self.assertIs(type(refused(status, body)), ContextTooLong)


class KeyTests(SynchronousTestCase):
    """
    A wrong key is the gateway's error, not the caller's, whatever the status.
    """

    def test_google(self) -> None:
        """
        Google reports a wrong key as an invalid argument.
        """
        info = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
        }
        error = {
            "code": 400,
            "message": "API key not valid. Please pass a valid API key.",
            "status": "INVALID_ARGUMENT",
            "details": [{"@type": "type.googleapis.com/google.rpc.Help"}, info],
        }
        for body in ({"error": error}, [{"error": error}]):
            failure = refused(400, body)
            self.assertIs(type(failure), UpstreamAuthFailed)
            self.assertIs(failure.shouldRetry, False)
            self.assertNotIn("API key", failure.message)

    def test_otherDetails(self) -> None:
        """
        Other details, in any form, have no such meaning.
        """
        for details in (
            None,
            [],
            {},
            "x",
            [1],
            [{"reason": "OTHER"}],
            [{"reason": []}],
        ):
            body = {"error": {"code": 400, "message": "No.", "details": details}}
            self.assertIs(type(refused(400, body)), UpstreamRefused)


class FormTests(SynchronousTestCase):
    """
    No body breaks the parser.
    """

    def test_odd(self) -> None:
        """
        Fields of the wrong types count as missing.
        """
        for error in (
            {"message": 1, "code": [], "type": {}},
            {"metadata": {"raw": 7}},
            {"metadata": "x"},
            [],
            True,
        ):
            body = msgspec.json.encode({"error": error})
            self.assertEqual(parseErrorBody(body), ErrorBody())

    @given(st.binary(max_size=60))
    def test_anything(self, body: bytes) -> None:
        """
        Any bytes are an error, possibly with an empty message.
        """
        self.assertIsNone(parseErrorBody(body).meaning)
