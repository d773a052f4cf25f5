"""
Tests for L{openclaw.models.local}: start, death and restart of the process.
"""

from openclaw.config import LOCAL_MODEL
from openclaw.errors import ModelUnavailable, RunCancelled
from openclaw.models.local.engine import HEALTHY_SECONDS
from openclaw.models.local.engine_main import findMissingLibrary
from openclaw.models.local.engine_process import LOAD_SECONDS
from tests.models.local_doubles import REPLY, LocalModelTestCase


class OrderTests(LocalModelTestCase):
    """
    The order for the process.
    """

    def test_isWhatTheSettingsSay(self):
        """
        It has every setting.
        """
        provider = self.makeProvider(
            id="mine", contextSize=4096, parallel=3, threads=7, start="atOnce"
        )
        provider.start()
        order = self.child.order()
        self.assertEqual(
            (order.name, order.contextSize, order.parallel, order.threads),
            ("mine", 4096, 3, 7),
        )
        self.assertEqual(order.model, str(self.weights.absolute()))

    def test_theKeyGoesThroughThePipeOnly(self):
        """
        The key is not on the command line or in the environment.
        """
        self.ask(self.makeProvider())
        key = self.child.order().key
        self.assertGreaterEqual(len(key), 32)
        self.assertNotIn(key, " ".join(self.child.args))
        self.assertNotIn(key, " ".join(self.child.env.values()))

    def test_theEnvironmentIsScrubbed(self):
        """
        The process does not get the daemon's secrets.
        """
        self.ask(self.makeProvider())
        self.assertEqual(self.child.env, {"PATH": "/bin"})


class StartTests(LocalModelTestCase):
    """
    The start of the process.
    """

    def test_onFirstUse(self):
        """
        By default nothing is loaded without a call.
        """
        provider = self.makeProvider()
        provider.start()
        self.assertEqual((self.processes.children, provider.state), ([], "stopped"))

    def test_atOnce(self):
        """
        With C{atOnce} it is loaded before any call, and only once.
        """
        provider = self.makeProvider(start="atOnce")
        provider.start()
        provider.start()
        self.ask(provider)
        self.assertEqual(len(self.processes.children), 1)

    def test_telling(self):
        """
        The log reports that the model is ready, with the time of loading.
        """
        provider = self.makeProvider()
        self.ask(provider)
        self.clock.advance(1.5)
        self.child.listens()
        self.assertEqual(
            self.lines(), [f"The embedded model {LOCAL_MODEL} is ready after 1.5 s"]
        )


class FailedStartTests(LocalModelTestCase):
    """
    A model that can't be loaded is 503 without a long wait.
    """

    def setUp(self):
        """
        Make a call that waits for the model.
        """
        super().setUp()
        self.provider = self.makeProvider()
        self.call = self.ask(self.provider)

    def assertFailed(self):
        """
        Assert that the call fails with a retry after the ten seconds until the next
        attempt.
        """
        error = self.failureResultOf(self.call.done, ModelUnavailable).value
        self.assertEqual((error.status, error.retryAfter), (503, 10.0))
        self.assertEqual(self.provider.state, "failed")

    def test_becauseTheModelIsRefused(self):
        """
        llama.cpp can't read the file: its reason is only in the log.
        """
        self.child.refuses("Bad magic in /secret/path.")
        self.child.ends(status=1)
        self.assertFailed()
        [refusal, _] = self.lines("error")
        self.assertIn("Bad magic in /secret/path.", refusal)

    def test_becauseALibraryIsMissing(self):
        """
        The caller gets the name of a missing library.
        """
        words = (
            "libgomp.so.1: cannot open shared object file: No such file or directory"
        )
        library = findMissingLibrary(ImportError(words))
        self.child.refuses(words, library)
        self.child.ends(status=1)
        error = self.failureResultOf(self.call.done, ModelUnavailable).value
        self.assertIn("libgomp.so.1", error.message)
        self.assertIn("libgomp1", error.message)

    def test_otherErrorsNameNoLibrary(self):
        """
        Other errors of an import, and of llama.cpp, are only in the log.
        """
        for error in (
            ImportError("No module named 'x'"),
            ImportError("/secret/x.so: cannot open shared object file"),
            RuntimeError("libgomp.so.1: cannot open shared object file"),
        ):
            self.assertIsNone(findMissingLibrary(error))
        self.child.ends(status=1)
        self.assertFailed()

    def test_becauseTheProcessDies(self):
        """
        The process dies during loading.
        """
        self.child.ends(signal=9)
        self.assertFailed()
        [line] = self.lines("error")
        self.assertIn("signal 9", line)

    def test_becauseTheAnswerIsNone(self):
        """
        A process with an invalid reply is killed.
        """
        self.child.says(b"Hello?\n")
        self.assertEqual(self.child.signals, ["KILL"])
        self.child.ends(signal=9)
        self.assertFailed()

    def test_becauseTheAnswerNeverEnds(self):
        """
        A process with an endless reply is killed.
        """
        for _ in range(65):
            self.child.says(b"x" * 1024)
        self.assertEqual(self.child.signals, ["KILL"])

    def test_becauseItTakesTooLong(self):
        """
        A process that is not ready in time is killed.
        """
        self.clock.advance(LOAD_SECONDS - 1)
        self.assertEqual(self.child.signals, [])
        self.clock.advance(1)
        self.assertEqual(self.child.signals, ["KILL"])
        self.child.ends(signal=9)
        self.assertFailed()

    def test_becauseNoProcessCanBeHad(self):
        """
        The operating system can't start a process.
        """
        self.child.ends(signal=9)
        self.clock.advance(10)
        self.processes.error = OSError("No more processes.")
        error = self.failureResultOf(
            self.ask(self.provider).done, ModelUnavailable
        ).value
        self.assertEqual(error.retryAfter, 20.0)
        self.assertIn("No more processes.", self.lines("error")[-1])

    def test_asksAreRefusedUntilTheNextTry(self):
        """
        Meanwhile calls fail immediately, and no process is started.
        """
        self.child.ends(status=1)
        self.clock.advance(4)
        again = self.failureResultOf(self.ask(self.provider).done, ModelUnavailable)
        self.assertEqual(again.value.retryAfter, 6.0)
        self.assertEqual(len(self.processes.children), 1)

    def test_isTriedAgainWhenAsked(self):
        """
        After the pause the next call tries again, and may succeed.
        """
        self.child.ends(status=1)
        self.clock.advance(10)
        self.assertEqual(len(self.processes.children), 1)
        call = self.ask(self.provider)
        self.child.listens()
        self.upstream.calls[0].done.callback(REPLY)
        self.assertEqual(self.successResultOf(call.done), REPLY)

    def test_pausesGrow(self):
        """
        The pauses increase.
        """
        for pause in (10.0, 20.0, 30.0):
            call = self.ask(self.provider)
            self.child.ends(status=1)
            error = self.failureResultOf(call.done, ModelUnavailable)
            self.assertEqual(error.value.retryAfter, pause)
            self.clock.advance(pause)
        self.assertFailed()

    def test_atOnceTriesByItself(self):
        """
        With C{atOnce} it is tried again without a call.
        """
        provider = self.makeProvider(start="atOnce")
        provider.start()
        self.child.ends(status=1)
        self.clock.advance(10)
        self.assertEqual(len(self.processes.children), 3)
        self.assertEqual(provider.state, "starting")
        self.child.listens()
        self.assertEqual(provider.state, "ready")


