"""
The system time is set while the daemon runs, by libfaketime: timers are not affected.
"""

from pathlib import Path
from time import time

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from tests.integration.daemon_case import DaemonTestCase

LIBRARIES = (
    *Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"),
    *Path("/usr/lib").glob("faketime/libfaketimeMT.so.1"),
)
HOUR = 3600


class ClockChangeTests(DaemonTestCase):
    """
    A run in progress when the system time is set.
    """

    async def asked(self, timeoutSeconds: int):
        """
        Start a daemon whose system time the test can set, and a run.

        @return: The provider's side of the run, and the client's.
        """
        if not LIBRARIES:
            raise SkipTest("libfaketime is not installed")
        self.offset = self.folder / "offset"
        self.offset.write_text("+0")
        limits = {"timeoutSeconds": timeoutSeconds}
        self.daemon = await self.startDaemon(
            config=self.configure({"agents": {"defaults": limits}}),
            environ={
                "LD_PRELOAD": str(LIBRARIES[0]),
                "FAKETIME_TIMESTAMP_FILE": str(self.offset),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            },
        )
        called = self.upstream.nextCall()
        caller = self.caller(self.daemon)
        stream = await caller.connect("hi", stream=True)
        self.addCleanup(stream.close)
        call = await called
        call.say("One")
        await stream.until("One")
        return call, stream

    async def created(self) -> int:
        """
        Return the time of day in a response of the daemon.
        """
        called = self.upstream.nextCall()
        asking = Deferred.fromCoroutine(self.caller(self.daemon).ask("hi"))
        call = await called
        call.say("so")
        call.finish()
        return (await (await asking).json())["created"]

    async def test_setBack(self) -> None:
        """
        A run times out although the time was set back by an hour, and responses have
        the new time.
        """
        _, stream = await self.asked(2)
        before = await self.created()
        self.offset.write_text(f"-{HOUR}")
        received = await stream.until("[DONE]")
        self.assertIn("run_timeout", received)
        self.assertLess(abs(await self.created() - before + HOUR), 60)

    async def test_setForward(self) -> None:
        """
        A new run continues although the time was set forward by an hour.
        """
        call, stream = await self.asked(60)
        self.offset.write_text(f"+{HOUR}")
        # Long enough for the reactor to check its timers.
        await deferLater(reactor, 0.5)
        call.say(" two")
        call.finish()
        received = await stream.until("[DONE]")
        self.assertIn(" two", received)
        self.assertNotIn("error", received)

    async def test_otherProcess(self) -> None:
        """
        A daemon with a later time of day does not take over the session of a run in
        another one, but waits for its end.
        """
        if not LIBRARIES:
            raise SkipTest("libfaketime is not installed")
        session = {"x-openclaw-session-key": "shared"}
        first = await self.startDaemon()
        called = self.upstream.nextCall()
        asking = Deferred.fromCoroutine(self.caller(first).ask("hi", headers=session))
        call = await called
        second = await self.startDaemon(
            environ={"LD_PRELOAD": str(LIBRARIES[0]), "FAKETIME": f"+{HOUR}"}
            | {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        )
        nextCalled = self.upstream.nextCall()
        waiting = Deferred.fromCoroutine(self.caller(second).ask("ho", headers=session))
        # Longer than the interval at which a run tries to claim its session.
        await deferLater(reactor, 0.5)
        self.assertFalse(nextCalled.called)
        call.say("One")
        call.finish()
        self.assertEqual(await (await asking).words(), "One")
        call = await nextCalled
        call.say("Two")
        call.finish()
        document = await (await waiting).json()
        self.assertEqual(document["choices"][0]["message"]["content"], "Two")
        self.assertGreater(document["created"] - time(), HOUR - 60)
