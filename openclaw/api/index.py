"""
C{/}: the service's name and paths, for people who open the gateway's address.
"""

from typing import Any

from openclaw.server.api_request import ApiRequest


async def showIndex(request: ApiRequest) -> dict[str, Any]:
    """
    Return the name of the service and its main paths.
    """
    return {
        "name": "OpenClaw for Twisted",
        "message": "An agent gateway with an OpenAI-compatible API. The base URL"
        " for clients is this address and /v1; the model is openclaw or"
        " openclaw/<agentId>.",
        "baseURL": "/v1",
        "models": "/v1/models",
        "health": "/readyz",
    }
