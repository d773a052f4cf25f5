"""
Requests that are sent again: what tells that they are one and the same.
"""

from collections.abc import Sequence
from hashlib import sha256

from openclaw.agents.ledger import Asked
from openclaw.agents.target import AGENT_HEADERS, MODEL_HEADER
from openclaw.errors import InvalidRequest
from openclaw.interfaces import ICaller
from openclaw.sessions.keys import SESSION_HEADER
from openclaw.web.client_headers import OPEN_WEBUI_CHAT, OPEN_WEBUI_TASK
from openclaw.web.request import GatewayRequest
from openclaw.web.wanted import CHANNEL_HEADER

KEY_HEADER = "idempotency-key"
RETRY_HEADER = "x-stainless-retry-count"
"""
What OpenAI's own libraries count their tries in: 0 with the first one.
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


def askedOf(
    request: GatewayRequest, caller: ICaller, chatHeaders: Sequence[str] = ()
) -> Asked | None:
    """
    What a request can be told by if it comes again.

    @param chatHeaders: The headers that may name the chat that it is a part of: two
        people may say the same in two chats.

    @return: C{None} for a request that nobody could send again, as far as one can see.

    @raise InvalidRequest: The C{Idempotency-Key} can't be one, or see L{goesOn}.
    """
    key, tries = request.header(KEY_HEADER), request.header(RETRY_HEADER)
    # Also where it decides nothing, a wish that is none is refused.
    alone = goesOn(request)
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
    digest = sha256(request.body())
    for name in _DECISIVE:
        digest.update(b"\0" + (request.header(name) or "").encode())
    for name in chatHeaders:
        if (chat := request.header(name)) is not None:
            digest.update(f"\0{name.lower()}\0{chat}".encode())
    return Asked(
        caller=caller.namespace or caller.label,
        fingerprint=digest.digest(),
        key=key,
        again=(tries or "0").strip() not in ("", "0"),
    )


def goesOn(request: GatewayRequest) -> bool:
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


__all__ = ["DISCONNECT_HEADER", "KEY_HEADER", "RETRY_HEADER", "askedOf", "goesOn"]
