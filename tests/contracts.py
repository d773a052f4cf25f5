"""
What every implementation of an Interface must do: one contract for each.

A contract is a mixin; beside a L{TestCase} and with a way to make the thing it
becomes that implementation's tests.
"""

from collections.abc import Sequence

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from openclaw.errors import StoreError
from openclaw.interfaces import Claim, ISessionStore, SessionInfo
from openclaw.messages import (
    AssistantMessage,
    Message,
    ToolCall,
    ToolMessage,
    UserMessage,
)

HELLO = UserMessage(content="Hello.")
AGAIN = UserMessage(content="Me again.")
ANSWER = AssistantMessage(content="What can I do for you?")


class _OpenStore:
    """
    A session store to be tested.

    @ivar clock: The time as the store sees it; only tests move it.
    @ivar store: An open store in which nothing is kept yet.
    """

    def makeStore(self, clock: Clock) -> ISessionStore:
        """
        A new store, not yet open, in which nothing is kept.
        """
        raise NotImplementedError

    def setUp(self) -> Deferred[None]:
        """
        Open a store, at some time that is not the epoch.
        """
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.store = self.makeStore(self.clock)
        self.addCleanup(lambda: self.store.close())
        return self.store.open()

    def begin(
        self,
        run: str,
        key: str = "agent:main:a",
        opening: Sequence[Message] = (HELLO,),
        following: Sequence[Message] = (AGAIN,),
        agentID: str = "main",
    ) -> Deferred[Sequence[Message] | None]:
        """
        Begin a turn.
        """
        return self.store.beginTurn(Claim(key, run), agentID, opening, following)

    def end(
        self, run: str, *messages: Message, key: str = "agent:main:a"
    ) -> Deferred[None]:
        """
        End a turn.
        """
        return self.store.endTurn(Claim(key, run), messages)

    async def assertKept(self, *messages: Message, key: str = "agent:main:a") -> None:
        """
        Assert that a session's transcript is exactly this.
        """
        kept = await self.store.transcript(key)
        self.assertEqual(list(kept), list(messages))


class _StoreOpensAndCloses(_OpenStore):
    """
    A session store has a life.
    """

    def test_interface(self) -> None:
        """
        The store is what it says.
        """
        verifyObject(ISessionStore, self.store)
        self.assertGreater(self.store.leaseSeconds, 0)

    async def assertRefuses(self, store: ISessionStore) -> None:
        """
        Assert that a store does nothing.
        """
        claim = Claim("agent:main:a", "1")
        for work in [
            lambda: store.beginTurn(claim, "main", [HELLO], [AGAIN]),
            lambda: store.endTurn(claim, [ANSWER]),
            lambda: store.renew([claim]),
            lambda: store.transcript(claim.sessionKey),
            lambda: store.sessions(),
        ]:
            with self.assertRaises(StoreError):
                await work()

    async def test_notOpened(self) -> None:
        """
        A store must be opened first; closing one that is not open does nothing.
        """
        store = self.makeStore(self.clock)
        await self.assertRefuses(store)
        await store.close()

    async def test_openTwice(self) -> None:
        """
        Opening an open store is a mistake that does no harm.
        """
        with self.assertRaises(StoreError):
            await self.store.open()
        await self.begin("1")
        await self.assertKept(HELLO)

    async def test_closed(self) -> None:
        """
        A closed store refuses work, and can be closed again.
        """
        await self.begin("1")
        await self.store.close()
        await self.assertRefuses(self.store)
        await self.store.close()

    async def test_reopened(self) -> None:
        """
        A store that was closed can be opened again: what was said is still there,
        and no claim is, since nobody is left who could end it.
        """
        await self.begin("1")
        await self.store.close()
        await self.store.open()
        await self.assertKept(HELLO)
        with self.assertRaises(StoreError):
            await self.end("1", ANSWER)
        self.assertEqual(list(await self.begin("2")), [HELLO, AGAIN])


