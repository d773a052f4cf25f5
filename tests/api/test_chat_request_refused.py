"""
Tests of L{openclaw.api.chat_request} and L{openclaw.api.chat_schema}: invalid requests.
"""

import msgspec
from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from openclaw.api.body_parsing import MAX_FIELDS
from openclaw.api.chat_request import ChatRequest
from openclaw.errors import InvalidRequest
from openclaw.raw_json import wireForm
from tests.api.chat_bodies import chatRequestOf
from tests.api.request_strategies import rubbish

HI = {"role": "user", "content": "Hi."}
CALL = {"id": "call_1", "function": {"name": "look", "arguments": "{}"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}


class RefusedTestCase(SynchronousTestCase):
    """
    A test case with wrong requests.
    """

    def refused(self, body):
        """
        Return the error for a body, given as bytes or as a value.
        """
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        error = self.assertRaises(InvalidRequest, chatRequestOf, raw)
        self.assertEqual(error.status, 400)
        return error

    def assertParam(self, param, body):
        """
        Assert that the error for a body has this field.
        """
        error = self.refused(body)
        self.assertEqual(error.param, param)
        self.assertIn(f"`{param}", error.message)
        return error

    def assertMessageParam(self, param, *messages):
        """
        Assert the same for a request with these messages.
        """
        return self.assertParam(param, {"messages": messages})


class JSONTests(RefusedTestCase):
    """
    Bodies that are not JSON objects.
    """

    def test_position(self):
        """
        The error has the position of the syntax error.
        """
        for body, where in [
            (b"", 0),
            (b"{", 1),
            (b'{"messages": [', 14),
            (b'{"a": 1,}', 8),
            (b'{"a": }', 6),
            (b'{"a" 1}', 5),
            (b"{} {}", 4),
            (b'\xef\xbb\xbf{"a": 1}', 0),
        ]:
            error = self.refused(body)
            self.assertEqual((error.code, error.param), ("invalid_json", None))
            self.assertIn("not valid JSON", error.message)
            self.assertIn(f"(byte {where})", error.message)

    def test_notUTF8(self):
        """
        Invalid UTF-8 is rejected at any position, also in a field that is not used.
        """
        for body in (b'{"a": "\xff"}', b'{"a": "\xe2"}', b'{"a": "\xed"}'):
            error = self.refused(body)
            self.assertEqual(error.code, "invalid_json")
            self.assertIn("not valid UTF-8 (byte 7)", error.message)

    def test_loneSurrogate(self):
        """
        A lone surrogate is rejected, since it could not be sent on.
        """
        body = b'{"messages": [{"role": "user", "content": "\\ud83d"}]}'
        self.assertEqual(self.refused(body).code, "invalid_json")

    def test_notAnObject(self):
        """
        Other JSON is rejected with its type.
        """
        for body, kind in [(b"[]", "array"), (b"null", "null"), (b'"{}"', "str")]:
            error = self.refused(body)
            self.assertEqual(error.code, "invalid_json")
            self.assertIn(kind, error.message)

    def test_tooDeep(self):
        """
        Deep nesting is rejected without recursion.
        """
        for field in (b"response_format", b"messages", b"unknown"):
            body = b'{"%s": %s%s}' % (field, b'{"a":' * 50_000, b"1" + b"}" * 50_000)
            self.assertIn("too deeply", self.refused(body).message)


class FieldTests(RefusedTestCase):
    """
    Errors name the invalid field.
    """

    def test_kind(self):
        """
        A value of the wrong type.
        """
        for name, value in {
            "messages": {},
            "model": 4,
            "stream": "yes",
            "stream_options": [],
            "stream_options.include_usage": 1,
            "user": {"id": 1},
            "n": "1",
            "temperature": "hot",
            "max_tokens": 1.5,
            "seed": "x",
            "logit_bias": [],
            "logprobs": 1,
            "reasoning_effort": 3,
            "parallel_tool_calls": "no",
        }.items():
            field, _, inner = name.partition(".")
            body = {"messages": [HI], field.partition("[")[0]: value}
            if inner:
                body[field] = {inner: value}
            self.assertParam(name, body)

    def test_stop(self):
        """
        At most four stop sequences, none of which is empty; the messages are
        OpenClaw's.
        """
        kinds = "stop must be a string or array of strings"
        entries = "stop entries must be non-empty strings"
        for value, param, fault in (
            (3, "stop", kinds),
            ({}, "stop", kinds),
            (["a", 3], "stop[1]", entries),
            ("", "stop", entries),
            (["a", ""], "stop[1]", entries),
            (list("abcde"), "stop", "stop supports at most 4 sequences"),
        ):
            error = self.refused({"messages": [HI], "stop": value})
            self.assertEqual(error.param, param)
            self.assertEqual(error.message, f"Invalid stop: {fault}")

    def test_responseFormat(self):
        """
        A known type, and C{json_schema} with a schema; the messages are OpenClaw's.
        """
        kinds = "response_format.type must be text, json_object, or json_schema"
        for value, param, fault in (
            ("json", "response_format", "response_format must be an object"),
            ([], "response_format", "response_format must be an object"),
            ({}, "response_format.type", kinds),
            ({"type": "grammar"}, "response_format.type", kinds),
            (
                {"type": "json_schema"},
                "response_format.json_schema",
                "response_format.json_schema is required",
            ),
            (
                {"type": "json_schema", "json_schema": {"name": "x"}},
                "response_format.json_schema.schema",
                "response_format.json_schema.schema is required",
            ),
        ):
            error = self.refused({"messages": [HI], "response_format": value})
            self.assertEqual(error.param, param)
            self.assertEqual(error.message, f"Invalid response_format: {fault}")

    def test_kindInMapping(self):
        """
        A bias that is not a number is reported for C{logit_bias}.
        """
        error = self.refused({"messages": [HI], "logit_bias": {"5": "much"}})
        self.assertEqual(error.param, "logit_bias[...]")

    def test_range(self):
        """
        A number out of range.
        """
        for name, values in {
            "temperature": (-0.1, 2.1, 1e300),
            "top_p": (-0.1, 1.1),
            "max_tokens": (0, -1),
            "max_completion_tokens": (0,),
            "frequency_penalty": (-2.1, 2.1),
            "presence_penalty": (-2.1, 2.1),
            "top_logprobs": (-1, 21),
        }.items():
            for value in values:
                body = {"messages": [HI], "logprobs": True, name: value}
                self.assertParam(name, body)

    def test_longModel(self):
        """
        The length of C{model}, which each chunk repeats, is limited, including blanks.
        """
        for longest, more in (("x" * 256, "x"), ("openclaw" + 248 * " ", " ")):
            body = {"model": longest, "messages": [HI]}
            self.assertEqual(chatRequestOf(msgspec.json.encode(body)).model, longest)
            self.assertParam("model", {**body, "model": longest + more})

    def test_manyFields(self):
        """
        A body with very many fields is rejected, whatever they are.
        """
        fields = {str(number): 1 for number in range(MAX_FIELDS)}
        error = self.refused({"messages": [HI], **fields})
        self.assertIn("more than 1000 fields", error.message)

    def test_oneChoiceOnly(self):
        """
        C{n} must be 1.
        """
        for count in (0, 2, -1, 2**80):
            self.assertParam("n", {"messages": [HI], "n": count})

    def test_topLogprobsAlone(self):
        """
        C{top_logprobs} requires C{logprobs: true}, as in OpenAI's API.
        """
        for others in ({}, {"logprobs": None}, {"logprobs": False}):
            self.assertParam(
                "top_logprobs", {"messages": [HI], "top_logprobs": 2, **others}
            )

    def test_outdatedTools(self):
        """
        The predecessors of C{tools} are rejected, not ignored.
        """
        for name, value in {
            "functions": [{"name": "f"}],
            "function_call": {"name": "f"},
        }.items():
            error = self.assertParam(name, {"messages": [HI], name: value})
            self.assertEqual(error.code, "unsupported_parameter")


class MessageTests(RefusedTestCase):
    """
    Errors name the index of the invalid message.
    """

    def test_noUserMessage(self):
        """
        A request without a user's message is rejected with the original's text.
        """
        for messages in (
            None,
            [],
            [{"role": "system", "content": "Be brief."}],
            [{"role": "assistant", "content": "Yes?"}],
            [{"role": "user", "content": ""}],
            [{"role": "user", "content": " \n"}],
            [{"role": "user"}],
            [{"role": "user", "content": []}],
        ):
            error = self.assertParam("messages", {"messages": messages})
            self.assertEqual(error.message, "Missing user message in `messages`.")
        self.assertParam("messages", {})

    def test_role(self):
        """
        An unknown or missing role.
        """
        for role in ("", "function", "User", "robot"):
            self.assertMessageParam(
                "messages[1].role", HI, {"role": role, "content": "x"}
            )
        self.assertMessageParam("messages[1].role", HI, {"content": "x"})
        self.assertMessageParam("messages[0].role", {"role": 1})

    def test_content(self):
        """
        Content that is neither text nor parts.
        """
        self.assertMessageParam("messages[0]", "Hi.")
        for content in (1, {"text": "Hi."}, True):
            self.assertMessageParam(
                "messages[1].content", HI, {"role": "user", "content": content}
            )

    def test_unknownPart(self):
        """
        A part of an unsupported type is reported with its index and type.
        """
        text = {"type": "text", "text": "What is this?"}
        for role, kind in (
            ("user", "input_audio"),
            ("user", "file"),
            ("user", "refusal"),
            ("user", ""),
            ("assistant", "image_url"),
            ("system", "image_url"),
        ):
            error = self.assertMessageParam(
                "messages[1].content[1]",
                HI,
                {
                    "role": role,
                    "content": [
                        text,
                        {"type": kind, kind: "No." if kind == "refusal" else {}},
                    ],
                },
            )
            self.assertEqual(error.code, "unsupported_content")
            self.assertIn(repr(kind), error.message)

    def test_malformedPart(self):
        """
        A part without a type or a text.
        """
        for part, inner in [
            ({"text": "x"}, ".type"),
            ({"type": "text"}, ".text"),
            ({"type": "text", "text": None}, ".text"),
            ({"type": "text", "text": 3}, ".text"),
            ("x", ""),
        ]:
            self.assertMessageParam(
                f"messages[0].content[0]{inner}", {"role": "user", "content": [part]}
            )

    def test_toolCall(self):
        """
        An incomplete tool call.
        """
        for call, inner in [
            ({"function": CALL["function"]}, ".id"),
            ({"id": None, "function": CALL["function"]}, ".id"),
            ({"id": "c"}, ".function"),
            ({"id": "c", "function": {"arguments": ""}}, ".function.name"),
            (
                {"id": "c", "function": {"name": "f", "arguments": {}}},
                ".function.arguments",
            ),
        ]:
            said = {"role": "assistant", "tool_calls": [call]}
            self.assertMessageParam(f"messages[1].tool_calls[0]{inner}", HI, said)

    def test_toolResultOfNothing(self):
        """
        A result without an earlier call is reported: one with another id, and one
        before its call.  One without an id has no call in any case.
        """
        unmatched = {"role": "tool", "tool_call_id": "call_2", "content": "x"}
        nameless = {"role": "tool", "content": "x"}
        early = {**unmatched, "tool_call_id": "call_1"}
        where = "messages[{}].tool_call_id"
        for said, place in [
            ([HI, CALLED, unmatched], 2),
            ([HI, early, CALLED], 1),
            ([{"role": "system", "content": "Be brief."}, early, unmatched], 1),
        ]:
            asking = chatRequestOf(msgspec.json.encode({"messages": said}))
            error = asking.unmatched.error()
            self.assertEqual(error.param, where.format(place))
            self.assertIn(repr(said[place]["tool_call_id"]), error.message)
        self.assertMessageParam(where.format(2), HI, CALLED, nameless)


class RubbishTests(SynchronousTestCase):
    """
    No body breaks the parser.
    """

    @given(rubbish)
    def test_anyBody(self, body):
        """
        A body is valid or the caller's error, never an internal one.
        """
        try:
            asked = chatRequestOf(body)
        except InvalidRequest as error:
            self.assertTrue(error.message)
            # The error can be encoded.
            msgspec.json.encode([error.message, error.param])
        else:
            self.assertIsInstance(asked, ChatRequest)
            msgspec.json.encode(
                [asked.model, asked.user, asked.sampling], enc_hook=wireForm
            )
