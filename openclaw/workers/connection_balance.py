"""
Connections of each worker, for all of them to see.

The system wakes all workers for each connection that comes, and the quickest takes it;
left to themselves, one of them can have all.  So each leaves connections to those who
have less.
"""

import mmap
import os
from collections.abc import Sized
from pathlib import Path
from struct import Struct

_COUNT = Struct("=I")
ABSENT = 0xFFFFFFFF
"""
The count of a worker that takes no connections.
"""


class ConnectionBalance:
    """
    A piece of memory that all workers share: a count for each.

    @ivar connections: Our own.
    """

    def __init__(self, path: Path, number: int, count: int) -> None:
        """
        @param path: The file that is this memory, see L{prepare}.

        @param number: Our own number.

        @param count: How many there are.
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

    def othersHaveLess(self) -> bool:
        """
        Say how many we have, and look whether another has less.
        """
        memory, own = self._memory, len(self.connections)
        _COUNT.pack_into(memory, self._offset, own)
        for offset in self._others:
            if _COUNT.unpack_from(memory, offset)[0] < own:
                return True
        return False

    def leave(self, number: int | None = None) -> None:
        """
        Let nothing be left to a worker any more.

        @param number: Whose; by default our own.
        """
        offset = self._offset if number is None else number * _COUNT.size
        _COUNT.pack_into(self._memory, offset, ABSENT)


def loadsOf(folder: Path) -> Path:
    """
    Return the path of the file in the workers' directory.
    """
    return folder / "loads"


def prepare(path: Path, count: int) -> ConnectionBalance:
    """
    Make the file, with all workers absent.

    @return: For who is none of them.
    """
    path.write_bytes(_COUNT.pack(ABSENT) * count)
    return ConnectionBalance(path, 0, count)
