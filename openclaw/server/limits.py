"""
Limits of one process: bytes of bodies, and connections.
"""

import resource
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Address as IPv6
from ipaddress import ip_address

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

from openclaw.net.fair_semaphore import fits

SPARE_DESCRIPTORS = 64
"""
The file descriptors that are never given to callers: those of the daemon itself.
"""


class FairBudget:
    """
    An amount that nobody waits for, such as the bytes of bodies, shared fairly among
    callers; see L{openclaw.net.fair_semaphore.fits}.

    @ivar held: What all callers hold.
    """

    def __init__(self, most: Callable[[], int]) -> None:
        """
        @param most: Tells the limit for all together.
        """
        self._most = most
        self.held = 0
        self._holds: Counter[str] = Counter()

    def take(self, caller: str, count: int, own: int = 0) -> bool:
        """
        Charge a caller for more.

        @param own: The bytes of the same body that were charged before: the only body
            of a caller may take all that is free.

        @return: False if there is no room; then nothing is charged.
        """
        others = self._holds.get(caller, 0) - own
        if not fits(others, own + count, self._most() - self.held + own):
            return False
        self._holds[caller] += count
        self.held += count
        return True

    def giveBack(self, caller: str, count: int) -> None:
        """
        Release what a caller was charged for.
        """
        self.held -= count
        self._holds[caller] -= count
        if not self._holds[caller]:
            del self._holds[caller]


class ConnectionCounts:
    """
    Connections by remote address. Addresses without any take no room.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __getitem__(self, origin: str | None) -> int:
        return 0 if origin is None else self._counts[origin]

    def __len__(self) -> int:
        return len(self._counts)

    def enter(self, origin: str | None) -> None:
        """
        One more from there.
        """
        if origin is not None:
            self._counts[origin] += 1

    def leave(self, origin: str | None) -> None:
        """
        One less.
        """
        if origin is not None:
            self._counts[origin] -= 1
            if not self._counts[origin]:
                del self._counts[origin]


def addressBlock(address: IAddress) -> str | None:
    """
    Return the key that connections from an address are counted under. A host with IPv6
    has a whole network of 64 bits to call from, so that counts as one.

    @return: C{None} for this machine itself, which is not counted.
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


def descriptorLimit() -> int | None:
    """
    Return the limit of open files of this process; C{None} for any number.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft


def affordable(descriptors: int) -> int:
    """
    Return the connections that a process can afford with so many files: each run needs
    some for its model and its tools, so a quarter is left to them.
    """
    return max(1, descriptors - max(SPARE_DESCRIPTORS, descriptors // 4))
