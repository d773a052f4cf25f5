"""
From a complete request to the resource that answers it, and from its errors to HTTP.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from klein.resource import KleinResource
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.web.server import NOT_DONE_YET

from openclaw.errors import InternalError, OpenClawError
from openclaw.server.api_request import ApiRequest
from openclaw.server.error_responses import setErrorResponse
from openclaw.server.gateway_request import GatewayRequest
from openclaw.server.routing import RouteTable


class RoutedResource(KleinResource):
    """
    Answers requests by the route that was found when their headers were there.
    """

    def __init__(self, routes: RouteTable, log: Logger) -> None:
        super().__init__(routes.app)
        self._execute: Callable[..., Any] = routes.app.execute_endpoint
        self._log = log

    def render(self, request: Any) -> Any:
        """
        See L{twisted.web.resource.IResource.render}.
        """
        serving = Deferred.fromCoroutine(self._serve(request))
        if not serving.called:
            request.notifyFinish().addErrback(lambda _: serving.cancel())
        return NOT_DONE_YET

    async def _serve(self, request: GatewayRequest) -> None:
        try:
            await self._answer(request)
        except Exception as raised:
            error = raised if isinstance(raised, OpenClawError) else None
            if error is None and not (request.gone and type(raised) is CancelledError):
                self._log.failure(
                    "Request {request} failed unexpectedly", request=request.requestID
                )
            raised.__traceback__ = None  # Its frames hold the request.
            if request.gone:
                return
            if request.startedWriting:
                # There is no way left to say it, but the end must not look like a
                # success.
                request.abort()
                return
            error = error or InternalError("The gateway failed.")
            request.write(setErrorResponse(request, error))
        if not request.gone:
            request.finish()

    async def _answer(self, request: GatewayRequest) -> None:
        caller = await request.whenKnown()
        if isinstance(caller, BaseException):
            raise caller
        admission = request.admission
        if admission.fault is not None:
            raise admission.fault
        live, found = admission.live, admission.found
        assert live is not None and found is not None
        parsed = ApiRequest(
            requestID=request.requestID,
            arrivedAt=request.arrivedAt,
            isHead=request.method == b"HEAD",
            found=caller,
            live=live,
            headers=request.requestHeaders,
            body=request.body(),
            response=request,
        )
        # A stream may last: all that was sent is the handler's now, to keep or forget.
        request.forget()
        document = await self._execute(found.endpoint, parsed, **found.arguments)
        if document is not None:
            parsed.respond(msgspec.json.encode(document))
