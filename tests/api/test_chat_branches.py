"""
Tests of L{openclaw.api.chat_branches}: chats with edited or regenerated messages.
"""

from openclaw.api import chat_branches as branches
from openclaw.api.chat_branches import MAX_BRANCHES
from tests.server.memory_gateway import GatewayTestCase

CHAT = ("X-OpenWebUI-Chat-Id", "c1")
TASK = ("X-OpenWebUI-Task", "")
FIRST = "agent:main:openwebui:c1"
SECOND = f"{FIRST}:2"


class BranchTests(GatewayTestCase):
    """
    A client sends the whole chat, which may differ from the session.
    """

    def turn(self, *texts, say, headers=(CHAT, TASK)):
        """
        Complete a turn: the texts of the user and the assistant, alternately.

        @return: The model's messages, and the session's key.
        """
        roles = ("user", "assistant")
        messages = [
            {"role": roles[index % 2], "content": text}
            for index, text in enumerate(texts)
        ]
        answer = self.answered({"messages": messages}, *headers, say=[say])
        asked = [message.content for message in self.gateway.call.request.messages]
        return asked, answer.headers["x-openclaw-session-key"]

    def setUp(self):
        """
        Complete two turns.
        """
        super().setUp()
        self.turn("One?", say="1.")
        asked = self.turn("One?", "1.", "Two?", say="2.")
        self.assertEqual(asked, (["One?", "1.", "Two?"], FIRST))

    def test_goesOn(self):
        """
        A continued chat stays in its session, also if the client adds to the user's
        texts or changes blanks.
        """
        asked = self.turn("One?", "1.\n", "Two? (see: …)", " 2.", "Three?", say="3.")
        self.assertEqual(asked, (["One?", "1.", "Two?", "2.", "Three?"], FIRST))

    def test_madeAgain(self):
        """
        A reply is regenerated without the old one.
        """
        asked = self.turn("One?", "1.", "Two?", say="2!")
        self.assertEqual(asked, (["One?", "1.", "Two?"], SECOND))

    def test_edited(self):
        """
        The model does not get the text from before an edit; then both versions of the
        chat can be continued.
        """
        asked = self.turn("One?", "1.", "Else?", say="E.")
        self.assertEqual(asked, (["One?", "1.", "Else?"], SECOND))
        asked = self.turn("One?", "1.", "Else?", "E.", "More?", say="M.")
        self.assertEqual(asked, (["One?", "1.", "Else?", "E.", "More?"], SECOND))
        asked = self.turn("One?", "1.", "Two?", "2.", "Three?", say="3.")
        self.assertEqual(asked, (["One?", "1.", "Two?", "2.", "Three?"], FIRST))

    def test_firstEdited(self):
        """
        The same applies to the first message.
        """
        self.assertEqual(self.turn("Uno?", say="I."), (["Uno?"], SECOND))

    def test_sameWords(self):
        """
        The same applies if the assistant's replies are all equal.
        """
        other = (("X-OpenWebUI-Chat-Id", "c2"), TASK)
        self.turn("One?", say="No.", headers=other)
        self.turn("One?", "No.", "Two?", say="No.", headers=other)
        asked, key = self.turn("One?", "No.", "Else?", say="No.", headers=other)
        self.assertEqual(asked, ["One?", "No.", "Else?"])
        self.assertEqual(key, "agent:main:openwebui:c2:2")

    def test_withoutHistory(self):
        """
        A client that never sends the history has one session: nothing shows that it
        sends whole chats.
        """
        asked = self.turn("Three?", say="3.", headers=[CHAT])
        self.assertEqual(asked, (["One?", "1.", "Two?", "2.", "Three?"], FIRST))

    def test_cutShort(self):
        """
        A long chat may lack its beginning.
        """
        asked, key = self.turn("Two?", "2.", "Three?", say="3.")
        self.assertEqual(key, FIRST)
        self.assertEqual(asked, ["One?", "1.", "Two?", "2.", "Three?"])

    def test_namedSession(self):
        """
        An explicitly named session has no branches.
        """
        notes = ("x-openclaw-session-key", "notes")
        for _ in range(2):
            _, key = self.turn("One?", say="1.", headers=[CHAT, TASK, notes])
            self.assertEqual(key, "agent:main:notes")

    def test_bounded(self):
        """
        After many regenerations, replies are generated without a session.
        """
        for number in range(2, MAX_BRANCHES + 1):
            _, key = self.turn("One?", "1.", "Two?", say=f"{number}!")
            self.assertEqual(key, f"{FIRST}:{number}")
        asked, key = self.turn("One?", "1.", "Two?", say="Well.")
        self.assertEqual(asked, ["One?", "1.", "Two?"])
        self.assertIn(":openai:", key)

    def test_longDocuments(self):
        """
        The size of the user's messages does not matter: branches with long documents
        are distinguished by the assistant's messages.
        """
        long = "word " * 16_000
        headers = (("X-OpenWebUI-Chat-Id", "c3"), TASK)
        first = "agent:main:openwebui:c3"
        said = [long, "1.", "Two?"]
        for key, last in ((first, "2."), (f"{first}:2", "2!")):
            if key == first:
                self.turn(long, say="1.", headers=headers)
            self.assertEqual(self.turn(*said, say=last, headers=headers)[1], key)
        for key, last in ((f"{first}:2", "2!"), (first, "2.")):
            found = self.turn(*said, last, "Three?", say="3.", headers=headers)
            self.assertEqual(found[1], key)

    def test_bytes(self):
        """
        If the sessions of a chat are too large to compare, the run has no session.
        """
        self.patch(branches, "MAX_SEARCHED_CHARACTERS", 10)
        _, key = self.turn("One?", "1.", "Two?", say="2!")
        self.assertIn(":openai:", key)
