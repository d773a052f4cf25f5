"""
Hostile clients and networks: raw bytes on raw connections.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory

from tests.integration.daemon import Daemon
from tests.integration.daemon_case import TOKEN, DaemonTestCase, merged
from tests.integration.http_caller import COMPLETIONS, Connection, asking

HEADER_SECONDS = 0.5
BODY_SECONDS = 0.5

HOST = b"Host: localhost\r\n"
AUTHORIZATION = f"Authorization: Bearer {TOKEN}\r\n".encode()
POST = f"POST {COMPLETIONS} HTTP/1.1\r\n".encode() + HOST
KNOWN = POST + AUTHORIZATION
ALIVE = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"


@dataclass(frozen=True)
class Answer:
    """
    A response.

    @ivar headers: By their lower-case names.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """
        Return the error in it.
        """
        return json.loads(self.body)["error"]


def answersIn(received: str) -> list[Answer]:
    """
    Return the responses in some bytes, each of which has a length.
    """
    rest, found = received.encode(), []
    while rest:
        head, _, rest = rest.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        pairs = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in pairs}
        length = int(headers.get("content-length", "0"))
        found.append(Answer(int(first.split(" ")[1]), headers, rest[:length]))
        rest = rest[length:]
    return found


def completion(words: str = "hi", **fields: Any) -> bytes:
    """
    Return a complete completion request.
    """
    body = json.dumps(asking(words, **fields)).encode()
    return KNOWN + b"Content-Length: %d\r\n\r\n" % len(body) + body


def resident(pid: int) -> float:
    """
    Return the memory of a process, in MB (on Linux).
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the process is gone")


class AttackerTestCase(DaemonTestCase):
    """
    A daemon with short time limits.

    @ivar daemon: The daemon.
    """

    async def begin(self, **http: Any) -> None:
        """
        Start the daemon.

        @param http: Changes of C{gateway.http}.
        """
        endpoint = {"bodyTimeoutSeconds": BODY_SECONDS}
        base = {
            "headerTimeoutSeconds": HEADER_SECONDS,
            "endpoints": {"chatCompletions": endpoint},
        }
        config = self.configure({"gateway": {"http": merged(base, http)}})
        self.daemon: Daemon = await self.startDaemon(config=config)

    async def connect(self, *pieces: bytes) -> Connection:
        """
        Connect, and send some bytes.
        """
        address = urlsplit(self.daemon.url)
        endpoint = TCP4ClientEndpoint(reactor, address.hostname, address.port)
        connection = await endpoint.connect(Factory.forProtocol(Connection))
        self.addCleanup(connection.transport.abortConnection)
        for piece in pieces:
            connection.transport.write(piece)
        return connection

    async def answersTo(self, *pieces: bytes) -> list[Answer]:
        """
        Return everything that the gateway sends until it closes the connection.
        """
        connection = await self.connect(*pieces)
        await connection.lost
        return answersIn(connection.received)

    def assertRefused(self, answer: Answer, status: int, code: str) -> None:
        """
        Assert that a response is a complete error in OpenAI's format.
        """
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.error["code"], code)
        self.assertEqual(set(answer.error), {"message", "type", "param", "code"})
        self.assertEqual(
            answer.headers["content-type"], "application/json; charset=utf-8"
        )
        self.assertEqual(len(answer.body), int(answer.headers["content-length"]))
        self.assertTrue(answer.headers["x-request-id"].startswith("req_"))
        self.assertEqual(answer.headers["x-content-type-options"], "nosniff")

    async def assertUnharmed(self) -> None:
        """
        Assert that others are served, and that the log has nothing unusual.
        """
        self.upstream.says("so")
        answer = await self.caller(self.daemon).ask("hi")
        self.assertEqual(answer.status, 200)
        self.assertEqual(await answer.words(), "so")
        self.assertNotIn("Traceback", self.daemon.text)
        self.assertNotIn("Unhandled", self.daemon.text)


__all__ = [
    "ALIVE",
    "AUTHORIZATION",
    "HOST",
    "KNOWN",
    "POST",
    "Answer",
    "AttackerTestCase",
    "answersIn",
    "completion",
    "resident",
]
