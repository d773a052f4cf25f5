"""
The contract of every dialect's decoder on the formats of actual providers: unneeded
members can't break a reply, and no failure looks like a reply.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from openclaw.errors import (
    ContextTooLong,
    UpstreamError,
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTruncated,
)
from openclaw.interfaces import ModelReply
from tests.models.decoder_contract import DecoderContract
from tests.models.event_reading import Outcome, cut

ODD_VALUES = (
    b"null",
    b'""',
    b'"x"',
    b"0",
    b"7",
    b"1.5",
    b"-1",
    b"true",
    b"false",
    b"[]",
    b"{}",
    b"[1]",
    b"[{}]",
    b"[null]",
    b'{"x":1}',
    b"NaN",
    b"[-Infinity]",
    b"1e999",
    b"99999999999999999999999",
    b'"\\ud83d"',
    b'["\\ude00"]',
    b'"\xff"',
)
"""
Values of all types, some of which are not JSON.
"""

FALSE_VALUES = (b"null", b'""', b"0", b"false", b"[]", b"{}")

ERRORS: Sequence[dict[str, Any]] = (
    {"error": "No room."},
    {"error": {"message": "No room."}},
    {"error": {"error": {"message": "No room."}}},
    {"error": {"code": "busy", "detail": "No room."}},
    {"error": ["No room."]},
    {"errors": [{"message": "No room."}]},
    {"error_type": "capacity", "error_message": "No room."},
    {"error_code": 40303, "error_msg": "No room."},
    {"errorCode": "busy", "errorMessage": "No room."},
    {"detail": "No room."},
    {"detail": {"message": "No room."}},
    {"detail": [{"loc": ["body"], "msg": "No room."}]},
    {"code": "busy", "message": "No room."},
    {"code": 500, "message": "No room."},
    {"code": 1305, "msg": "No room."},
    {"status": 503, "message": "No room."},
    {"status": "error", "message": "No room."},
    {"statusCode": 500, "message": "No room."},
    {"type": "error", "message": "No room."},
    {"type": "error", "error": {"type": "capacity", "message": "No room."}},
    {"type": "exception", "detail": "No room."},
    {"object": "error", "message": "No room."},
    {"event": "error", "message": "No room."},
    {"success": False, "message": "No room."},
    {"message": "No room."},
    {"base_resp": {"status_code": 1004, "status_msg": "No room."}},
)
"""
Events with errors, as gateways, FastAPI, Mistral, MiniMax, Zhipu and others send them
with a status of 200.
"""

STATUSES: Sequence[tuple[dict[str, Any], type[UpstreamError]]] = (
    ({"code": "tool_use_failed", "status_code": 400}, UpstreamRefused),
    ({"type": "invalid_request_error"}, UpstreamRefused),
    ({"status": "INVALID_ARGUMENT"}, UpstreamRefused),
    ({"code": 422}, UpstreamRefused),
    ({"status_code": "400"}, UpstreamRefused),
    ({"code": 429}, UpstreamRateLimited),
    ({"statusCode": 429.0}, UpstreamRateLimited),
    ({"type": "rate_limit_error"}, UpstreamRateLimited),
    ({"status": "RESOURCE_EXHAUSTED"}, UpstreamRateLimited),
    ({"error": {"code": 429}}, UpstreamRateLimited),
    ({"code": 8}, UpstreamError),
    ({"code": 200}, UpstreamError),
)
"""
Members with an error's status, and their meaning.
"""

TOO_LONG = b"This model's maximum context length is 8192 tokens."

UNKNOWN = (
    b'{"foo":1}',
    b'{"result":"ok"}',
    b'{"status":"done"}',
    b'{"output":{"text":"Hi."}}',
    b'{"data":[1]}',
)
"""
Events without a meaning in any dialect.
"""

DONE = b"[DONE]"

PINGS = (
    b"null",
    b"ping",
    b'"ping"',
    b"PING",
    b"keep-alive",
    b"",
    b"  ",
    b"{}",
    b'{"type":"ping"}',
    b'{"event":"heartbeat"}',
)
"""
Events that only keep the connection alive.
"""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ShapeContract(DecoderContract):
    """
    A mixin for a dialect's test case.

    @cvar text: A JSON text with which the model sends the JSON string C{%s}.
    @cvar thought: A JSON text with which the model sends the JSON string C{%s} as
        reasoning.
    @cvar ending: JSON texts that end a reply for the reason C{stop}.
    @cvar usage: A JSON text with the counts 3 and 4, each C{%s}; it may end the reply.
    @cvar isUsageLast: Whether it does.
    @cvar members: The members that a dialect reads, and other common ones, by the path
        of their object in C{text}.
    @cvar needed: Prefixes of paths of members without which a reply in C{samples} would
        change.
    @cvar otherChoice: C{said} of a choice that was not requested, if there may be one.
    @cvar named: Whether events may have names.
    """

    text: bytes
    thought: bytes
    ending: Sequence[bytes]
    usage: bytes
    isUsageLast = False
    members: Mapping[tuple[str | int, ...], Sequence[str]]
    needed: Sequence[tuple[str | int, ...]]
    otherChoice: bytes | None = None
    named = True

    def ended(self, *documents: bytes) -> Outcome:
        """
        Decode a reply with a normal end.
        """
        return self.understood(self.framed(*documents, *self.ending))

    def assertSays(self, outcome: Outcome, text: str, what: object) -> None:
        """
        Assert that a reply is complete, with this text.
        """
        self.assertTrue(isinstance(outcome.end, ModelReply), (what, outcome.end))
        self.assertEqual((outcome.text, outcome.end.finishReason), (text, "stop"), what)

    def assertEverySplit(self, wire: bytes, expected: Outcome, what: object) -> None:
        """
        Assert that the split into reads does not matter.
        """
        for place in range(len(wire)):
            self.assertEqual(self.understood(*cut(wire, [place])), expected, what)

    # Unneeded members

    def test_oddMembers(self) -> None:
        """
        An unneeded member may have any value.
        """
        for path, names in self.members.items():
            for name in names:
                for value in FALSE_VALUES if name == "error" else ODD_VALUES:
                    odd = _with(msgspec.json.decode(self.said), path, name, value)
                    self.assertSays(self.ended(odd), "Hi.", odd)

    def test_oddSamples(self) -> None:
        """
        The same applies to actual replies: texts, reasoning and calls do not change.
        """
        for sample, (wire, _) in self.samples.items():
            documents = list(_documents(wire))
            whole = self.framed(*map(msgspec.json.encode, documents))
            expected = self.understood(whole)
            if not isinstance(expected.end, ModelReply):
                continue
            for number, document in enumerate(documents):
                for path in _paths(document):
                    if not self._isNeeded(path):
                        self._checkOdd(documents, number, path, expected, sample)

    def _isNeeded(self, path: tuple[str | int, ...]) -> bool:
        plain = tuple(0 if isinstance(part, int) else part for part in path)
        return any(plain[: len(each)] == each for each in self.needed) or any(
            each[: len(plain)] == plain for each in self.needed
        )

    def _checkOdd(self, documents, number, path, expected, sample) -> None:
        for value in ODD_VALUES:
            encoded = [msgspec.json.encode(each) for each in documents]
            encoded[number] = _with(documents[number], path[:-1], path[-1], value)
            outcome = self.understood(self.framed(*encoded))
            what = (sample, path, value, outcome.end)
            self.assertTrue(isinstance(outcome.end, ModelReply), what)
            self.assertEqual(
                (outcome.text, outcome.thought, outcome.calls),
                (expected.text, expected.thought, expected.calls),
                what,
            )
            self.assertEqual(outcome.end.finishReason, expected.end.finishReason, what)

    def test_oddText(self) -> None:
        """
        Text of another type counts as absent.
        """
        for value in ("null", "1", "1.5", "true", "false", "{}", "[]", "[1]", "NaN"):
            odd = self.text.replace(b"%s", value.encode())
            self.assertSays(self.ended(odd, self.said), "Hi.", odd)

    def test_parts(self) -> None:
        """
        Text may come in parts.
        """
        parts = b'[{"type":"text","text":"H"},{"type":"text","text":"i."}]'
        for value in (parts, b'{"type":"text","text":"Hi."}', b'["H","i."]'):
            odd = self.text.replace(b"%s", value)
            self.assertSays(self.ended(odd), "Hi.", odd)
            thought = self.ended(self.thought.replace(b"%s", value), self.said)
            self.assertEqual((thought.thought, thought.text), ("Hi.", "Hi."), value)

    def test_oddUsage(self) -> None:
        """
        Counts may be numbers of any type; other values are not counted.
        """
        for three, four, counted in (
            (b"3", b"4", (3, 4)),
            (b"3.0", b"4.0", (3, 4)),
            (b'"3"', b'"4"', (3, 4)),
            (b"3", b"null", (3, 0)),
            (b"[]", b"4", (0, 4)),
            (b"-3", b"4", (0, 4)),
            (b"NaN", b"4", (0, 4)),
            (b'"x"', b"true", (0, 0)),
        ):
            usage = self.usage % (three, four)
            wire = [self.said, usage, *self.ending]
            if self.isUsageLast:
                wire.pop()
            outcome = self.understood(self.framed(*wire))
            self.assertSays(outcome, "Hi.", usage)
            told = outcome.end.usage
            self.assertEqual((told.prompt_tokens, told.completion_tokens), counted)

    # Failures

    def test_errors(self) -> None:
        """
        An error is recognised in any form, first or in the middle, whatever follows.
        """
        for error in ERRORS:
            document = msgspec.json.encode(error)
            for before, text in (((), ""), ((self.said,), "Hi.")):
                for behind in ((), (DONE,), (self.said, *self.ending, DONE)):
                    wire = self.framed(*before, document, *behind)
                    self._assertError(wire, text, error)
            if self.named:
                named = b"event: error\ndata: %s\n\n" % document
                for wire in (named, b"event:error\r\ndata:%s\r\n\r\n" % document):
                    self._assertError(self.framed(self.said) + wire, "Hi.", error)
            self._assertError(document, "", error)

    def _assertError(self, wire: bytes, text: str, what: object) -> None:
        outcome = self.understood(wire)
        self.assertEqual(outcome.text, text, what)
        self.assertFalse(isinstance(outcome.end, ModelReply), what)
        kind, message = outcome.end
        self.assertTrue(issubclass(kind, UpstreamError), what)
        self.assertIn("No room.", message, what)

    def test_namedErrors(self) -> None:
        """
        An event that is named an error is one, whatever it contains, and so is JSON
        outside of events.
        """
        if not self.named:
            return
        for wire in (
            b"event: error\ndata: No room.\n\n",
            b'event: error\ndata: "No room."\n\n',
            b'event: error\ndata: {"reason":"x"}\n\n',
            b"event: error\ndata:\n\n",
            b"event: error\n\n",
            b"event: server_error\ndata: {}\n\n",
            b'event: throttlingException\ndata: {"message":"No room."}\n\n',
            b"event: error\ndata: %s\n\n" % self.said,
            b'error: {"code":500,"message":"No room."}\n\n',
            b'{"error":{"message":"No room."}}\n\n',
            b'{\n  "error": {\n    "message": "No room."\n  }\n}\n\n',
        ):
            whole = self.framed(self.said) + wire + self.framed(*self.ending, DONE)
            expected = self.understood(whole)
            self.assertEqual(expected.text, "Hi.", wire)
            self.assertIs(expected.end[0], UpstreamError, wire)
            if b"No room." in wire:
                self.assertIn("No room.", expected.end[1])
            self.assertEverySplit(whole, expected, wire)

    def test_statuses(self) -> None:
        """
        An error within a response has the same meaning as before it.
        """
        for members, kind in STATUSES:
            error = {"message": "No room.", **members}
            for document in ({"error": error}, {"type": "error", "error": error}):
                wire = self.framed(self.said, msgspec.json.encode(document))
                self.assertIs(self.understood(wire).end[0], kind, document)

    def test_tooLongFirst(self) -> None:
        """
        A conversation that is too long is recognised in any form of error.
        """
        for error in ERRORS:
            document = msgspec.json.encode(error).replace(b"No room.", TOO_LONG)
            for wire in (document, self.framed(document), self.framed(document, DONE)):
                self.assertIs(self.understood(wire).end[0], ContextTooLong, error)

    def test_unknown(self) -> None:
        """
        An unknown event does not prove an end, and neither does an end marker after it.
        It does not affect a reply whose end is proven.
        """
        for unknown in UNKNOWN:
            for documents in (
                (unknown,),
                (unknown, DONE),
                (unknown, unknown, DONE),
                (unknown, self.said, DONE),
                (self.said, unknown, DONE),
            ):
                outcome = self.understood(self.framed(*documents))
                self.assertFalse(isinstance(outcome.end, ModelReply), documents)
                self.assertIs(outcome.end[0], UpstreamTruncated, documents)
            self.assertSays(self.ended(unknown, self.said, unknown), "Hi.", unknown)

    def test_nothingButDone(self) -> None:
        """
        An end marker alone is not an end; after text it is.
        """
        for wire in (self.framed(DONE), self.framed(*PINGS, DONE)):
            self.assertIs(self.understood(wire).end[0], UpstreamTruncated)
        wire = self.framed(self.said, DONE, self.said, b"{nonsense")
        self.assertSays(self.understood(wire), "Hi.", wire)

    # Bytes and characters

    def test_pings(self) -> None:
        """
        Pings have no meaning.
        """
        for ping in PINGS:
            self.assertSays(self.ended(ping, self.said, ping), "Hi.", ping)
            wire = self.framed(self.said, ping, DONE)
            self.assertSays(self.understood(wire), "Hi.", ping)

    def test_byteOrderMark(self) -> None:
        """
        A body may begin with a byte order mark, in a stream or not.
        """
        for blank in (b"", b"\n"):
            wire = BYTE_ORDER_MARK + blank + self.framed(self.said, *self.ending)
            expected = self.understood(wire)
            self.assertSays(expected, "Hi.", wire)
            self.assertEverySplit(wire, expected, wire)
        error = BYTE_ORDER_MARK + b'{"error":{"message":"No room."}}'
        self.assertEverySplit(error, self.understood(error), error)
        self._assertError(error, "", error)

    def test_halves(self) -> None:
        """
        Halves of a surrogate pair in two pieces are joined; a lone one becomes U+FFFD.
        """
        for pieces, text in (
            (("a\\ud83d", "\\ude00b"), "a😀b"),
            (("\\ud83d", "\\ude00"), "😀"),
            (("\\ud83d", "", "\\ude00"), "😀"),
            (("a", "\\ud83d", "\\ude00\\ud83d", "\\ude00", "b"), "a😀😀b"),
            (("\\ud83d\\ude00",), "😀"),
            (("a\\ud83d", "b"), "a�b"),
            (("a\\ude00", "b"), "a�b"),
            (("a\\ud83d",), "a�"),
            (("\\ud83d", "\\ud83d"), "��"),
            (("a\\ud83db", "c"), "a�bc"),
        ):
            said = [self.text.replace(b"%s", b'"%s"' % p.encode()) for p in pieces]
            wire = self.framed(*said, *self.ending)
            expected = self.understood(wire)
            self.assertSays(expected, text, pieces)
            self.assertEverySplit(wire, expected, pieces)
            thought = [b'"%s"' % piece.encode() for piece in pieces]
            outcome = self.ended(
                *(self.thought.replace(b"%s", piece) for piece in thought), self.said
            )
            self.assertEqual((outcome.thought, outcome.text), (text, "Hi."), pieces)

    def test_badUTF8(self) -> None:
        """
        Bytes that are not UTF-8 become U+FFFD.
        """
        for raw, text in ((b"a\xff", "a�"), (b"\xf0\x9f\x98", "�"), (b"\xc3(", "�(")):
            piece = self.text.replace(b"%s", b'"%s"' % raw)
            wire = self.framed(piece, self.said, *self.ending)
            expected = self.understood(wire)
            self.assertSays(expected, text + "Hi.", raw)
            self.assertEverySplit(wire, expected, raw)

    def test_controlCharacters(self) -> None:
        """
        Raw control characters in a text are kept.
        """
        piece = self.text.replace(b"%s", b'"a\tb"')
        self.assertSays(self.ended(piece), "a\tb", piece)

    def test_otherChoices(self) -> None:
        """
        Of several choices the first is read.
        """
        if self.otherChoice is not None:
            for documents in (
                (self.otherChoice, self.said),
                (self.said, self.otherChoice),
            ):
                self.assertSays(self.ended(*documents), "Hi.", documents)


def _with(document: Any, path: Sequence[str | int], name: str | int, value: bytes):
    """
    Return the JSON text of a document in which a member has another value.
    """
    document = msgspec.json.decode(msgspec.json.encode(document))
    target = document
    for part in path:
        target = target[part]
    target[name] = "@value@"
    return msgspec.json.encode(document).replace(b'"@value@"', value)


def _paths(value: Any, path: tuple[str | int, ...] = ()):
    """
    Generate the paths of all members.
    """
    members: Any = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    for name, member in members:
        if isinstance(name, str):
            yield (*path, name)
        yield from _paths(member, (*path, name))


def _documents(wire: bytes) -> Iterator[Any]:
    for line in wire.splitlines():
        line = line.removeprefix(b"data: ")
        if line[:1] == b"{":
            yield msgspec.json.decode(line)


__all__ = ["ShapeContract"]
