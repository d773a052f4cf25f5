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
    The response of a stream.

    @ivar writes: The bytes of each write.
    @ivar headers: The number of times that the headers were set.
    """

    def __init__(self):
        self.writes = []
        self.headers = 0

    def write(self, data):
        """
        Record some bytes, for which the headers must be set.
        """
        assert self.headers == 1
        self.writes.append(data)

    def openHeaders(self):
        """
        Count the call.
        """
        assert not self.writes
        self.headers += 1

    @property
    def frames(self):
        """
        Return all frames so far.
        """
        return framesOf(b"".join(self.writes))


class Play:
    """
    A stream, its response, and its run.
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
        Let the run leave the queue.
        """
        self.stream([RunStarted()])

    def say(self, *texts):
        """
        Let the model send text.
        """
        self.stream([TextDelta(text) for text in texts])

    def think(self):
        """
        Let the model send reasoning.
        """
        self.stream([ReasoningDelta("Hmm.")])

    def end(self, error=None):
        """
        End the run and its stream, like L{openclaw.api.chat_completions}.
        """
        if error is None:
            self.stream.finish(STOPPED)
        elif self.stream.opened:
            self.stream.fail(error)
        else:
            self.stream.stop()


class OpeningTests(SynchronousTestCase):
    """
    The status 200 is sent when it is certain, or when a longer wait would leave the
    client without a sign of life.
    """

    def test_queued(self):
        """
        While the run is queued nothing is sent, however long that takes.
        """
        play = Play()
        play.clock.advance(3600)
        self.assertEqual(play.response.headers, 0)
        self.assertEqual(play.response.writes, [])

    def test_firstWord(self):
        """
        The first output opens the stream immediately, in one write with the role.
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
        After a second of silence the stream is opened.
        """
        play = Play()
        play.start()
        play.clock.advance(1.0)
        [opening] = play.response.frames
        self.assertEqual(opening["choices"][0]["delta"]["role"], "assistant")

    def test_hiddenThoughtIsSilence(self):
        """
        Hidden reasoning neither opens the stream nor delays it.
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
        Reasoning that is sent counts as output.
        """
        play = Play(reasoning=True)
        play.start()
        play.think()
        self.assertEqual(len(play.response.frames), 2)

    def test_errorBefore(self):
        """
        A run that fails before its first output leaves the response unchanged, for the
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
        A reply without text is a complete stream.
        """
        play = Play()
        play.start()
        play.end()
        self.assertEqual(terminalsOf(play.response.frames), ["stop"])
        self.assertEqual(len(play.response.frames), 3)
        self.assertEqual(len(play.response.writes), 1)

    def test_wordsWithTheStart(self):
        """
        Text in one batch with the start is not lost.
        """
        play = Play()
        play.stream([RunStarted(), TextDelta("Hello.")])
        self.assertEqual(len(play.response.frames), 2)


class KeepAliveTests(SynchronousTestCase):
    """
    Comments keep proxies from closing the connection.
    """

    def test_eachSilence(self):
        """
        One comes after each such interval of silence, and only then.
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
        The interval starts over with each output.
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
        Hidden reasoning does not restart it.
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
        A stream that was opened after a silence gets comments, too.
        """
        play = Play(keepAliveSeconds=5.0)
        play.start()
        play.clock.advance(1.0)
        self.assertNotIn(COMMENT, play.response.frames)
        play.clock.advance(5.0)
        self.assertEqual(play.response.frames[1:], [COMMENT])

    def test_off(self):
        """
        0 disables them.
        """
        play = Play(keepAliveSeconds=0)
        play.start()
        play.say("a")
        self.assertEqual(play.clock.getDelayedCalls(), [])
        play.clock.advance(3600)
        self.assertNotIn(COMMENT, play.response.frames)

    def test_neverAfterTheEnd(self):
        """
        After the end of a reply, successful or not, nothing is sent.
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
    Properties of a stream with events in any order.
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
        A stream has one terminal, the run's, and nothing follows; a run that fails
        before the stream was opened sends nothing.  A batch is one write.
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
