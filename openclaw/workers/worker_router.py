"""
Find the worker that a request belongs to.

Most can be answered by any.  What hangs on something that one worker has in its memory
goes to that one: a run that is looked at, a request that is sent again, a caller whose
requests are counted.
"""

from openclaw.api.client_headers import RunHeaders, parseRunHeaders
from openclaw.api.idempotency import computeFingerprint
from openclaw.api.peers import RUN_IN_PROGRESS, Peers, parseWorkerNumber, selectOwner
from openclaw.errors import OpenClawError
from openclaw.interfaces import ICaller
from openclaw.server.api_request import decodeHeaders
from openclaw.server.gateway_request import GatewayRequest
from openclaw.workers.forwarded_caller import ForwardedCaller
from openclaw.workers.shared_guards import ownerOfCaller

MOST_HOPS = 2
"""
Once because of who asks, and once because of what they ask for.
"""


class WorkerRouter:
    """
    Finds the worker.
    """

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def find(
        self, request: GatewayRequest, forwarded: ForwardedCaller | None
    ) -> tuple[int, ForwardedCaller] | None:
        """
        Find the worker that a request is to be passed on to.

        @param forwarded: What it came with, if it was passed on already.

        @return: Its number, and what to pass the request on with; C{None} if we can
            answer it.
        """
        hops = 0 if forwarded is None else forwarded.hops
        caller = await request.caller()
        if caller is None or isinstance(caller, BaseException) or hops >= MOST_HOPS:
            return None
        peers = self._peers
        counts = ownerOfCaller(caller, peers.count)
        counted = counts is None or counts == peers.number
        if not counted and (forwarded is None or not forwarded.counted):
            assert counts is not None
            return counts, ForwardedCaller.of(caller, counted=False, hops=hops + 1)
        owner = await self._ownerOf(request, caller, counts is not None)
        if owner is None or owner == peers.number:
            return None
        return owner, ForwardedCaller.of(caller, counted=True, hops=hops + 1)

    async def _ownerOf(
        self, request: GatewayRequest, caller: ICaller, bounded: bool
    ) -> int | None:
        """
        @param bounded: All that the caller asks is answered here.
        """
        peers = self._peers
        live, found = request.admission.live, request.admission.match
        if live is None or found is None:
            return None
        runID = found.arguments.get("runID")
        if runID is not None:
            return parseWorkerNumber(runID, peers.count)
        if bounded or not found.route.takesBody:
            return None
        endpoint = live.config.gateway.http.endpoints.chatCompletions
        headers = parseRunHeaders(
            decodeHeaders(request.requestHeaders), endpoint.sessionHeaders
        )
        if headers.key is not None:
            return selectOwner(peers.count, caller.label, headers.key)
        if not headers.isRetry:
            return None
        return await self._whoCarriesOut(request, headers, caller)

    async def _whoCarriesOut(
        self, request: GatewayRequest, headers: RunHeaders, caller: ICaller
    ) -> int | None:
        try:
            asked = await computeFingerprint(
                request.channel.site.reactor, request.body(), headers, caller
            )
        except OpenClawError:
            return None  # The resource says so.
        fingerprint = asked.fingerprint.hex()
        answers = await self._peers.ask(RUN_IN_PROGRESS, [asked.caller, fingerprint])
        return next((each for each in answers if each is not None), None)
