"""
Requests of raw bytes.
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory

from tests.integration.http_caller import COMPLETIONS, Connection, asking


async def exchange(
    reactor: Any, url: str, headers: Mapping[str, str], before: str = ""
) -> tuple[int, Any]:
    """
    Send a completion request on a new connection.

    @param before: The first bytes on the connection, such as a PROXY protocol header.
    @return: The status and the JSON of the response; the status is 0 if the connection
        was closed without one.
    """
    address = urlsplit(url)
    endpoint = TCP4ClientEndpoint(reactor, address.hostname, address.port)
    connection = await endpoint.connect(Factory.forProtocol(Connection))
    body = json.dumps(asking("hi"))
    lines = [
        f"POST {COMPLETIONS} HTTP/1.0",
        f"Host: {address.netloc}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    connection.transport.write((before + "\r\n".join([*lines, "", body])).encode())
    await connection.lost
    head, _, answer = connection.received.partition("\r\n\r\n")
    return (int(head.split()[1]), json.loads(answer)) if head else (0, None)


def proxyLine(source: str) -> str:
    """
    Return a header of the PROXY protocol.
    """
    return f"PROXY TCP4 {source} 192.0.2.9 4712 443\r\n"


__all__ = ["exchange", "proxyLine"]
