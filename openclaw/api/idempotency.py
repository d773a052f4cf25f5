"""
Requests that are sent again: the fingerprint by which they are recognised.
"""

from hashlib import sha256
from typing import Any

from openclaw.agents.run_registry import RequestFingerprint
from openclaw.api.client_headers import RunHeaders
from openclaw.api.json_bounds import isSmall
from openclaw.interfaces import ICaller
from openclaw.net.threads import runInBodyThread


async def requestFingerprint(
    reactor: Any, body: bytes, headers: RunHeaders, caller: ICaller
) -> RequestFingerprint | None:
    """
    Build the fingerprint by which a repeated request is recognised.

    @return: C{None} for a request that nobody could send again, as far as one can see.

    @raise InvalidRequest: The C{Idempotency-Key} can't be one, or see
        L{RunHeaders.continuesAfterDisconnect}.
    """
    # Also where it decides nothing, a wish that is none is refused.
    alone = headers.continuesAfterDisconnect()
    if headers.key is None and headers.tries is None and not alone:
        return None
    key = headers.idempotencyKey()
    if isSmall(body):
        digest = sha256(body)
    else:
        # 20 MB take 11 ms.
        digest = await runInBodyThread(reactor, caller.shareKey, lambda _: sha256(body))
    # Two people may say the same in two chats.
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
