"""
Find the worker that has to handle a request.

Any worker can handle most requests.  Requests that depend on the memory of one worker
go to that one: for the events of a run, a repeated request, or a caller with quotas.
"""

from openclaw.api.client_headers import RunHeaders, parseRunHeaders
from openclaw.api.idempotency import computeFingerprint
from openclaw.api.peers import RUN_IN_PROGRESS, Peers, parseWorkerNumber, selectOwner
from openclaw.errors import OpenClawError
from openclaw.interfaces import ICaller
from openclaw.server.api_request import decodeHeaders
from openclaw.server.gateway_request import GatewayRequest
from openclaw.workers.forwarded_caller import ForwardedCaller
from openclaw.workers.shared_guards import findCallerWorker

MAX_HOPS = 2
"""
One hop because of the caller, and one because of the run or session.
"""


class WorkerRouter:
    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def find(
        self, request: GatewayRequest, forwarded: ForwardedCaller | None
    ) -> tuple[int, ForwardedCaller] | None:
        """
        Find the worker to forward a request to.

        @param forwarded: The header of a request that was already forwarded.

        @return: The worker's number and the header to add; C{None} if this worker can
            handle the request.
        """
        hops = 0 if forwarded is None else forwarded.hops
        caller = await request.caller()
        if caller is None or isinstance(caller, BaseException) or hops >= MAX_HOPS:
            return None
        peers = self._peers
        counter = findCallerWorker(caller, peers.count)
        counted = counter is None or counter == peers.number
        if not counted and (forwarded is None or not forwarded.counted):
            assert counter is not None
            return counter, ForwardedCaller.of(caller, counted=False, hops=hops + 1)
        owner = await self._findOwner(request, caller, counter is not None)
        if owner is None or owner == peers.number:
            return None
        return owner, ForwardedCaller.of(caller, counted=True, hops=hops + 1)

    async def _findOwner(
        self, request: GatewayRequest, caller: ICaller, limited: bool
    ) -> int | None:
        """
        @param limited: The caller has quotas, so that this worker handles all its
            requests.
        """
        peers = self._peers
        live, found = request.admission.live, request.admission.match
        if live is None or found is None:
            return None
        runID = found.arguments.get("runID")
        if runID is not None:
            return parseWorkerNumber(runID, peers.count)
        if limited or not found.route.takesBody:
            return None
        endpoint = live.config.gateway.http.endpoints.chatCompletions
        headers = parseRunHeaders(
            decodeHeaders(request.requestHeaders), endpoint.sessionHeaders
        )
        if headers.key is not None:
            return selectOwner(peers.count, caller.label, headers.key)
        if not headers.isRetry:
            return None
        return await self._findRunningWorker(request, headers, caller)

    async def _findRunningWorker(
        self, request: GatewayRequest, headers: RunHeaders, caller: ICaller
    ) -> int | None:
        try:
            asked = await computeFingerprint(
                request.channel.site.reactor, request.body(), headers, caller
            )
        except OpenClawError:
            return None  # The resource responds with the error.
        fingerprint = asked.fingerprint.hex()
        answers = await self._peers.query(RUN_IN_PROGRESS, [asked.caller, fingerprint])
        return next((each for each in answers if each is not None), None)
