"""
Tests of L{openclaw.metrics.run_log_lines}.
"""

import json
import shlex

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from openclaw.log_formats import IStructured
from openclaw.messages import Usage
from tests.metrics.ended_runs import account, embeddings

PRINTABLE = st.text(min_size=1).filter(str.isprintable)


def pairs(line):
    """
    Parse a line of C{key=value}, in which quoted values are JSON.
    """
    found = {}
    while line:
        key, _, rest = line.partition("=")
        if rest.startswith('"'):
            value, end = json.JSONDecoder().raw_decode(rest)
            line = rest[end:].lstrip(" ")
        else:
            value, _, line = rest.partition(" ")
        found[key] = value
    return found


class TextTests(SynchronousTestCase):
    """
    The text of a run's line.
    """

    def test_whole(self):
        """
        A line has the caller, the model, the time of each phase, the tokens and the
        outcome.
        """
        usage = Usage(11, 4, cached_tokens=8, reasoning_tokens=3)
        line = str(account(queueSeconds=0.0123, usage=usage))
        self.assertEqual(
            line,
            "run=run_1 request=req_1 caller=operator agent=main session=agent:main:a"
            " model=scripted/m1 outcome=stop gone=no queue_ms=12.3 first_ms=300.0"
            " total_ms=1500.0 tokens_in=11 tokens_out=4 cached=8 reasoning=3",
        )

    def test_unknown(self):
        """
        Unknown values are shown, too.
        """
        line = str(account(request=None, caller="", model=None, firstSeconds=None))
        self.assertIn("request=- caller=- ", line)
        self.assertIn(" model=- ", line)
        self.assertIn(" first_ms=- ", line)
        self.assertNotIn("cached", line)
        self.assertNotIn("error", line)

    def test_failure(self):
        """
        A failed run has the reason, and shows whether the client disconnected.
        """
        failed = account(outcome="upstream_refused", callerGone=True, error='No "x".')
        line = str(failed)
        self.assertIn(" outcome=upstream_refused gone=yes ", line)
        self.assertTrue(line.endswith(' error="No \\"x\\"."'), line)
        self.assertEqual(shlex.split(line)[-1], 'error=No "x".')

    @given(PRINTABLE, PRINTABLE, st.text())
    @example("ann outcome=length", 'a" agent=boss "', "No.\nrun=run_2")
    def test_noForgery(self, caller, session, error):
        """
        No label or session key can forge a field or a line.
        """
        line = str(account(caller=caller, session=session, error=error))
        self.assertTrue(line.isascii() or line.isprintable())
        self.assertNotIn("\n", line)
        found = pairs(line)
        self.assertEqual(
            (found["caller"], found["session"], found["error"]),
            (caller, session, error),
        )
        self.assertEqual((found["outcome"], found["agent"]), ("stop", "main"))


class FieldTests(SynchronousTestCase):
    """
    The same for the JSON log.
    """

    def test_interface(self):
        """
        The line provides the interface for fields.
        """
        verifyObject(IStructured, account())

    def test_whole(self):
        """
        Numbers are numbers, and unknown values are null.
        """
        fields = account(firstSeconds=None, usage=Usage(11, 4)).fields()
        self.assertEqual(
            fields,
            {
                "message": "run ended",
                "run": "run_1",
                "request": "req_1",
                "caller": "operator",
                "agent": "main",
                "session": "agent:main:a",
                "model": "scripted/m1",
                "outcome": "stop",
                "gone": False,
                "queue_ms": 0.0,
                "first_ms": None,
                "total_ms": 1500.0,
                "tokens_in": 11,
                "tokens_out": 4,
                "cached": 0,
                "reasoning": 0,
                "estimated": False,
                "error": None,
            },
        )

    def test_sameNames(self):
        """
        Both formats have the same names.
        """
        usage = Usage(1, 1, 1, 1, estimated=True)
        full = account(usage=usage, error="No.")
        self.assertEqual(set(pairs(str(full))), set(full.fields()) - {"message"})


class EmbeddingTests(SynchronousTestCase):
    """
    The line of a request for embeddings.
    """

    def test_text(self):
        """
        It has the caller, the number of inputs, the model and the outcome.
        """
        self.assertEqual(
            str(embeddings()),
            "kind=embeddings request=req_1 caller=operator agent=main"
            " model=scripted/vectors inputs=3 outcome=done gone=no total_ms=500.0"
            " tokens_in=12",
        )

    def test_failure(self):
        """
        A failed request has the reason.
        """
        line = str(embeddings(outcome="gateway_busy", tokens=0, error='No "x".'))
        self.assertTrue(line.endswith(' tokens_in=0 error="No \\"x\\"."'), line)

    @given(PRINTABLE, st.text())
    def test_noForgery(self, caller, error):
        """
        No label can forge a field or a line.
        """
        line = str(embeddings(caller=caller, error=error))
        self.assertNotIn("\n", line)
        found = pairs(line)
        self.assertEqual((found["caller"], found["error"]), (caller, error))

    def test_fields(self):
        """
        The JSON log has the same names.
        """
        verifyObject(IStructured, embeddings())
        full = embeddings(error="No.")
        fields = full.fields()
        self.assertEqual(fields.pop("message"), "embeddings ended")
        self.assertEqual(set(pairs(str(full))), set(fields))
        self.assertEqual((fields["inputs"], fields["total_ms"]), (3, 500.0))
