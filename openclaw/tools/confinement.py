"""
Paths that stay within a workspace.

A path is walked one name at a time.  Each directory is opened relative to the previous
one, never through a symbolic link, and kept open until the end: replacing a part of the
path with a link meanwhile has no effect, since no name is looked up twice from the
root.  Links are read and followed here, so that those that stay in the workspace work
and those that leave it don't; C{..} returns to the directory that was walked through
before, and not beyond the root.

A hard link cannot be distinguished from the file.  It can be read, which its creator
could do anyway; it is never written through, because files are replaced.

Imports nothing of the project, and blocks: to be used in a thread.
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
Limit of directories below the workspace; each one on the way is an open file.
"""

MAX_LINKS = 40
"""
Limit of symbolic links followed in one path; the same as Linux's.
"""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK, opening a pipe that has no writer would block.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class PathRefused(Exception):
    """
    A path outside the workspace, or not of a regular file.  The message says why, for
    the model.
    """


@dataclass(frozen=True)
class PathTarget:
    """
    The directory entry of a path, which may not exist yet.

    @ivar directory: The descriptor of the open directory that contains it.
    @ivar name: Its name there, never that of a symbolic link; C{.} for the directory
        itself.
    @ivar root: The descriptor of the workspace.
    @ivar folders: The names from the root to the directory.
    """

    directory: int
    name: str
    root: int
    folders: tuple[str, ...] = ()


class Workspace:
    """
    A directory whose paths are confined to it.
    """

    def __init__(self, root: Path) -> None:
        """
        @param root: The directory.  It may be reached through symbolic links.
        """
        self._root = root

    @contextmanager
    def target(self, path: str, *, makeParents: bool = False) -> Iterator[PathTarget]:
        """
        Find the directory entry of a path.  The entry need not exist; its directory
        must.

        @param path: Relative to the workspace, or absolute and in it.
        @param makeParents: Create missing directories.
        @raise PathRefused: The path is outside the workspace, or not valid.
        @raise OSError: It cannot be reached.
        """
        walk = _Walk(self._root, makeParents)
        try:
            yield walk.resolve(path)
        finally:
            walk.close()

    @contextmanager
    def directory(self, path: str) -> Iterator[int]:
        """
        Open a directory and yield its descriptor.  Raises as L{target}.
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
    Open a regular file for reading.  Anything else is refused before it is opened,
    since opening a device can have effects.

    @raise PathRefused: It is not a regular file.
    """
    _checkRegular(os.stat(target.name, dir_fd=target.directory, follow_symlinks=False))
    descriptor = os.open(target.name, _FILE, dir_fd=target.directory)
    try:
        _checkRegular(os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _checkRegular(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise PathRefused("it is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise PathRefused("it is not a regular file")


class _Walk:
    """
    One walk from the root to a path.

    @ivar _open: The descriptors from the root to the current directory.
    @ivar _names: The names that remain.
    @ivar _entered: The names from the root to the current directory.
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
        while self._open:
            os.close(self._open.pop())

    def resolve(self, path: str) -> PathTarget:
        try:
            encoded = os.fsencode(path)
        except UnicodeEncodeError:
            raise PathRefused("it is not a valid path") from None
        if not path or b"\0" in encoded or len(encoded) > MAX_PATH_BYTES:
            raise PathRefused("it is not a valid path")
        self._pushNames(path)
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
                return self._targetAt(name)
            else:
                self._enter(name)
        # The path is the root, or it ended in "..".
        return self._targetAt(".")

    def _targetAt(self, name: str) -> PathTarget:
        return PathTarget(self._open[-1], name, self._open[0], tuple(self._entered))

    def _pushNames(self, path: str) -> None:
        """
        Add the names of a path before those that remain: a relative path continues from
        here, an absolute one from the root.
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
        self._pushNames(target)

    def _enter(self, name: str) -> None:
        if len(self._open) > MAX_DEPTH:
            raise PathRefused("it is too deep below the workspace")
        if self._makeParents:
            try:
                os.mkdir(name, dir_fd=self._open[-1])
            except FileExistsError:
                pass
        # This fails if it has become a link since it was checked.
        self._open.append(os.open(name, _DIRECTORY, dir_fd=self._open[-1]))
        self._entered.append(name)
