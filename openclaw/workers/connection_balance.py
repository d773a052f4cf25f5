"""
Share the numbers of connections among workers.

The system wakes all workers for each new connection, and the quickest accepts it; one
of them could get all.  So each worker leaves connections to those that have fewer.
"""

import mmap
import os
from collections.abc import Sized
from pathlib import Path
from struct import Struct

_COUNT = Struct("=I")
CLOSED = 0xFFFFFFFF
"""
The count of a worker that accepts no connections.
"""


class ConnectionBalance:
    """
    The numbers of connections of all workers, in shared memory.

    @ivar connections: This worker's connections.
    """

    def __init__(self, path: Path, number: int, count: int) -> None:
        """
        @param path: The file to map, see L{createLoadFile}.
        @param number: This worker's number.
        @param count: The number of workers.
        """
        self._offset = number * _COUNT.size
        self._others = [
            other * _COUNT.size for other in range(count) if other != number
        ]
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._memory = mmap.mmap(descriptor, count * _COUNT.size)
        finally:
            os.close(descriptor)
        self.connections: Sized = ()

    def shouldDefer(self) -> bool:
        """
        Publish this worker's count, and return whether another worker has fewer.
        """
        memory, own = self._memory, len(self.connections)
        _COUNT.pack_into(memory, self._offset, own)
        for offset in self._others:
            if _COUNT.unpack_from(memory, offset)[0] < own:
                return True
        return False

    def markClosed(self, number: int | None = None) -> None:
        """
        Mark a worker as accepting no connections.

        @param number: The worker's number; by default this one's.
        """
        offset = self._offset if number is None else number * _COUNT.size
        _COUNT.pack_into(self._memory, offset, CLOSED)


def loadFile(folder: Path) -> Path:
    return folder / "loads"


def createLoadFile(path: Path, count: int) -> ConnectionBalance:
    """
    Create the file, with all workers marked as closed.

    @return: The daemon's view, whose own count is not used.
    """
    path.write_bytes(_COUNT.pack(CLOSED) * count)
    return ConnectionBalance(path, 0, count)
