"""
Limits of a process: amounts shared among callers, and connections.
"""

import resource
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address as IPv6
from ipaddress import ip_address

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

from openclaw.net.fair_semaphore import mayHold

SPARE_DESCRIPTORS = 64
"""
File descriptors reserved for the daemon itself.
"""


class FairBudget:
    """
    A limited amount, such as bytes of bodies, shared fairly among callers without
    waiting; see L{openclaw.net.fair_semaphore.mayHold}.

    @ivar used: The sum of all that callers have acquired.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        """
        @param limit: Return the limit of the sum.
        """
        self._limit = limit
        self.used = 0
        self._usedBy: Counter[str] = Counter()

    def acquire(self, caller: str, count: int, own: int = 0) -> bool:
        """
        Acquire some of the budget for a caller.

        @param own: The part that the same body has acquired before: the only body of a
            caller may use all that is free.

        @return: False if the budget has no room; nothing is acquired then.
        """
        others = self._usedBy.get(caller, 0) - own
        if not mayHold(others, own + count, self._limit() - self.used + own):
            return False
        self._usedBy[caller] += count
        self.used += count
        return True

    def release(self, caller: str, count: int) -> None:
        self.used -= count
        self._usedBy[caller] -= count
        if not self._usedBy[caller]:
            del self._usedBy[caller]


class ConnectionCounts:
    """
    Numbers of connections by remote address. Addresses without a connection take no
    memory.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __getitem__(self, origin: str | None) -> int:
        return 0 if origin is None else self._counts[origin]

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, origin: str | None) -> None:
        if origin is not None:
            self._counts[origin] += 1

    def remove(self, origin: str | None) -> None:
        if origin is not None:
            self._counts[origin] -= 1
            if not self._counts[origin]:
                del self._counts[origin]


def addressBlock(address: IAddress) -> str | None:
    """
    Return the key that connections from an address are counted under: an IPv4 address,
    or the /64 network of an IPv6 address, since a host has a whole one.

    @return: C{None} for this machine, which is not counted.
    """
    if not isinstance(address, IPv4Address | IPv6Address):
        return None
    try:
        found = ip_address(address.host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6):
        if found.ipv4_mapped is None:
            if found.is_loopback:
                return None
            return str(IPv6(int(found) >> 64 << 64))
        found = found.ipv4_mapped
    return None if found.is_loopback else str(found)


def openFileLimit() -> int | None:
    """
    Return the limit of open files of this process; C{None} if there is none.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def connectionLimitFor(descriptors: int) -> int:
    """
    Return the number of connections that a limit of open files allows. A quarter of the
    files is left for models and tools.
    """
    return max(1, descriptors - max(SPARE_DESCRIPTORS, descriptors // 4))