class _StoreKeepsConversations(_OpenStore):
    """
    What was said is kept, in its order.
    """

    async def test_unknownSession(self) -> None:
        """
        Of a session that nobody began nothing was said.
        """
        await self.assertKept()
        self.assertEqual(list(await self.store.sessions()), [])

    async def test_newSessionTakesOpening(self) -> None:
        """
        A conversation begins with its opening, and the run gets it back.
        """
        conversation = await self.begin("1", opening=(HELLO, ANSWER, AGAIN))
        self.assertEqual(list(conversation), [HELLO, ANSWER, AGAIN])
        await self.assertKept(HELLO, ANSWER, AGAIN)

    async def test_answerIsAppended(self) -> None:
        """
        What the run answered comes after what it was asked.
        """
        await self.begin("1")
        await self.end("1", ANSWER, ANSWER)
        await self.assertKept(HELLO, ANSWER, ANSWER)

    async def test_knownSessionTakesFollowing(self) -> None:
        """
        A conversation that goes on takes only what is new, and the run gets all of
        it.
        """
        await self.begin("1")
        await self.end("1", ANSWER)
        conversation = await self.begin("2")
        self.assertEqual(list(conversation), [HELLO, ANSWER, AGAIN])
        await self.end("2", ANSWER)
        await self.assertKept(HELLO, ANSWER, AGAIN, ANSWER)

    async def test_emptySessionTakesOpening(self) -> None:
        """
        A session in which nothing was said is still new.
        """
        self.assertEqual(list(await self.begin("1", opening=())), [])
        await self.end("1")
        self.assertEqual(list(await self.begin("2")), [HELLO])
        await self.end("2")
        await self.assertKept(HELLO)

    async def test_nothingFollows(self) -> None:
        """
        A turn can add nothing to a conversation.
        """
        await self.begin("1")
        await self.end("1", ANSWER)
        self.assertEqual(list(await self.begin("2", following=())), [HELLO, ANSWER])
        await self.end("2")
        await self.assertKept(HELLO, ANSWER)

    async def test_failedRun(self) -> None:
        """
        When a run fails, what the person said stays, and the session is free.
        """
        await self.begin("1")
        await self.end("1")
        await self.assertKept(HELLO)
        self.assertEqual(list(await self.begin("2")), [HELLO, AGAIN])

    async def test_everyKindOfMessage(self) -> None:
        """
        Every message comes back as it was, odd characters, tool calls and all.
        """
        said = [
            UserMessage(content=""),
            UserMessage(content="nul \0, quotes '\"`, \\, \r\n\t\x1b, \u2028, \x7f"),
            AssistantMessage(
                content="日本語 🦞 e\u0301 \ufeff \U0010ffff",
                tool_calls=(
                    ToolCall(id="call_1", name="look", arguments='{"where": "не'),
                    ToolCall(id="", name="", arguments=""),
                ),
            ),
            ToolMessage(tool_call_id="call_1", content="],[ -- '; DROP TABLE x;"),
            AssistantMessage(content="x" * 300_000),
        ]
        self.assertEqual(list(await self.begin("1", opening=said)), said)
        await self.end("1", *said)
        await self.assertKept(*said, *said)

    async def test_longConversation(self) -> None:
        """
        A conversation of many turns comes back in its order.
        """
        said = []
        for number in range(60):
            question = UserMessage(content=f"question {number}")
            answer = AssistantMessage(content=f"answer {number}")
            await self.begin(str(number), opening=[question], following=[question])
            await self.end(str(number), answer)
            said += [question, answer]
        await self.assertKept(*said)

    async def test_anyKey(self) -> None:
        """
        Keys are told apart to the last character, whatever is in them.
        """
        keys = ["a", "A", "", " a", "a\0", "a\0b", "é", "e\u0301", "🦞", "%", "'", "_"]
        for key in keys:
            await self.begin("1", key, opening=[UserMessage(content=key)])
        for key in keys:
            await self.assertKept(UserMessage(content=key), key=key)


