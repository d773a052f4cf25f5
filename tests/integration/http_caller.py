"""
A client of a gateway, in the test's reactor.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, FileBodyProducer
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

COMPLETIONS = "/v1/chat/completions"


class Incoming(Protocol):
    """
    A protocol that collects bytes.

    @ivar received: All of them so far, as text.
    @ivar lost: Fires when the connection is lost.
    """

    def __init__(self) -> None:
        self._data = b""
        self._awaited: list[tuple[str, Deferred[str]]] = []
        self.lost: Deferred[None] = Deferred()

    @property
    def received(self) -> str:
        """
        Return all bytes so far.
        """
        return self._data.decode()

    def until(self, text: str) -> "Deferred[str]":
        """
        Wait for a text.

        @return: Fires with everything that was received.
        """
        awaited: Deferred[str] = Deferred()
        self._awaited.append((text, awaited))
        self._look()
        return awaited

    def _look(self) -> None:
        for entry in list(self._awaited):
            text, awaited = entry
            if text.encode() in self._data:
                self._awaited.remove(entry)
                awaited.callback(self.received)

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        awaited, self._awaited = self._awaited, []
        for text, each in awaited:
            each.errback(AssertionError(f"ended without {text!r}:\n{self.received}"))
        self.lost.callback(None)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """
    A response whose headers have arrived.
    """

    status: int
    headers: Headers
    body: Incoming

    def header(self, name: str) -> str | None:
        """
        Return a header.
        """
        values = self.headers.getRawHeaders(name)
        return values[0] if values else None

    async def whole(self) -> str:
        """
        Return the complete body.
        """
        await self.body.lost
        return self.body.received

    async def json(self) -> Any:
        """
        Return the body as JSON.
        """
        return json.loads(await self.whole())

    async def words(self) -> str:
        """
        Return the text of the reply, streamed or not.
        """
        text = await self.whole()
        if text.startswith("data:"):
            return streamedWords(text)
        return json.loads(text)["choices"][0]["message"]["content"]

    async def code(self) -> str:
        """
        Return the code of an error.
        """
        return (await self.json())["error"]["code"]


def frames(text: str) -> Sequence[Any]:
    """
    Return the documents of an event stream; the last is the string C{[DONE]}.
    """
    payloads = [
        line.removeprefix("data: ")
        for line in text.split("\n")
        if line.startswith("data: ")
    ]
    return [each if each == "[DONE]" else json.loads(each) for each in payloads]


def streamedWords(text: str) -> str:
    """
    Return the text of an event stream.
    """
    return "".join(
        choice["delta"].get("content", "")
        for frame in frames(text)
        if isinstance(frame, dict)
        for choice in frame.get("choices", ())
    )


def asking(words: str, **fields: Any) -> dict[str, Any]:
    """
    Return the body of a completion request.
    """
    return {
        "model": "openclaw",
        "messages": [{"role": "user", "content": words}],
        **fields,
    }


class Caller:
    """
    A client with a gateway's URL and a credential.
    """

    def __init__(
        self,
        reactor: Any,
        url: str,
        token: str | None,
        agent: IAgent | None = None,
    ) -> None:
        self._reactor = reactor
        self._url = url
        self._authorization = None if token is None else f"Bearer {token}"
        self._agent = agent or Agent(reactor)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """
        Send a GET request.
        """
        return await self._request(b"GET", path, headers or {}, None)

    async def post(self, path: str) -> Answer:
        """
        Send a request without a body.
        """
        return await self._request(b"POST", path, {}, None)

    async def ask(
        self,
        words: str,
        *,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> Answer:
        """
        Send a completion request.

        @param fields: Further fields of the body.
        """
        body = FileBodyProducer(BytesIO(json.dumps(asking(words, **fields)).encode()))
        return await self._request(b"POST", COMPLETIONS, headers or {}, body)

    async def _request(
        self,
        method: bytes,
        path: str,
        headers: Mapping[str, str],
        body: FileBodyProducer | None,
    ) -> Answer:
        sent = Headers({"content-type": ["application/json"]})
        if self._authorization is not None:
            sent.setRawHeaders("authorization", [self._authorization])
        for name, value in headers.items():
            sent.setRawHeaders(name, [value])
        response: IResponse = await self._agent.request(
            method, f"{self._url}{path}".encode(), sent, body
        )
        incoming = Incoming()
        response.deliverBody(incoming)
        return Answer(status=response.code, headers=response.headers, body=incoming)

    async def connect(
        self,
        words: str,
        headers: Mapping[str, str] | None = None,
        withhold: int = 0,
        **fields: Any,
    ) -> "Connection":
        """
        Send a completion request on a raw connection, which the test can close.

        @param withhold: The number of bytes of the body for L{Connection.finish}.
        """
        more = "".join(
            f"{name}: {value}\r\n" for name, value in (headers or {}).items()
        )
        address = urlsplit(self._url)
        endpoint = TCP4ClientEndpoint(self._reactor, address.hostname, address.port)
        connection = await endpoint.connect(Factory.forProtocol(Connection))
        body = json.dumps(asking(words, **fields))
        connection.transport.write(
            f"POST {COMPLETIONS} HTTP/1.1\r\n"
            f"Host: {address.netloc}\r\n"
            f"Authorization: {self._authorization}\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"{more}\r\n"
            f"{body[: len(body) - withhold]}".encode()
        )
        connection.withheld = body[len(body) - withhold :].encode()
        return connection


class Connection(Incoming):
    """
    A client's raw connection.

    @ivar withheld: The end of the body, if it is not sent yet.
    """

    withheld = b""

    def finish(self) -> None:
        """
        Send the rest of the body.
        """
        self.transport.write(self.withheld)

    def close(self) -> None:
        """
        Close it like a program that ends normally, with a FIN.
        """
        self.transport.loseConnection()

    def reset(self) -> None:
        """
        Close it like a program that crashes, with a RST.
        """
        self.transport.abortConnection()

    def halfClose(self) -> None:
        """
        Close the sending half, like clients that ignore the response.
        """
        self.transport.loseWriteConnection()


__all__ = [
    "COMPLETIONS",
    "Answer",
    "Caller",
    "Connection",
    "Incoming",
    "asking",
    "frames",
    "streamedWords",
]
