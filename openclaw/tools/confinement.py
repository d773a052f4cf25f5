"""
Paths that stay in a workspace.

A path is walked a name at a time.  Each directory is opened below the one before,
never through a symbolic link, and held open until the end: whoever swaps a part of
the path for a link in between changes nothing, since no name is ever looked up
twice from the root.  Links are read and followed here, so that those that stay in
the workspace work and those that leave it don't; C{..} goes back to the directory
that was come from and not beyond the root.

A hard link can't be told from the file.  It can be read, which whoever made it
could do anyway; it is never written through, because files are replaced.

Imports nothing of ours and does blocking work: it belongs in a thread.
"""

import errno
import os
import stat
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MAX_PATH_BYTES = 4096
MAX_DEPTH = 64
"""
Limit of the depth of a path below the workspace; each level is an open file.
"""

MAX_LINKS = 40
"""
The symbolic links followed on the way, as many as Linux follows.
"""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK opening a pipe that nobody writes to would hang.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class PathRefused(Exception):
    """
    This path is not for the agent.  The message says why, for the model.
    """


@dataclass(frozen=True)
class PathTarget:
    """
    The location of something that is there, or can be made.

    @ivar directory: The descriptor of the open directory that holds it.
    @ivar name: Its name there, of no symbolic link; C{.} for the directory itself.
    @ivar root: The descriptor of the workspace.
    @ivar folders: The names on the way from the root to the directory.
    """

    directory: int
    name: str
    root: int
    folders: tuple[str, ...] = ()


class Workspace:
    """
    A directory that paths don't leave.
    """

    def __init__(self, root: Path) -> None:
        """
        @param root: The directory.  It may be reached through symbolic links.
        """
        self._root = root

    @contextmanager
    def target(self, path: str, *, makeParents: bool = False) -> Iterator[PathTarget]:
        """
        Find the directory entry of a path.  It need not exist, but what it is in must.

        @param path: Relative to the workspace, or absolute and in it.

        @param makeParents: Make the directories that are missing.

        @raise PathRefused: It is outside, or no path.

        @raise OSError: It can't be reached.
        """
        walk = _Walk(self._root, makeParents)
        try:
            yield walk.to(path)
        finally:
            walk.close()

    @contextmanager
    def directory(self, path: str) -> Iterator[int]:
        """
        Open a directory, and give its descriptor.  Raises as L{target}.
        """
        with self.target(path) as target:
            descriptor = os.open(target.name, _DIRECTORY, dir_fd=target.directory)
            try:
                yield descriptor
            finally:
                os.close(descriptor)

    def openFile(self, path: str) -> int:
        """
        Open a file for reading.  Raises as L{target}.

        @return: The descriptor of a regular file, to be closed by the caller.
        """
        with self.target(path) as target:
            return openRegular(target)


def openRegular(target: PathTarget) -> int:
    """
    Open a regular file for reading, and nothing else: opening a device can do
    things.

    @raise PathRefused: It is something else.
    """
    _mustBeRegular(os.stat(target.name, dir_fd=target.directory, follow_symlinks=False))
    descriptor = os.open(target.name, _FILE, dir_fd=target.directory)
    try:
        _mustBeRegular(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _mustBeRegular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise PathRefused("it is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise PathRefused("it is not a regular file")


class _Walk:
    """
    One way down from the root.

    @ivar _open: The descriptors from the root to where the walk is.
    @ivar _names: What is still to go.
    """

    def __init__(self, root: Path, makeParents: bool) -> None:
        self._root = root
        self._makeParents = makeParents
        self._names: deque[str] = deque()
        self._links = 0
        # The root is the operator's choice: links on the way to it are fine.
        self._open = [os.open(root, _DIRECTORY & ~os.O_NOFOLLOW)]
        self._entered: list[str] = []

    def close(self) -> None:
        """
        Close all that was opened.
        """
        while self._open:
            os.close(self._open.pop())

    def to(self, path: str) -> PathTarget:
        """
        Walk.
        """
        try:
            encoded = os.fsencode(path)
        except UnicodeEncodeError:
            raise PathRefused("it is not a valid path") from None
        if not path or b"\0" in encoded or len(encoded) > MAX_PATH_BYTES:
            raise PathRefused("it is not a valid path")
        self._goOn(path)
        while self._names:
            name = self._names.popleft()
            if name == "..":
                if len(self._open) == 1:
                    raise PathRefused("it is outside the workspace")
                os.close(self._open.pop())
                self._entered.pop()
            elif (target := self._linkTarget(name)) is not None:
                self._follow(target)
            elif not self._names:
                return self._placeOf(name)
            else:
                self._enter(name)
        # The path is the root, or it ended in "..".
        return self._placeOf(".")

    def _placeOf(self, name: str) -> PathTarget:
        return PathTarget(self._open[-1], name, self._open[0], tuple(self._entered))

    def _goOn(self, path: str) -> None:
        """
        Go a relative path from here, or an absolute one from the root.
        """
        if path.startswith("/"):
            path = self._fromRoot(path)
            while len(self._open) > 1:
                os.close(self._open.pop())
            self._entered.clear()
        names = [name for name in path.split("/") if name not in ("", ".")]
        self._names.extendleft(reversed(names))
        if len(self._names) > MAX_PATH_BYTES:
            raise PathRefused("it leads through too many symbolic links")

    def _fromRoot(self, path: str) -> str:
        for root in (str(self._root), os.path.realpath(self._root)):
            if path == root or path.startswith(root.rstrip("/") + "/"):
                return path[len(root.rstrip("/")) :]
        raise PathRefused("it is outside the workspace")

    def _linkTarget(self, name: str) -> str | None:
        try:
            return os.readlink(name, dir_fd=self._open[-1])
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno == errno.EINVAL:
                return None
            raise

    def _follow(self, target: str) -> None:
        self._links += 1
        if self._links > MAX_LINKS:
            raise PathRefused("it leads through too many symbolic links")
        self._goOn(target)

    def _enter(self, name: str) -> None:
        if len(self._open) > MAX_DEPTH:
            raise PathRefused("it is too deep below the workspace")
        if self._makeParents:
            try:
                os.mkdir(name, dir_fd=self._open[-1])
            except FileExistsError:
                pass
        # If it has become a link since it was looked at, this fails.
        self._open.append(os.open(name, _DIRECTORY, dir_fd=self._open[-1]))
        self._entered.append(name)
