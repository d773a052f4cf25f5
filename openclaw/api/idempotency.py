"""
Recognise repeated requests.
"""

from hashlib import sha256
from typing import Any

from openclaw.agents.run_registry import RequestFingerprint
from openclaw.api.client_headers import RunHeaders
from openclaw.api.json_bounds import isSmall
from openclaw.interfaces import ICaller
from openclaw.net.threads import runInBodyThread


async def computeFingerprint(
    reactor: Any, body: bytes, headers: RunHeaders, caller: ICaller
) -> RequestFingerprint:
    """
    Compute the fingerprint by which a repeated request is recognised.

    @raise InvalidRequest: The C{Idempotency-Key} is not valid.
    """
    key = headers.idempotencyKey()
    if isSmall(body):
        digest = sha256(body)
    else:
        # 20 MB take 11 ms.
        digest = await runInBodyThread(reactor, caller.shareKey, lambda _: sha256(body))
    # The same body may be sent in two chats.
    for name, value in (
        ("agent", headers.agent),
        ("model", headers.model),
        ("session", headers.session),
        ("channel", headers.channel),
        ("chat", headers.webUIChat),
        ("task", headers.task),
        ("events", ",".join(sorted(headers.events))),
        *headers.chats,
    ):
        digest.update(f"\0{name.lower()}\0{value or ''}".encode())
    return RequestFingerprint(
        caller=caller.namespace or caller.label,
        fingerprint=digest.digest(),
        key=key,
        again=headers.isRetry,
    )
