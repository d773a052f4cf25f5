"""
A bare relay of Klein and treq, to compare with: what the libraries alone cost.

It checks no caller, reads no JSON and logs nothing; bytes come in and go out.  Run as
C{python -m benchmarks.relay --port PORT --upstream http://127.0.0.1:PORT/v1}.
"""

import argparse

import treq
from klein import Klein
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IReactorTCP
from twisted.internet.task import react
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IRequest
from twisted.web.server import Site

KEPT_CONNECTIONS = 512


class Relay:
    app = Klein()

    def __init__(self, client: HTTPClient, upstream: str) -> None:
        self.client = client
        self.upstream = upstream

    @app.route("/readyz")
    def health(self, request: IRequest) -> bytes:
        request.setHeader(b"content-type", b"application/json")
        return b'{"ok":true}'

    @app.route("/v1/chat/completions", methods=["POST"])
    async def completions(self, request: IRequest) -> bytes:
        response = await self.client.post(
            f"{self.upstream}/chat/completions",
            data=request.content.read(),
            headers=Headers({b"content-type": [b"application/json"]}),
            unbuffered=True,
        )
        request.setResponseCode(response.code)
        for contentType in response.headers.getRawHeaders(b"content-type", []):
            request.setHeader(b"content-type", contentType)
        await treq.collect(response, request.write)
        return b""


async def serve(reactor: IReactorTCP, port: int, upstream: str) -> None:
    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = KEPT_CONNECTIONS
    relay = Relay(HTTPClient(Agent(reactor, pool=pool)), upstream)
    endpoint = TCP4ServerEndpoint(reactor, port, 2048, "127.0.0.1")
    await endpoint.listen(Site(relay.app.resource()))
    await Deferred()


def main() -> None:
    parser = argparse.ArgumentParser(description="A bare Klein and treq relay.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--upstream", required=True, help="base URL, with the /v1")
    asked = parser.parse_args()

    def started(reactor: IReactorTCP) -> Deferred[None]:
        return Deferred.fromCoroutine(serve(reactor, asked.port, asked.upstream))

    react(started)


if __name__ == "__main__":
    main()
