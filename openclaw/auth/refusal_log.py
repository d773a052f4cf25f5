"""
Audit lines for credentials that were refused.
"""

from collections import OrderedDict

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from openclaw.audit import auditLogger
from openclaw.auth.client_address import ClientAddress

LINE_SECONDS = 10.0
"""
Least time between two lines for one address and kind of credential, in seconds.
"""

CAPACITY = 1024
"""
Number of addresses and kinds that are remembered.
"""


class RefusalLog:
    """
    Writes a line for a refused credential, never the credential.  Of many from one
    address it writes the first, and then how many there were.
    """

    def __init__(self, clock: IReactorTime, log: Logger) -> None:
        self._clock = clock
        self._audit = auditLogger(log)
        self._written: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def refused(self, origin: ClientAddress, kind: str, store: str) -> None:
        """
        Note a refused credential.

        @param kind: The kind of credential, such as C{password}.

        @param store: Where it was looked for.
        """
        now, key = self._clock.seconds(), (origin.name, kind)
        entry = self._written.get(key)
        if entry is not None and now < entry[0] + LINE_SECONDS:
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
