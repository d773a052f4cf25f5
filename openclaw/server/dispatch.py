"""
Call the resource for a complete request, and turn its errors into responses.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from klein.resource import KleinResource
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.server import NOT_DONE_YET

from openclaw.errors import InternalError, OpenClawError
from openclaw.server.api_request import ApiRequest, decodeHeaders
from openclaw.server.error_responses import setErrorResponse
from openclaw.server.gateway_request import GatewayRequest
from openclaw.server.routing import RouteTable


class RoutedResource(KleinResource):
    """
    Answers requests with the handler of the route that was matched from the headers.
    """

    def __init__(self, routes: RouteTable, log: Logger) -> None:
        super().__init__(routes.app)
        self._execute: Callable[..., Any] = routes.app.execute_endpoint
        self._log = log

    def render(self, request: Any) -> Any:
        serving = Deferred.fromCoroutine(self._serve(request))
        if not serving.called:
            request.notifyFinish().addErrback(lambda _: serving.cancel())
        return NOT_DONE_YET

    async def _serve(self, request: GatewayRequest) -> None:
        try:
            await self._respond(request)
        except Exception as raised:
            error = raised if isinstance(raised, OpenClawError) else None
            if error is None and not (
                request.disconnected and type(raised) is CancelledError
            ):
                self._log.failure(
                    "Request {request} failed unexpectedly", request=request.requestID
                )
            raised.__traceback__ = None  # Its frames hold the request.
            if request.disconnected:
                return
            if request.startedWriting:
                # The status is sent; a closed connection shows that this failed.
                request.abort()
                return
            error = error or InternalError("The gateway failed.")
            request.write(setErrorResponse(request, error))
        if not request.disconnected:
            request.finish()

    async def _respond(self, request: GatewayRequest) -> None:
        caller = await request.caller()
        if isinstance(caller, BaseException):
            raise caller
        admission = request.admission
        if admission.error is not None:
            raise admission.error
        live, match = admission.live, admission.match
        assert live is not None and match is not None
        parsed = ApiRequest(
            requestID=request.requestID,
            arrivedAt=request.arrivedAt,
            isHead=request.method == b"HEAD",
            admittedCaller=caller,
            live=live,
            headers=decodeHeaders(request.requestHeaders),
            body=request.body(),
            response=request,
        )
        # A stream may last long: from here on only the handler holds the input.
        request.discardInput()
        document = await self._execute(match.endpoint, parsed, **match.arguments)
        if document is not None:
            parsed.respond(msgspec.json.encode(document))
