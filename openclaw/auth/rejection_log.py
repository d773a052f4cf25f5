"""
Audit lines for rejected credentials.
"""

from collections import OrderedDict

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from openclaw.audit import auditLogger
from openclaw.auth.client_address import ClientAddress

INTERVAL_SECONDS = 10.0
"""
Minimum interval between two lines for one address and kind of credential, in seconds.
"""

CAPACITY = 1024
"""
Number of addresses and kinds that are tracked.
"""


class RejectionLog:
    """
    Writes an audit line for each rejected credential, without the credential. Repeated
    ones from an address are counted, and the count is in the next line.
    """

    def __init__(self, clock: IReactorTime, log: Logger) -> None:
        self._clock = clock
        self._audit = auditLogger(log)
        self._written: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def record(self, origin: ClientAddress, kind: str, store: str) -> None:
        """
        Write or count a rejected credential.

        @param kind: The kind of credential, such as C{password}.

        @param store: The configuration key or file that it was checked against.
        """
        now, key = self._clock.seconds(), (origin.name, kind)
        entry = self._written.get(key)
        if entry is not None and now < entry[0] + INTERVAL_SECONDS:
            entry[1] += 1
            return
        more = 0 if entry is None else int(entry[1])
        self._written[key] = [now, 0]
        self._written.move_to_end(key)
        if len(self._written) > CAPACITY:
            self._written.popitem(last=False)
        self._audit.warn(
            "refused credential address={address} kind={kind!r} store={store!r}"
            " more_before={more_before}",
            address=origin.name,
            kind=kind,
            store=store,
            more_before=more,
        )
