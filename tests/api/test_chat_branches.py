"""
Tests of L{openclaw.api.chat_branches}: chats in which people go back.
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
    A program sends its chat as it is now, which need not be what the session has.
    """

    def turn(self, *texts, say, headers=(CHAT, TASK)):
        """
        One turn: what the user and the assistant said so far, in turn.

        @return: What the model was asked, and the session's key.
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
        Have two turns.
        """
        super().setUp()
        self.turn("One?", say="1.")
        asked = self.turn("One?", "1.", "Two?", say="2.")
        self.assertEqual(asked, (["One?", "1.", "Two?"], FIRST))

    def test_goesOn(self):
        """
        A chat that is only gone on with stays in its session, also when the program
        adds to what the user said or changes blanks.
        """
        asked = self.turn("One?", "1.\n", "Two? (see: …)", " 2.", "Three?", say="3.")
        self.assertEqual(asked, (["One?", "1.", "Two?", "2.", "Three?"], FIRST))

    def test_madeAgain(self):
        """
        An answer is made again without the one that was there.
        """
        asked = self.turn("One?", "1.", "Two?", say="2!")
        self.assertEqual(asked, (["One?", "1.", "Two?"], SECOND))

    def test_edited(self):
        """
        The model does not see what was said before it was edited; then either
        version of the chat can be gone on with.
        """
        asked = self.turn("One?", "1.", "Else?", say="E.")
        self.assertEqual(asked, (["One?", "1.", "Else?"], SECOND))
        asked = self.turn("One?", "1.", "Else?", "E.", "More?", say="M.")
        self.assertEqual(asked, (["One?", "1.", "Else?", "E.", "More?"], SECOND))
        asked = self.turn("One?", "1.", "Two?", "2.", "Three?", say="3.")
        self.assertEqual(asked, (["One?", "1.", "Two?", "2.", "Three?"], FIRST))

    def test_firstEdited(self):
        """
        So with the first thing that was said.
        """
        self.assertEqual(self.turn("Uno?", say="I."), (["Uno?"], SECOND))

    def test_sameWords(self):
        """
        Also where the assistant always says the same.
        """
        other = (("X-OpenWebUI-Chat-Id", "c2"), TASK)
        self.turn("One?", say="No.", headers=other)
        self.turn("One?", "No.", "Two?", say="No.", headers=other)
        asked, key = self.turn("One?", "No.", "Else?", say="No.", headers=other)
        self.assertEqual(asked, ["One?", "No.", "Else?"])
        self.assertEqual(key, "agent:main:openwebui:c2:2")

    def test_withoutHistory(self):
        """
        A program that never sends the history has one session: nothing says that it
        is Open WebUI's whole chat.
        """
        asked = self.turn("Three?", say="3.", headers=[CHAT])
        self.assertEqual(asked, (["One?", "1.", "Two?", "2.", "Three?"], FIRST))

    def test_cutShort(self):
        """
        A long chat may come without its beginning.
        """
        asked, key = self.turn("Two?", "2.", "Three?", say="3.")
        self.assertEqual(key, FIRST)
        self.assertEqual(asked, ["One?", "1.", "Two?", "2.", "Three?"])

    def test_namedSession(self):
        """
        A session with a name of its own has no branches.
        """
        notes = ("x-openclaw-session-key", "notes")
        for _ in range(2):
            _, key = self.turn("One?", say="1.", headers=[CHAT, TASK, notes])
            self.assertEqual(key, "agent:main:notes")

    def test_bounded(self):
        """
        A caller who regenerates an answer again and again gets it without a session, at
        last.
        """
        for number in range(2, MAX_BRANCHES + 1):
            _, key = self.turn("One?", "1.", "Two?", say=f"{number}!")
            self.assertEqual(key, f"{FIRST}:{number}")
        asked, key = self.turn("One?", "1.", "Two?", say="Well.")
        self.assertEqual(asked, ["One?", "1.", "Two?"])
        self.assertIn(":openai:", key)

    def test_longDocuments(self):
        """
        The size of the user's messages does not matter: two branches of long documents
        are told apart by the assistant's messages.
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
        A chat whose sessions are too much to look through goes on without one.
        """
        self.patch(branches, "MAX_SEARCHED_CHARACTERS", 10)
        _, key = self.turn("One?", "1.", "Two?", say="2!")
        self.assertIn(":openai:", key)
