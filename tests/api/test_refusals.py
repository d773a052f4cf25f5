"""
Tests of refusals and log probabilities, from the model to the client and back.
"""

from openclaw.messages import AssistantMessage
from tests.api.sse_reader import framesOf
from tests.server.memory_gateway import HELLO, STREAMED, GatewayTestCase

SESSION = ("x-openclaw-session-key", "notes")
TOKEN = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}


def choicesOf(answer):
    """
    Return the choices of all chunks of a stream.
    """
    frames = [frame for frame in framesOf(answer.body) if isinstance(frame, dict)]
    return [choice for frame in frames for choice in frame["choices"]]


class RefusalTests(GatewayTestCase):
    """
    The model refuses to answer.
    """

    def decline(self, body, *headers):
        """
        Return the response to a request that the model refuses in two pieces.
        """
        caller = self.gateway.post(body, *headers)
        for piece in ("I can't ", "do that."):
            self.gateway.call.decline(piece)
        self.gateway.call.finish()
        self.assertEqual(caller.answer.status, 200)
        self.assertEqual(len(self.gateway.provider.calls), 1)
        return caller.answer

    def test_whole(self):
        """
        The refusal has a member of its own; the content is null.  It is a whole answer,
        which no other model is asked for.
        """
        (choice,) = self.decline(HELLO).json["choices"]
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertEqual(choice["message"]["refusal"], "I can't do that.")
        self.assertIsNone(choice["message"]["content"])

    def test_streamed(self):
        """
        Its pieces come as they are written.
        """
        choices = choicesOf(self.decline(STREAMED))
        deltas = [choice["delta"] for choice in choices]
        self.assertEqual(
            [delta["refusal"] for delta in deltas if "refusal" in delta],
            ["I can't ", "do that."],
        )
        self.assertEqual(choices[-1]["finish_reason"], "stop")

    def test_stored(self):
        """
        The session keeps it, and the model is shown it at the next turn.
        """
        self.decline(HELLO, SESSION)
        self.gateway.post(HELLO, SESSION)
        self.assertEqual(
            self.gateway.call.request.messages[1], AssistantMessage("I can't do that.")
        )
        self.gateway.call.finish()

    def test_sentBack(self):
        """
        A client may send it back as a member or as a part of the message.
        """
        question = {"role": "user", "content": "Why?"}
        for said in (
            {"content": None, "refusal": "No."},
            {"refusal": "No."},
            {"content": [{"type": "refusal", "refusal": "No."}]},
            {"content": [], "refusal": "No."},
        ):
            messages = [question, {"role": "assistant", **said}, question]
            self.answered({**HELLO, "messages": messages})
            asked = self.gateway.call.request.messages
            self.assertEqual(asked[1], AssistantMessage("No."), said)


class LogprobsTests(GatewayTestCase):
    """
    The client asked for log probabilities.
    """

    ASKED = {"logprobs": True, "top_logprobs": 2}

    def answer(self, body):
        """
        Return the response to a request that is answered by two scored pieces.
        """
        caller = self.gateway.post({**body, **self.ASKED})
        sampling = self.gateway.call.request.sampling
        self.assertEqual((sampling.logprobs, sampling.top_logprobs), (True, 2))
        for _ in range(2):
            self.gateway.call.say("Hi")
            self.gateway.call.score(TOKEN)
        self.gateway.call.finish()
        self.assertEqual(caller.answer.status, 200)
        return caller.answer

    def test_whole(self):
        """
        The choice has those of all tokens.
        """
        (choice,) = self.answer(HELLO).json["choices"]
        self.assertEqual(
            choice["logprobs"], {"content": [TOKEN, TOKEN], "refusal": None}
        )

    def test_streamed(self):
        """
        Each chunk has those of its own tokens, whether they come with the text or after
        it.
        """
        choices = choicesOf(self.answer(STREAMED))
        scored = [choice for choice in choices if choice["logprobs"]]
        for choice in scored:
            self.assertEqual(choice["logprobs"], {"content": [TOKEN], "refusal": None})
        self.assertEqual(len(scored), 2)
        text = "".join(choice["delta"].get("content", "") for choice in choices)
        self.assertEqual(text, "HiHi")

    def test_refusal(self):
        """
        Those of a refusal are told apart.
        """
        for body in (HELLO, STREAMED):
            caller = self.gateway.post({**body, **self.ASKED})
            self.gateway.call.decline("No")
            self.gateway.call.score({**TOKEN, "token": "No"})
            self.gateway.call.finish()
            if body is HELLO:
                choices = caller.answer.json["choices"]
            else:
                choices = choicesOf(caller.answer)
            (found,) = [each["logprobs"] for each in choices if each["logprobs"]]
            self.assertIsNone(found["content"])
            self.assertEqual([each["token"] for each in found["refusal"]], ["No"])