class _StoreHasClaims(_OpenStore):
    """
    One run at a time has a session.
    """

    async def test_heldSession(self) -> None:
        """
        While a run holds a session no other gets in, and nothing is written.
        """
        await self.begin("1")
        before = await self.store.sessions()
        self.clock.advance(1)
        self.assertIsNone(await self.begin("2"))
        await self.assertKept(HELLO)
        self.assertEqual(await self.store.sessions(), before)

    async def test_holderBeginsAgain(self) -> None:
        """
        A run begins its turn once: the second time its own claim is in the way.
        """
        await self.begin("1")
        self.assertIsNone(await self.begin("1"))
        await self.end("1", ANSWER)
        await self.assertKept(HELLO, ANSWER)

    async def test_otherSessionIsFree(self) -> None:
        """
        No session waits for another.
        """
        await self.begin("1", "a")
        self.assertEqual(list(await self.begin("2", "b")), [HELLO])

    async def test_endFreesSession(self) -> None:
        """
        When a turn ends the next can begin, also by a run of the same name.
        """
        await self.begin("1")
        await self.end("1", ANSWER)
        self.assertEqual(list(await self.begin("1")), [HELLO, ANSWER, AGAIN])

    async def test_oneOfManyGetsIn(self) -> None:
        """
        When many runs ask for a session at once, one gets it.
        """
        results = await gatherResults([self.begin(str(run)) for run in range(10)])
        self.assertEqual([list(one) for one in results if one is not None], [[HELLO]])
        await self.assertKept(HELLO)

    async def test_leaseLasts(self) -> None:
        """
        A claim that nobody renews holds for all of its lease.
        """
        await self.begin("1")
        self.clock.advance(self.store.leaseSeconds)
        self.assertIsNone(await self.begin("2"))

    async def test_expiredClaim(self) -> None:
        """
        A claim that was not renewed in time can be taken over.
        """
        await self.begin("1")
        self.clock.advance(self.store.leaseSeconds + 0.25)
        self.assertEqual(list(await self.begin("2")), [HELLO, AGAIN])

    async def test_renewedClaims(self) -> None:
        """
        Claims that are renewed hold for another lease, from then on.
        """
        claims = [Claim(key, "1") for key in ("a", "b", "c")]
        for claim in claims:
            await self.begin("1", claim.sessionKey)
        self.clock.advance(self.store.leaseSeconds)
        await self.store.renew(claims[:2])
        self.clock.advance(self.store.leaseSeconds)
        self.assertIsNone(await self.begin("2", "a"))
        self.assertIsNone(await self.begin("2", "b"))
        self.assertIsNotNone(await self.begin("2", "c"))
        self.clock.advance(0.25)
        self.assertIsNotNone(await self.begin("2", "a"))

    async def test_renewNothing(self) -> None:
        """
        A daemon that is idle has no claims to renew.
        """
        await self.store.renew([])

    async def test_lateRenewal(self) -> None:
        """
        A claim that ran out, but that nobody took, is as good as ever once renewed.
        """
        await self.begin("1")
        self.clock.advance(self.store.leaseSeconds * 2)
        await self.store.renew([Claim("agent:main:a", "1")])
        self.assertIsNone(await self.begin("2"))
        await self.end("1", ANSWER)
        await self.assertKept(HELLO, ANSWER)

    async def test_lateEnd(self) -> None:
        """
        A run that was slow to renew, but whose session nobody took, can answer.
        """
        await self.begin("1")
        self.clock.advance(self.store.leaseSeconds * 2)
        await self.end("1", ANSWER)
        await self.assertKept(HELLO, ANSWER)

    async def test_lostClaim(self) -> None:
        """
        A run whose session was taken over can add nothing to it, and does not
        disturb who has it now.
        """
        await self.begin("1")
        self.clock.advance(self.store.leaseSeconds + 0.25)
        await self.begin("2")
        with self.assertRaises(StoreError):
            await self.end("1", ANSWER)
        await self.assertKept(HELLO, AGAIN)
        await self.end("2", ANSWER)
        await self.assertKept(HELLO, AGAIN, ANSWER)

    async def test_lostClaimIsNotRenewed(self) -> None:
        """
        Renewing a claim that was lost neither brings it back nor lengthens the one
        that came after it.
        """
        await self.begin("1")
        self.clock.advance(self.store.leaseSeconds + 0.25)
        await self.begin("2")
        self.clock.advance(1)
        await self.store.renew([Claim("agent:main:a", "1")])
        with self.assertRaises(StoreError):
            await self.end("1", ANSWER)
        self.clock.advance(self.store.leaseSeconds - 0.75)
        self.assertIsNotNone(await self.begin("3"))

    async def test_endTwice(self) -> None:
        """
        A turn ends once.
        """
        await self.begin("1")
        await self.end("1", ANSWER)
        with self.assertRaises(StoreError):
            await self.end("1", ANSWER)
        await self.assertKept(HELLO, ANSWER)

    async def test_endWithoutBeginning(self) -> None:
        """
        Without a claim nothing is written, and no session comes into being.
        """
        with self.assertRaises(StoreError):
            await self.end("1", ANSWER)
        self.assertEqual(list(await self.store.sessions()), [])


class _StoreListsSessions(_OpenStore):
    """
    It can be told which conversations there are.
    """

    async def test_sessionInfo(self) -> None:
        """
        A list says whose a session is, how long, how old, and when it was used.
        """
        start = self.clock.seconds()
        await self.begin("1", opening=(HELLO, ANSWER, AGAIN))
        self.clock.advance(2.5)
        await self.end("1", ANSWER)
        self.assertEqual(
            list(await self.store.sessions()),
            [SessionInfo("agent:main:a", "main", 4, start, start + 2.5)],
        )

    async def test_sessionsInOrder(self) -> None:
        """
        The session that was used last comes first; of those used at the same time,
        the first in the alphabet.
        """
        for key in ("c", "a", "d", "b"):
            await self.begin("1", key)
            await self.end("1", key=key)
        self.clock.advance(1)
        await self.begin("2", "c")
        self.clock.advance(1)
        await self.begin("2", "b")
        found = await self.store.sessions()
        self.assertEqual([info.sessionKey for info in found], ["b", "c", "a", "d"])

    async def test_sessionsOfAgent(self) -> None:
        """
        A list can be of one agent's sessions only; each stays with its first agent.
        """
        await self.begin("1", "a", agentID="main")
        await self.begin("1", "b", agentID="Main")
        await self.begin("1", "c", agentID="other")
        await self.end("1", key="a")
        await self.begin("2", "a", agentID="other")
        for agentID, keys in [("main", ["a"]), ("other", ["c"]), ("nobody", [])]:
            found = await self.store.sessions(agentID)
            self.assertEqual([info.sessionKey for info in found], keys)
        self.assertEqual(len(await self.store.sessions()), 3)


class SessionStoreContract(
    _StoreOpensAndCloses,
    _StoreKeepsConversations,
    _StoreHasClaims,
    _StoreListsSessions,
):
    """
    What every L{ISessionStore} does.  C{makeStore} is to be defined.
    """


__all__ = ["SessionStoreContract"]
