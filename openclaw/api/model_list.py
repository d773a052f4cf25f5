"""
C{GET /v1/models}: the values for a request's C{model}.
"""

from typing import Any

from openclaw.api.raw_model import parseRawModel
from openclaw.errors import NotFound, OpenClawError
from openclaw.server.api_request import ApiRequest


class Models:
    def __init__(self, created: int) -> None:
        """
        @param created: The creation time of all models, in seconds since the epoch;
            agents have none.
        """
        self._created = created

    async def listModels(self, request: ApiRequest) -> dict[str, Any]:
        """
        Return the names of the agents that the caller may use.
        """
        names = request.live.directory.modelNames(request.caller)
        return {"object": "list", "data": [self._model(name) for name in names]}

    async def getModel(self, request: ApiRequest, name: str) -> dict[str, Any]:
        """
        Return one of those names, or an alias.

        @raise NotFound: No agent that the caller may use has this name.
        """
        live = request.live
        aliases = live.config.gateway.http.endpoints.chatCompletions.modelAliases
        agent, _ = parseRawModel(name, aliases)
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
