"""
Tests of L{openclaw.models.upstream_call}: slow providers and slow listeners.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from openclaw.errors import (
    UpstreamRateLimited,
    UpstreamRefused,
    UpstreamTimeout,
)
from openclaw.interfaces import IModelCall
from openclaw.messages import Usage
from openclaw.models.upstream_call import (
    LINGER_SECONDS,
    PINGED_IDLES,
    USAGE_SECONDS,
)
from tests.models.memory_network import Unresolved
from tests.models.provider_case import (
    COUNTED,
    DONE,
    HEAD,
    HELLO,
    ProviderTestCase,
)

STEPS: dict[str, bytes | float | None] = {
    "head": HEAD + b"\r\n",
    "refusal": b"HTTP/1.1 429 No\r\n\r\n",
    "word": HELLO,
    "done": DONE,
    "no HTTP": b"Hello?\r\n",
    "close": None,
    "a moment": 0.0,
    "too long": 100.0,
    "cancel": None,
    "pauseProducing": None,
    "resumeProducing": None,
}
"""
The steps of a call: bytes from the provider, seconds that pass, and methods.
"""


class ClockTests(ProviderTestCase):
    """
    Time-outs; the error has the exceeded one.
    """

    def assertTimesOut(self, call: IModelCall, seconds: float, code: str) -> None:
        """
        Assert that a call fails after exactly this many seconds, and leaves nothing
        behind.
        """
        self.network.wait(seconds - 0.25)
        self.assertNoResult(call.done)
        self.network.advance(0.25)
        error = self.failureOf(call, UpstreamTimeout)
        self.assertEqual((error.code, error.status), (code, 504))
        self.assertIn("'vendor'", error.message)
        self.assertNothingLeft()
        self.assertCloses()

    def test_connect(self) -> None:
        """
        The connection attempt gets no reply.
        """
        self.network.listen(80, None)
        self.assertTimesOut(self.asked(), 10, "upstream_connect_timeout")

    def test_name(self) -> None:
        """
        Name resolution is part of connecting.
        """
        self.network.installNameResolver(Unresolved(answers=False))
        self.assertTimesOut(self.asked(), 10, "upstream_connect_timeout")

    def test_firstByte(self) -> None:
        """
        The provider sends nothing.
        """
        self.assertTimesOut(self.asked(), 60, "upstream_idle_timeout")
        self.successResultOf(self.served.gone)

    def test_idleBeginsWithConnection(self) -> None:
        """
        The time of connecting does not count as silence.
        """
        self.network.listen(80, None)
        call = self.asked()
        self.network.wait(9)
        self.network.listen(80, self.serveRaw())
        self.network.flush()
        self.assertTimesOut(call, 60, "upstream_idle_timeout")

    def test_headersAreASign(self) -> None:
        """
        The headers end the first silence.
        """
        server = self.serveRaw()
        call = self.asked()
        self.network.wait(59)
        server.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        self.network.flush()
        self.assertTimesOut(call, 60, "upstream_idle_timeout")

    def test_betweenChunks(self) -> None:
        """
        Each byte, even of a comment, restarts the timer.
        """
        call = self.asked()
        for sign in (HELLO, b": wait\n\n", b"d"):
            self.network.wait(59)
            self.served.send(sign)
            self.network.flush()
        self.assertTimesOut(call, 60, "upstream_idle_timeout")
        self.assertEqual(self.text, "Hello")

    def test_signsOfLifeOnly(self) -> None:
        """
        Comments without an event are limited in time.
        """
        for sign in (b": wait\n\n", b"data: ping\n\n", b'data: {"type":"ping"}\n\n'):
            self.setUp()
            call = self.asked()
            self.served.send(HELLO)
            for _ in range(PINGED_IDLES * 2 - 1):
                self.network.wait(30)
                self.assertNoResult(call.done)
                self.served.send(sign)
            self.network.wait(30)
            error = self.failureOf(call, UpstreamTimeout)
            self.assertEqual(error.code, "upstream_idle_timeout")
            self.assertIn("signs of life for 300 s", error.message)
            self.assertNothingLeft()

    def test_paused(self) -> None:
        """
        Time during a pause does not count; afterwards the timer starts over.
        """
        call = self.asked()
        self.served.send(HELLO)
        self.network.wait(59)
        call.pauseProducing()
        self.network.wait(1000)
        self.assertNoResult(call.done)
        call.resumeProducing()
        self.assertTimesOut(call, 60, "upstream_idle_timeout")

    def test_pausedBeforeHeaders(self) -> None:
        """
        A pause before the headers does not suspend the time-out.
        """
        call = self.asked()
        call.pauseProducing()
        self.assertTimesOut(call, 60, "upstream_idle_timeout")

    def test_refusalWithoutEnd(self) -> None:
        """
        An error response without an end is an error.
        """
        server = self.serveRaw()
        call = self.asked()
        server.write(b"HTTP/1.1 429 No\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\n{")
        self.network.wait(60)
        self.assertEqual(self.failureOf(call, UpstreamRateLimited).retryAfter, 7)
        self.assertNothingLeft()

    def test_longAnswer(self) -> None:
        """
        A reply that continues has no time limit.
        """
        call = self.asked()
        for _ in range(100):
            self.served.say("word ")
            self.network.wait(50)
        self.served.finish()
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "word " * 100)


class EndingTests(ProviderTestCase):
    """
    A complete reply succeeds, though the provider does not end the response.
    """

    ENDS = {
        "finish reason": b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
        "end mark": DONE,
    }

    def test_noUsage(self) -> None:
        """
        Usage is awaited for a short time.
        """
        for name, end in self.ENDS.items():
            self.setUp()
            call = self.asked()
            self.served.send(HELLO + end)
            self.network.wait(USAGE_SECONDS / 2)
            self.assertNoResult(call.done)
            self.network.wait(USAGE_SECONDS / 2)
            reply = self.successResultOf(call.done)
            self.assertEqual((reply.text, reply.finishReason), ("Hello", "stop"), name)
            self.network.wait(LINGER_SECONDS)
            self.assertNothingLeft()

    def test_heartbeats(self) -> None:
        """
        Comments after the end are not awaited.
        """
        for sign in (b": wait\n\n", b"data: ping\n\n", b"data: null\n\n", b"da"):
            for name, end in self.ENDS.items():
                self.setUp()
                call = self.asked()
                self.served.send(HELLO + end)
                for _ in range(4):
                    self.served.send(sign)
                    self.network.wait(USAGE_SECONDS / 4)
                self.assertEqual(self.successResultOf(call.done).text, "Hello", name)

    def test_lateUsage(self) -> None:
        """
        Usage in a separate read is included, also after the end marker.
        """
        for name, end in self.ENDS.items():
            self.setUp()
            call = self.asked()
            self.served.send(HELLO + end)
            self.network.flush()
            self.served.send(COUNTED)
            self.network.wait(USAGE_SECONDS)
            self.assertEqual(self.successResultOf(call.done).usage, Usage(3, 1), name)

    def test_endOfBody(self) -> None:
        """
        The end of the response ends the wait.
        """
        for end in self.ENDS.values():
            self.setUp()
            call = self.asked()
            self.served.send(HELLO + end)
            self.served.end()
            self.network.flush()
            self.assertEqual(self.successResultOf(call.done).text, "Hello")

    def test_wordsBehindTheReason(self) -> None:
        """
        Some servers send a reason with each text: the wait begins with the last one.
        """
        call = self.asked()
        word = (
            b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
        )
        for _ in range(5):
            self.served.send(word)
            self.network.wait(USAGE_SECONDS * 0.9)
        self.network.wait(USAGE_SECONDS)
        self.assertEqual(self.successResultOf(call.done).text, "aaaaa")

    def test_paused(self) -> None:
        """
        The wait is suspended during a pause.
        """
        call = self.asked()
        self.served.send(HELLO)
        self.network.flush()
        call.pauseProducing()
        self.served.send(self.ENDS["finish reason"])
        self.network.wait(1000)
        self.assertNoResult(call.done)
        call.resumeProducing()
        self.network.wait(USAGE_SECONDS)
        self.assertEqual(self.successResultOf(call.done).text, "Hello")


class BackPressureTests(ProviderTestCase):
    """
    A slow listener pauses the provider.
    """

    @property
    def reading(self) -> bool:
        """
        Return whether the provider's socket is read.
        """
        return not self.network.links[0].client.paused

    def test_pause(self) -> None:
        """
        During a pause nothing is read; afterwards nothing is missing.
        """
        call = self.asked()
        self.served.say("a")
        self.network.flush()
        call.pauseProducing()
        self.assertFalse(self.reading)
        self.served.say("b", "c")
        self.served.finish()
        self.network.flush()
        self.assertEqual(self.text, "a")
        self.assertNoResult(call.done)
        call.resumeProducing()
        self.assertTrue(self.reading)
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "abc")
        self.assertEqual(self.text, "abc")

    def test_beforeHeaders(self) -> None:
        """
        A pause before the response applies to the response.
        """
        call = self.ask()
        call.pauseProducing()
        self.network.flush()
        self.served.send(b": wait\n\n")
        self.network.flush()
        self.assertFalse(self.reading)
        self.served.say("a")
        self.served.finish()
        self.network.flush()
        self.assertEqual(self.text, "")
        call.resumeProducing()
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "a")

    def test_liftedBeforeHeaders(self) -> None:
        """
        A pause that ends before the response does not delay it.
        """
        call = self.asked()
        call.pauseProducing()
        call.resumeProducing()
        self.served.say("a")
        self.network.flush()
        self.assertTrue(self.reading)
        self.served.finish()
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "a")

    def test_refusal(self) -> None:
        """
        An error response is reported during a pause.
        """
        call = self.asked()
        call.pauseProducing()
        self.served.refuse(400)
        self.network.flush()
        self.failureOf(call, UpstreamRefused)

    def test_pausedAtTheEnd(self) -> None:
        """
        A pause at the last event does not close the connection.
        """
        call = self.ask(lambda events: call.pauseProducing())
        self.network.flush()
        self.served.say("a")
        self.served.send(COUNTED + DONE)
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, "a")
        self.served.end()
        self.network.wait(5)
        self.assertEqual(len(self.network.open), 1)
        call.resumeProducing()
        call.pauseProducing()
        self.assertTrue(self.reading)

    @settings(max_examples=50)
    @given(st.lists(st.sampled_from(["say", "pause", "resume", "flush"]), max_size=20))
    def test_nothingLost(self, steps: list[str]) -> None:
        """
        With any pauses all events arrive in order.
        """
        self.setUp()
        call, said = self.asked(), ""
        for number, step in enumerate(steps):
            if step == "say":
                said += f"{number} "
                self.served.say(f"{number} ")
            elif step == "flush":
                self.network.flush()
            elif step == "pause":
                call.pauseProducing()
            else:
                call.resumeProducing()
        self.served.finish()
        call.resumeProducing()
        self.network.flush()
        self.assertEqual(self.successResultOf(call.done).text, said)
        self.assertEqual(self.text, said)


class PhaseTests(ProviderTestCase):
    """
    A call passes its phases in order, and ends once.
    """

    @settings(max_examples=200)
    @given(st.lists(st.sampled_from(sorted(STEPS)), max_size=12))
    def test_anyOrder(self, steps: list[str]) -> None:
        """
        For any steps there is one end, and nothing of the call is left.
        """
        self.setUp()
        server = self.serveRaw()
        call, ends = self.ask(), []
        call.done.addBoth(ends.append)
        for step in steps:
            if isinstance(data := STEPS[step], bytes):
                if server.received:
                    server.write(data)
            elif step == "close":
                if server.received:
                    server.close()
            elif isinstance(data, float):
                self.network.wait(data)
            else:
                getattr(call, step)()
        call.cancel()
        self.network.wait(LINGER_SECONDS)
        self.assertEqual(len(ends), 1)
        self.assertCloses()
