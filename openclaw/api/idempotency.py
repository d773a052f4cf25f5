"""
Requests that are sent again: what tells that they are one and the same.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from openclaw.agents.agent_directory import AGENT_HEADERS, MODEL_HEADER
from openclaw.agents.run_registry import RequestFingerprint
from openclaw.api.client_headers import OPEN_WEBUI_CHAT, OPEN_WEBUI_TASK
from openclaw.api.json_bounds import isSmall
from openclaw.api.run_builder import CHANNEL_HEADER
from openclaw.errors import InvalidRequest
from openclaw.interfaces import ICaller
from openclaw.net.threads import inBodyThread
from openclaw.server.gateway_request import GatewayRequest
from openclaw.sessions.session_keys import SESSION_HEADER

if TYPE_CHECKING:
    from hashlib import _Hash

KEY_HEADER = "idempotency-key"
RETRY_HEADER = "x-stainless-retry-count"
"""
The header in which OpenAI's own libraries count their tries: 0 with the first one.
"""

DISCONNECT_HEADER = "x-openclaw-on-disconnect"
MAX_KEY_CHARACTERS = 255
_DECISIVE = (
    *AGENT_HEADERS,
    SESSION_HEADER,
    MODEL_HEADER,
    CHANNEL_HEADER,
    OPEN_WEBUI_CHAT,
    OPEN_WEBUI_TASK,
    "x-openclaw-events",
)
"""
The headers that say what is asked, beside those that are configured.
"""


async def requestFingerprint(
    request: GatewayRequest, caller: ICaller, chatHeaders: Sequence[str] = ()
) -> RequestFingerprint | None:
    """
    Build the fingerprint by which a repeated request is recognised.

    @param chatHeaders: The headers that may name the chat that it is a part of: two
        people may say the same in two chats.

    @return: C{None} for a request that nobody could send again, as far as one can see.

    @raise InvalidRequest: The C{Idempotency-Key} can't be one, or see
        L{continuesAfterDisconnect}.
    """
    key, tries = request.header(KEY_HEADER), request.header(RETRY_HEADER)
    # Also where it decides nothing, a wish that is none is refused.
    alone = continuesAfterDisconnect(request)
    if key is None and tries is None and not alone:
        return None
    if key is not None and not (
        0 < len(key) <= MAX_KEY_CHARACTERS and key.isprintable()
    ):
        raise InvalidRequest(
            f"`Idempotency-Key` must be 1 to {MAX_KEY_CHARACTERS} printable"
            " characters.",
            param="Idempotency-Key",
        )
    digest = await _digested(request, caller)
    for name in _DECISIVE:
        digest.update(b"\0" + (request.header(name) or "").encode())
    for name in chatHeaders:
        if (chat := request.header(name)) is not None:
            digest.update(f"\0{name.lower()}\0{chat}".encode())
    return RequestFingerprint(
        caller=caller.namespace or caller.label,
        fingerprint=digest.digest(),
        key=key,
        again=(tries or "0").strip() not in ("", "0"),
    )


async def _digested(request: GatewayRequest, caller: ICaller) -> "_Hash":
    """
    Begin a digest with the body: of a large one in a thread, since 20 MB take 11 ms.
    """
    body = request.body()
    if isSmall(body):
        return sha256(body)
    reactor = request.channel.site.reactor
    return await inBodyThread(reactor, caller.shareKey, lambda _: sha256(body))


def continuesAfterDisconnect(request: GatewayRequest) -> bool:
    """
    Shall the run go on when its caller goes away?

    @raise InvalidRequest: The caller's word for it is none.
    """
    wish = request.header(DISCONNECT_HEADER)
    match (wish or "cancel").strip().lower():
        case "cancel":
            return False
        case "continue":
            return True
    raise InvalidRequest(
        f"`{DISCONNECT_HEADER}` must be `cancel` or `continue`.",
        param=DISCONNECT_HEADER,
    )
