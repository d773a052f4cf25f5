"""
A process that uses a session store like a daemon, for tests with several processes, or
with one that is killed::

python -m tests.sessions.store_process {open|turns|append} PATH NAME COUNT

It prints C{ready}, waits for a line, and prints a line for each acknowledged operation.
"""

import sys
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from twisted.logger import Logger

from openclaw.interfaces import Claim
from openclaw.messages import AssistantMessage, UserMessage
from openclaw.sessions.store.sqlite import SQLiteSessionStore

LEASE_SECONDS = 3600.0


def say(line: str) -> None:
    """
    Print a line for the test, without buffering.
    """
    print(line, flush=True)


def storeAt(path: Path) -> SQLiteSessionStore:
    """
    Return a store with the system's clocks, and with leases of an hour.
    """
    return SQLiteSessionStore(
        reactor=reactor, path=path, log=Logger(), leaseSeconds=LEASE_SECONDS
    )


async def openMany(path: Path, name: str, number: int) -> None:
    """
    Open a store in each of many files, and begin a turn there.
    """
    for index in range(number):
        store = storeAt(path.with_name(f"{path.name}{index}"))
        await store.open()
        said = [UserMessage(content=name)]
        assert await store.beginTurn(Claim(name, name), "main", said, said) is not None
        await store.close()
    say("done")


async def takeTurns(path: Path, name: str, number: int) -> None:
    """
    Complete turns in many sessions, one after the other, and leave the last claim held.
    """
    store = storeAt(path)
    await store.open()
    for index in range(number):
        key = f"{name}{index % 7}"
        said = [UserMessage(content=f"question {index}")]
        claim = Claim(key, f"run {index}")
        assert await store.beginTurn(claim, "main", said, said) is not None
        say(f"{key}: question {index}")
        if index > 0:
            await store.endTurn(claim, [AssistantMessage(content=f"answer {index}")])
            say(f"{key}: answer {index}")
        else:
            name += "'"  # the session of the first turn stays held


async def append(path: Path, name: str, number: int) -> None:
    """
    Complete turns in the session that other processes use, too.
    """
    store = storeAt(path)
    await store.open()
    for index in range(number):
        claim = Claim("shared", f"{name} {index}")
        said = [UserMessage(content=claim.runID)]
        for _ in range(10_000):
            if await store.beginTurn(claim, "main", said, said) is not None:
                break
            await deferLater(reactor, 0.0005)
        else:
            raise AssertionError("the session never became free")
        await store.endTurn(claim, [AssistantMessage(content=claim.runID)])
    await store.close()
    say("done")


def main() -> None:
    """
    Run the command line.
    """
    work = {"open": openMany, "turns": takeTurns, "append": append}[sys.argv[1]]
    say("ready")
    sys.stdin.readline()
    react(
        lambda _: Deferred.fromCoroutine(
            work(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
        )
    )


if __name__ == "__main__":
    main()
