"""
Tests of L{openclaw.api.chat_stream}.
"""

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from openclaw.agents.turns import RunResult
from openclaw.api.chat_chunks import CompletionEncoder, CompletionFormat
from openclaw.api.chat_stream import CompletionStream
from openclaw.errors import UpstreamTruncated
from openclaw.events import ReasoningDelta, RunStarted, TextDelta
from openclaw.messages import NO_USAGE
from tests.api.sse_reader import framesOf, terminalsOf

COMMENT = ": keepalive"
BROKEN = UpstreamTruncated("The answer broke off.")
STOPPED = RunResult(text="", finishReason="stop", usage=NO_USAGE)
SECONDS = [0.0, 0.25, 0.5, 1.0, 2.5, 5.0, 20.0]


class Response:
    """
    The response that a stream goes to.

    @ivar writes: What each write brought.
    @ivar headers: How often the headers were set.
    """

    def __init__(self):
        self.writes = []
        self.headers = 0

    def write(self, data):
        """
        Take some bytes, for which the headers must be there.
        """
        assert self.headers == 1
        self.writes.append(data)

    def openHeaders(self):
        """
        Set the headers.
        """
        assert not self.writes
        self.headers += 1

    @property
    def frames(self):
        """
        All frames so far.
        """
        return framesOf(b"".join(self.writes))


class Play:
    """
    A stream, its response, and the run that it listens to.
    """

    def __init__(self, keepAliveSeconds=5.0, reasoning=False):
        self.clock = Clock()
        self.response = Response()
        self.stream = CompletionStream(
            sink=self.response,
            encoder=CompletionEncoder(
                CompletionFormat(
                    completionID="chatcmpl_1",
                    created=0,
                    model="openclaw",
                    reasoning=reasoning,
                )
            ),
            openHeaders=self.response.openHeaders,
            keepAliveSeconds=keepAliveSeconds,
            reactor=self.clock,
        )

    def start(self):
        """
        The run leaves the queue.
        """
        self.stream([RunStarted()])

    def say(self, *texts):
        """
        The model says something.
        """
        self.stream([TextDelta(text) for text in texts])

    def think(self):
        """
        The model thinks.
        """
        self.stream([ReasoningDelta("Hmm.")])

    def end(self, error=None):
        """
        The run ends, and its stream as L{openclaw.api.chat_completions} ends it.
        """
        if error is None:
            self.stream.finish(STOPPED)
        elif self.stream.opened:
            self.stream.fail(error)
        else:
            self.stream.stop()


class OpeningTests(SynchronousTestCase):
    """
    The status 200 goes out when it is known to be true, or when waiting longer would
    leave the caller in the dark.
    """

    def test_queued(self):
        """
        While the run waits for its turn nothing is sent, however long that takes.
        """
        play = Play()
        play.clock.advance(3600)
        self.assertEqual(play.response.headers, 0)
        self.assertEqual(play.response.writes, [])

    def test_firstWord(self):
        """
        The model's first word opens the stream at once, in one write with the role.
        """
        play = Play()
        play.start()
        self.assertEqual(play.response.headers, 0)
        play.clock.advance(0.999)
        self.assertEqual(play.response.headers, 0)
        play.say("Hello.")
        self.assertEqual(play.response.headers, 1)
        [write] = play.response.writes
        first, second = framesOf(write)
        self.assertEqual(first["choices"][0]["delta"]["role"], "assistant")
        self.assertEqual(second["choices"][0]["delta"], {"content": "Hello."})

    def test_silence(self):
        """
        After a second of silence the caller is told that all is well.
        """
        play = Play()
        play.start()
        play.clock.advance(1.0)
        [opening] = play.response.frames
        self.assertEqual(opening["choices"][0]["delta"]["role"], "assistant")

    def test_hiddenThoughtIsSilence(self):
        """
        Reasoning that the caller may not see neither opens the stream nor holds it
        back.
        """
        play = Play()
        play.start()
        play.clock.advance(0.5)
        play.think()
        self.assertEqual(play.response.writes, [])
        play.clock.advance(0.5)
        self.assertEqual(len(play.response.frames), 1)

    def test_shownThought(self):
        """
        A thought that the caller may see is the first word.
        """
        play = Play(reasoning=True)
        play.start()
        play.think()
        self.assertEqual(len(play.response.frames), 2)

    def test_errorBefore(self):
        """
        A run that fails before its first word leaves the response untouched, for the
        error's own status, and leaves no timer.
        """
        play = Play()
        play.start()
        play.clock.advance(0.5)
        play.end(BROKEN)
        self.assertEqual(play.response.headers, 0)
        self.assertEqual(play.clock.getDelayedCalls(), [])

    def test_nothingSaid(self):
        """
        An answer without a word is still a whole stream.
        """
        play = Play()
        play.start()
        play.end()
        self.assertEqual(terminalsOf(play.response.frames), ["stop"])
        self.assertEqual(len(play.response.frames), 3)
        self.assertEqual(len(play.response.writes), 1)

    def test_wordsWithTheStart(self):
        """
        Words that come in one batch with the start are not lost.
        """
        play = Play()
        play.stream([RunStarted(), TextDelta("Hello.")])
        self.assertEqual(len(play.response.frames), 2)