class DeathTests(LocalModelTestCase):
    """
    A process that died is restarted.
    """

    def setUp(self):
        """
        Load the model, and let the kernel kill its process.
        """
        super().setUp()
        self.provider = self.makeProvider()
        self.ask(self.provider)
        self.child.listens()
        self.child.ends(signal=9)

    def test_connectionsAreClosed(self):
        """
        Pooled connections to the dead process are closed.
        """
        self.assertTrue(self.upstream.closed)
        self.assertEqual(self.provider.state, "died")

    def test_callsWaitForTheNextOne(self):
        """
        A call during the pause waits for the next process.
        """
        call = self.ask(self.provider)
        self.assertNoResult(call.done)
        self.assertEqual(len(self.processes.children), 1)
        self.clock.advance(10)
        self.assertEqual(len(self.processes.children), 2)
        self.child.listens()
        self.upstream.calls[0].done.callback(REPLY)
        self.assertEqual(self.successResultOf(call.done), REPLY)

    def test_itStaysAwayUnneeded(self):
        """
        Without calls it is not restarted.
        """
        self.clock.advance(10)
        self.assertEqual(len(self.processes.children), 1)
        self.assertEqual(self.provider.state, "stopped")
        self.ask(self.provider)
        self.assertEqual(len(self.processes.children), 2)

    def test_aCallerWhoLeftNeedsNothing(self):
        """
        A cancelled call does not restart it.
        """
        call = self.ask(self.provider)
        call.cancel()
        self.failureResultOf(call.done, RunCancelled)
        self.clock.advance(10)
        self.assertEqual(len(self.processes.children), 1)

    def test_atOnceComesBackByItself(self):
        """
        With C{atOnce} it is restarted without a call.
        """
        provider = self.makeProvider(start="atOnce")
        provider.start()
        self.child.listens()
        self.child.ends(signal=9)
        self.clock.advance(10)
        self.assertEqual(provider.state, "starting")

    def test_eachHasItsOwnKey(self):
        """
        Each process has its own key.
        """
        self.clock.advance(10)
        self.ask(self.provider)
        first, second = (child.order().key for child in self.processes.children)
        self.assertNotEqual(first, second)

    def test_aShortLifeMakesThePauseLonger(self):
        """
        A model that dies at every call is restarted with increasing pauses.
        """
        self.ask(self.provider)
        self.clock.advance(10)
        self.child.listens()
        self.clock.advance(HEALTHY_SECONDS - 1)
        self.child.ends(signal=9)
        self.ask(self.provider)
        self.clock.advance(19)
        self.assertEqual(len(self.processes.children), 2)
        self.clock.advance(1)
        self.assertEqual(len(self.processes.children), 3)

    def test_aLongLifeMakesItShortAgain(self):
        """
        After a while without failures the pause is short again.
        """
        self.ask(self.provider)
        self.clock.advance(10)
        self.child.listens()
        self.clock.advance(HEALTHY_SECONDS)
        self.child.ends(signal=9)
        self.ask(self.provider)
        self.clock.advance(10)
        self.assertEqual(len(self.processes.children), 3)
