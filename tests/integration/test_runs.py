"""
Repeated requests, and runs whose clients disconnect.
"""

import re

from twisted.internet.defer import Deferred

from openclaw.testing import ServedCall
from tests.integration.daemon_case import DaemonTestCase

KEY = {"Idempotency-Key": "order-17"}
GOES_ON = {"x-openclaw-on-disconnect": "continue"}


class TwiceTests(DaemonTestCase):
    """
    A repeated request is the same run.
    """

    async def test_joined(self) -> None:
        """
        A repeated request during the run gets the same stream.
        """
        caller = self.caller(await self.startDaemon(config=self.configure()))
        coming = self.upstream.nextCall()
        first = Deferred.fromCoroutine(caller.ask("Hello.", headers=KEY, stream=True))
        call = await coming
        call.say("One ")
        answers = [await first, await caller.ask("Hello.", headers=KEY, stream=True)]
        self.assertEqual(answers[1].header("idempotent-replayed"), "true")
        call.say("two.")
        call.finish()
        bodies = [await answer.whole() for answer in answers]
        self.assertEqual(bodies[0], bodies[1])
        self.assertEqual(await answers[1].words(), "One two.")
        self.assertEqual(len(self.upstream.calls), 1)

    async def test_otherRequest(self) -> None:
        """
        Another request with the same key is rejected.
        """
        self.upstream.says("Hi.")
        caller = self.caller(await self.startDaemon(config=self.configure()))
        await (await caller.ask("Hello.", headers=KEY)).words()
        other = await caller.ask("Goodbye.", headers=KEY)
        self.assertEqual(other.status, 409)
        self.assertEqual(other.header("x-should-retry"), "false")


class AloneTests(DaemonTestCase):
    """
    A run can continue after a disconnect.
    """

    async def test_found(self) -> None:
        """
        The client loses the connection, follows the run's events on a new one, and gets
        the result in the end.
        """
        caller = self.caller(await self.startDaemon(config=self.configure()))
        coming = self.upstream.nextCall()
        connection = await caller.connect("Hello.", stream=True, headers=GOES_ON)
        call: ServedCall = await coming
        call.say("One ")
        head = await connection.until("One ")
        found = re.search(r"x-openclaw-run-id: (run_\w+)", head, re.I)
        assert found is not None
        connection.reset()
        path = f"/v1/runs/{found[1]}"
        events = await caller.get(f"{path}/events")
        run = await (await caller.get(path)).json()
        self.assertEqual(run["status"], "in_progress")
        call.say("two.")
        call.finish()
        self.assertEqual(await events.words(), "One two.")
        run = await (await caller.get(path)).json()
        self.assertEqual(run["status"], "completed")
        message = run["result"]["choices"][0]["message"]
        self.assertEqual(message["content"], "One two.")

    async def test_cancelled(self) -> None:
        """
        It can be cancelled, and the model call with it.
        """
        caller = self.caller(await self.startDaemon(config=self.configure()))
        coming = self.upstream.nextCall()
        connection = await caller.connect("Hello.", stream=True, headers=GOES_ON)
        call = await coming
        (run,) = (await (await caller.get("/v1/runs")).json())["data"]
        connection.close()
        stopped = await caller.post(f"/v1/runs/{run['id']}/cancel")
        self.assertEqual((await stopped.json())["status"], "cancelled")
        await call.gone
        self.assertEqual((await (await caller.get("/v1/runs")).json())["data"], [])
