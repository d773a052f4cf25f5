"""
Tests of L{openclaw.models.dialects.google_generative_ai.request}: signatures of calls.
"""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from openclaw.messages import AssistantMessage, ToolCall
from openclaw.models.dialects.google_generative_ai.request import (
    NO_SIGNATURE,
    ThoughtSignatures,
)
from openclaw.models.dialects.google_generative_ai.response import GoogleGenerativeAI
from tests.models.event_reading import decoderOf
from tests.models.model_requests import CALL, encoded


class SignatureTests(SynchronousTestCase):
    """
    Models get the signatures of their calls back.
    """

    def signaturesOf(
        self, dialect: GoogleGenerativeAI, *calls: ToolCall, model: str
    ) -> list[str | None]:
        """
        Return the signature that is sent with each of these calls.
        """
        body = encoded(dialect, AssistantMessage("", calls), model=model)
        parts = body["contents"][0]["parts"]
        return [part.get("thoughtSignature") for part in parts]

    def test_roundTrip(self) -> None:
        """
        The signature of a call is sent with it, whatever the client did to its
        arguments, with Google's id or a generated one.
        """
        for id in ("fc1", None):
            dialect = GoogleGenerativeAI()
            decoder = decoderOf(dialect)
            call = {"name": "weather", "args": {"city": "Köln"}, "id": id}
            part = {"functionCall": call, "thoughtSignature": "c2VhbA=="}
            candidate = {"content": {"parts": [part]}, "finishReason": "STOP"}
            document = msgspec.json.encode({"candidates": [candidate]})
            decoder.feed(b"data: " + document + b"\n\n")
            decoder.finish()
            made = decoder.reply().toolCalls[0]
            rewritten = ToolCall(made.id, made.name, '{ "city" : "Köln" }')
            for model in ("gemini-3-pro-preview", "gemini-2.5-flash"):
                for call in (made, rewritten):
                    self.assertEqual(
                        self.signaturesOf(dialect, call, model=model), ["c2VhbA=="]
                    )

    def test_kept(self) -> None:
        """
        A stored signature is sent after a restart, too.
        """
        call = ToolCall("fc1", "weather", "{}", "c2VhbA==")
        sent = self.signaturesOf(GoogleGenerativeAI(), call, model="gemini-3-pro")
        self.assertEqual(sent, ["c2VhbA=="])

    def test_unknown(self) -> None:
        """
        Models that require a signature get the documented placeholder if it is unknown,
        once for the calls of a turn.
        """
        dialect = GoogleGenerativeAI()
        calls = CALL, ToolCall("b", "now", "{}")
        for model, expected in (
            ("gemini-3-pro-preview", NO_SIGNATURE),
            ("gemini-10-flash", NO_SIGNATURE),
            ("gemini-flash-latest", NO_SIGNATURE),
            ("gemini-2.5-flash", None),
            ("gemma-3-27b-it", None),
        ):
            self.assertEqual(
                self.signaturesOf(dialect, *calls, model=model), [expected, None], model
            )

    def test_bounded(self) -> None:
        """
        The oldest signature is dropped for a new one; a repeated one counts as new.
        """
        signatures = ThoughtSignatures(limit=2)
        for id in ("a", "b", "a", "c"):
            signatures.keep(id, "f", id * 2)
        known = [signatures.of(ToolCall(id, "f", "{}")) for id in ("a", "b", "c")]
        self.assertEqual(known, ["aa", None, "cc"])
        self.assertIs(signatures.of(ToolCall("a", "g", "{}")), None)
