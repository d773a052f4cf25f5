"""
C{GET /v1/models}: the names that a request's C{model} can have.
"""

from typing import Any

from openclaw.api.raw_model import rawModel
from openclaw.errors import NotFound, OpenClawError
from openclaw.server.api_request import ApiRequest


class ModelList:
    """
    The resource.
    """

    def __init__(self, created: int) -> None:
        """
        @param created: Seconds since the epoch; agents have no date of their own.
        """
        self._created = created

    async def all(self, request: ApiRequest) -> dict[str, Any]:
        """
        The names of the agents that the caller may use.
        """
        names = request.live.directory.models(request.caller)
        return {"object": "list", "data": [self._model(name) for name in names]}

    async def one(self, request: ApiRequest, name: str) -> dict[str, Any]:
        """
        One of those names, or any other that a request may have.

        @raise NotFound: The caller may not use it.
        """
        live = request.live
        aliases = live.config.gateway.http.endpoints.chatCompletions.modelAliases
        agent, _ = rawModel(name, aliases)
        try:
            live.directory.find(request.caller, model=agent)
        except OpenClawError as error:
            raise NotFound(
                f"The model '{name}' does not exist. {error.message}",
                param="model",
                code="model_not_found",
            ) from None
        return self._model(name)

    def _model(self, name: str) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": self._created,
            "owned_by": "openclaw",
        }
