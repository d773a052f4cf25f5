"""
Tests of L{openclaw.models.think_tags}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from openclaw.events import ReasoningDelta, TextDelta
from openclaw.models.think_tags import ThinkingSplitter, splitUnopened
from tests.models.event_reading import cut, places

WRITTEN = st.lists(
    st.sampled_from(
        [
            *("<think>", "</think>", "<thinking>", "</thinking>", "[THINK]"),
            *("[/THINK]", "<thought>", "</thought>", "\n", "a", "<thi", "</th", "> "),
            *("`", "["),
        ]
    )
    | st.text(max_size=3),
    max_size=8,
).map("".join)
WRITTEN |= st.tuples(st.sampled_from(["", " "]), WRITTEN, WRITTEN).map(
    lambda parts: "{}<think>{}</think>\n{}".format(*parts)
)
"""
Texts with tags at any position.
"""


OPENING = ("<think>", "<thinking>", "<thought>", "<reasoning>", "[THINK]")
"""
The tags that begin reasoning.
"""


def split(*pieces: str, expected: bool = False) -> tuple[str, str]:
    """
    Split a reply into its reasoning and its text.

    @param expected: Whether it may begin with reasoning without a tag.
    """
    splitter = ThinkingSplitter()
    splitter.expectThought(expected)
    events = [event for piece in pieces for event in splitter.feed(piece)]
    events += splitter.finish()
    told: dict[type, str] = {ReasoningDelta: "", TextDelta: ""}
    for event in events:
        assert event.text, "an event tells something"
        told[type(event)] += event.text
    return told[ReasoningDelta], told[TextDelta]


class AnySplitTests(SynchronousTestCase):
    """
    The pieces in which a reply arrives do not matter.
    """

    @given(WRITTEN.flatmap(lambda text: st.tuples(st.just(text), places(len(text)))))
    def test_sameWords(self, case: tuple[str, list[int]]) -> None:
        """
        Pieces and the whole have the same result.
        """
        text, where = case
        for expected in (False, True):
            whole = split(text, expected=expected)
            self.assertEqual(split(*cut(text, where), expected=expected), whole)

    @given(WRITTEN.filter(lambda text: not text.lstrip().startswith(OPENING)))
    def test_nothingLost(self, text: str) -> None:
        """
        A reply without reasoning is unchanged.
        """
        self.assertEqual(split(text), ("", text))

    @given(
        st.text().filter(lambda thought: "</think>" not in thought),
        st.text().filter(lambda answer: not any(tag in answer for tag in OPENING)),
        st.sampled_from(["", " ", "\n\n"]),
    )
    def test_thoughtAndAnswer(self, thought: str, answer: str, blank: str) -> None:
        """
        Reasoning is separated, and the blanks around the block belong to neither part.
        """
        text = f"{blank}<think>{thought}</think>{blank}{answer}"
        self.assertEqual(split(text), (thought, answer.lstrip()))


class StartTests(SynchronousTestCase):
    """
    Only a block at the very start is reasoning.
    """

    def test_block(self) -> None:
        """
        The usual case.
        """
        self.assertEqual(split("<think>Hm.</think>\n\nYes."), ("Hm.", "Yes."))

    def test_blankBefore(self) -> None:
        """
        Blank lines may precede it.
        """
        self.assertEqual(split("\n \n<think>Hm.</think>Yes."), ("Hm.", "Yes."))

    def test_tagLaterOn(self) -> None:
        """
        A later tag is text.
        """
        for text in ("Write <think>so</think>.", "See [THINK]: a[/THINK]."):
            self.assertEqual(split(text), ("", text))

    def test_otherTags(self) -> None:
        """
        There are several tags, and each is closed by its own.
        """
        for tag in OPENING:
            close = tag.replace("<", "</").replace("[", "[/")
            text = f"{tag}Hm. </b> [/b]{close}\n\nYes."
            self.assertEqual(split(text), ("Hm. </b> [/b]", "Yes."))
            self.assertEqual(split(*text), ("Hm. </b> [/b]", "Yes."))
        self.assertEqual(split("<thinking>a</think>b"), ("a</think>b", ""))

    def test_secondBlock(self) -> None:
        """
        A reply that begins with a block may have further ones.
        """
        for text, expected in (
            ("<think>a</think>One. <think>b</think>Two.", ("ab", "One. Two.")),
            ("<think>a</think>One.\n<think>b</think>\n\nTwo.", ("ab", "One.\nTwo.")),
            ("<think>a</think>One.<think>b</think>\nTwo.", ("ab", "One.\nTwo.")),
            ("<think>a</think>One <thought>b</thought> Two", ("ab", "One Two")),
            ("<think>a</think>See <think>.", ("a.", "See <think>.")),
            ("<think>a</think>One <th", ("a", "One <th")),
            (
                "<think>a</think>See `<think>b</think>`.",
                ("a", "See `<think>b</think>`."),
            ),
        ):
            self.assertEqual(split(text), expected)
            self.assertEqual(split(*text), expected)

    def test_closingTagOnly(self) -> None:
        """
        A closing tag without an opening one is text.
        """
        self.assertEqual(split("a</think>b"), ("", "a</think>b"))

    def test_emptyBlock(self) -> None:
        """
        Models with disabled reasoning write an empty block.
        """
        self.assertEqual(split("<think>\n\n</think>\n\nYes."), ("\n\n", "Yes."))
        self.assertEqual(split("<think></think>Yes."), ("", "Yes."))

    def test_manyBlocks(self) -> None:
        """
        Very many tags are processed in linear time.
        """
        thought, answer = split("<think>a</think>\n" * 5000 + "Yes.")
        self.assertEqual((len(thought), answer), (5000, "Yes."))

    def test_indentedAnswer(self) -> None:
        """
        Leading blanks of a reply without reasoning are kept.
        """
        self.assertEqual(split("    code"), ("", "    code"))


class UnopenedTests(SynchronousTestCase):
    """
    Reasoning without an opening tag.
    """

    def test_expected(self) -> None:
        """
        If the prompt contains the opening tag, reasoning is recognised immediately.
        """
        for text in ("Hm.</think>\n\nYes.", "\nHm.</think>Yes.", "Hm.</think> Yes."):
            thought, answer = split(*text, expected=True)
            self.assertEqual((thought.strip(), answer), ("Hm.", "Yes."))
        splitter = ThinkingSplitter()
        splitter.expectThought()
        self.assertEqual(splitter.feed("Hm"), [ReasoningDelta("Hm")])

    def test_openedAfterAll(self) -> None:
        """
        The tag may be there nevertheless.
        """
        self.assertEqual(
            split("<think>Hm.</think>\nYes.", expected=True), ("Hm.", "Yes.")
        )

    def test_noThought(self) -> None:
        """
        Text without a closing tag is the reply, and is sent as such at the end.
        """
        for pieces in (["Yes."], ["Y", "es", "."], ["Yes.", ""]):
            self.assertEqual(split(*pieces, expected=True)[1], "Yes.")
        self.assertEqual(split("Yes.</thi", expected=True)[1], "Yes.</thi")
        self.assertEqual(split("", expected=True), ("", ""))

    def test_whole(self) -> None:
        """
        In a complete text the closing tag suffices.
        """
        for text, expected in (
            ("Hm.\n</think>\n\nYes.", ("Hm.\n", "Yes.")),
            ("Hm.</think>Yes.", ("Hm.", "Yes.")),
            ("Hm.</thinking>\nYes.", ("Hm.", "Yes.")),
            ("</think>\n\nYes.", ("", "Yes.")),
            ("Hm.</think>Yes. </think>", ("Hm.", "Yes. </think>")),
        ):
            self.assertEqual(splitUnopened(text), expected)

    def test_mentioned(self) -> None:
        """
        A reply may mention the tags.
        """
        for text in (
            "Yes.",
            "It ends with `</think>`.",
            'It ends with "</think>", mostly.',
            "Write <think>so</think>.",
            "```\na</think>\n```",
            "",
        ):
            self.assertEqual(splitUnopened(text), ("", text))


class AtOnceTests(SynchronousTestCase):
    """
    Text is sent as soon as possible.
    """

    def setUp(self) -> None:
        self.splitter = ThinkingSplitter()

    def test_answer(self) -> None:
        """
        The first letter of a reply is decisive, and then all text is passed on.
        """
        self.assertFalse(self.splitter.passing)
        self.assertEqual(self.splitter.feed("Y"), [TextDelta("Y")])
        self.assertTrue(self.splitter.passing)
        self.assertEqual(self.splitter.feed("es <think>"), [TextDelta("es <think>")])
        self.assertEqual(self.splitter.feed(""), [])
        self.assertEqual(self.splitter.finish(), [])

    def test_thought(self) -> None:
        """
        Only a possible closing tag is held back.
        """
        self.assertEqual(self.splitter.feed("<think>Hm"), [ReasoningDelta("Hm")])
        self.assertEqual(self.splitter.feed(" a<b"), [ReasoningDelta(" a<b")])
        self.assertEqual(self.splitter.feed(" </"), [ReasoningDelta(" ")])
        self.assertEqual(self.splitter.feed("b> <"), [ReasoningDelta("</b> ")])
        self.assertEqual(self.splitter.feed("</think>"), [ReasoningDelta("<")])
        self.assertFalse(self.splitter.passing)
        self.assertEqual(self.splitter.feed("\n"), [])
        self.assertEqual(self.splitter.feed("Yes"), [TextDelta("Yes")])

    def test_almostTag(self) -> None:
        """
        Text that resembles the tag is passed on as soon as it differs.
        """
        self.assertEqual(self.splitter.feed("<th"), [])
        self.assertEqual(self.splitter.feed("e"), [TextDelta("<the")])


class EndTests(SynchronousTestCase):
    """
    At the end nothing is held back.
    """

    def test_halfTag(self) -> None:
        """
        The beginning of a tag was text.
        """
        self.assertEqual(split("<thin"), ("", "<thin"))
        self.assertEqual(split("<think>a</think> <th"), ("a", "<th"))

    def test_unfinishedBlock(self) -> None:
        """
        Truncated reasoning, even within its closing tag, is reasoning.
        """
        self.assertEqual(split("<think>Hm. </thi"), ("Hm. </thi", ""))
        self.assertEqual(split("<think>"), ("", ""))

    def test_blankAnswer(self) -> None:
        """
        A reply of blanks is passed on, but not blanks after reasoning.
        """
        self.assertEqual(split(" \n"), ("", " \n"))
        self.assertEqual(split("<think>a</think>", " \n"), ("a", ""))