class KeepAliveTests(SynchronousTestCase):
    """
    A comment now and then keeps what is between us and the caller from hanging up.
    """

    def test_eachSilence(self):
        """
        One comes after each such time of silence, and at no other.
        """
        play = Play(keepAliveSeconds=5.0)
        play.start()
        play.say("a")
        play.clock.advance(4.75)
        self.assertNotIn(COMMENT, play.response.frames)
        play.clock.advance(0.25)
        self.assertEqual(play.response.frames.count(COMMENT), 1)
        play.clock.advance(5.0)
        self.assertEqual(play.response.frames.count(COMMENT), 2)

    def test_wordsBreakTheSilence(self):
        """
        The time begins anew with each word.
        """
        play = Play(keepAliveSeconds=5.0)
        play.start()
        for _ in range(10):
            play.say("a")
            play.clock.advance(4.75)
        self.assertNotIn(COMMENT, play.response.frames)
        play.clock.advance(0.25)
        self.assertIn(COMMENT, play.response.frames)

    def test_thoughtsDoNot(self):
        """
        A thought that the caller does not see breaks no silence.
        """
        play = Play(keepAliveSeconds=5.0)
        play.start()
        play.say("a")
        play.clock.advance(3)
        play.think()
        play.clock.advance(2)
        self.assertIn(COMMENT, play.response.frames)

    def test_afterTheOpening(self):
        """
        A stream that was opened by silence gets them, too.
        """
        play = Play(keepAliveSeconds=5.0)
        play.start()
        play.clock.advance(1.0)
        self.assertNotIn(COMMENT, play.response.frames)
        play.clock.advance(5.0)
        self.assertEqual(play.response.frames[1:], [COMMENT])

    def test_off(self):
        """
        0 switches them off.
        """
        play = Play(keepAliveSeconds=0)
        play.start()
        play.say("a")
        self.assertEqual(play.clock.getDelayedCalls(), [])
        play.clock.advance(3600)
        self.assertNotIn(COMMENT, play.response.frames)

    def test_neverAfterTheEnd(self):
        """
        Behind the end of an answer, good or bad, nothing comes any more.
        """
        for error in (None, BROKEN):
            play = Play(keepAliveSeconds=5.0)
            play.start()
            play.say("a")
            play.end(error)
            self.assertEqual(play.clock.getDelayedCalls(), [])
            play.clock.advance(60)
            self.assertEqual(play.response.frames[-1], "[DONE]")


steps = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(1, 3)),
        st.tuples(st.just("think"), st.just(0)),
        st.tuples(st.just("wait"), st.sampled_from(SECONDS)),
    ),
    max_size=12,
)


class AnyOrderTests(SynchronousTestCase):
    """
    Properties of a stream whose events come in any order.
    """

    @given(
        steps,
        st.sampled_from([0, 2.0, 5.0]),
        st.booleans(),
        st.sampled_from([None, BROKEN]),
        st.booleans(),
    )
    def test_oneTerminal(self, happened, keepAlive, reasoning, error, started):
        """
        A stream ends once, as the run ended, and nothing follows; a run that fails
        before the stream was opened leaves no trace of it.  A batch is one write.
        """
        play = Play(keepAlive, reasoning)
        words = 0
        if started:
            play.start()
        for what, amount in happened if started else ():
            before = len(play.response.writes)
            if what == "say":
                words += amount
                play.say(*["a"] * amount)
                self.assertEqual(len(play.response.writes), before + 1)
            elif what == "think":
                play.think()
                self.assertEqual(len(play.response.writes), before + reasoning)
            else:
                play.clock.advance(amount)
        play.end(error)
        frames = play.response.frames
        play.clock.advance(100)
        self.assertEqual(play.response.frames, frames)
        self.assertEqual(play.clock.getDelayedCalls(), [])
        if play.response.headers:
            expected = "stop" if error is None else error.code
            self.assertEqual(terminalsOf(frames), [expected])
            self.assertEqual(frames.index("[DONE]"), len(frames) - 1)
            self.assertEqual(b"".join(play.response.writes).count(b'":"a"'), words)
        else:
            self.assertIs(error, BROKEN)
            self.assertEqual(words, 0)
            self.assertEqual(frames, [])
        if not keepAlive:
            self.assertNotIn(COMMENT, frames)
