"""
Replacing files of a workspace.  Sizes are bounded.

Blocks: to be used in a thread.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Event

from openclaw.interfaces import ToolError
from openclaw.net.threads import checkStop
from openclaw.tools.confinement import PathRefused, PathTarget, openRegular
from openclaw.tools.temporary import temporaryFile

MAX_EDIT_BYTES = 8 * 1024 * 1024
"""
Limit of the size of a file that is edited or written.
"""

_NOT_REPLACEABLE = frozenset(
    # A mount of its own, a directory without permission, an owner of another's.
    {errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS}
)
_OVERWRITTEN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Sync = Callable[[int], None]
"""
Flushes what was written to a descriptor to the disk.
"""


@contextmanager
def toolErrorsFor(path: str) -> Iterator[None]:
    """
    Convert the errors of a path to messages for the model.

    @raise ToolError: In place of L{PathRefused} and L{OSError}.
    """
    try:
        yield
    except PathRefused as refused:
        raise ToolError(f"{path}: {refused}") from None
    except OSError as error:
        raise ToolError(f"{path}: {error.strerror or 'it failed'}") from None


def readWhole(target: PathTarget, path: str) -> bytes:
    """
    Read a whole file for editing.

    @raise ToolError: The file is larger than L{MAX_EDIT_BYTES}.
    """
    with open(openRegular(target), "rb") as file:
        data = file.read(MAX_EDIT_BYTES + 1)
    if len(data) > MAX_EDIT_BYTES:
        raise ToolError(f"{path}: it is too large to be edited here")
    return data


@dataclass(frozen=True)
class Replaced:
    """
    The way in which a file was replaced.

    @ivar new: There was no such file.
    @ivar parted: It had further hard links, which keep the old contents.
    @ivar inPlace: It was not replaced atomically, but overwritten.
    """

    new: bool
    parted: bool = False
    inPlace: bool = False

    def __str__(self) -> str:
        """
        Return a note for the model, or nothing.
        """
        if self.parted:
            return " Its other hard links keep the old contents."
        return " It was overwritten in place." if self.inPlace else ""


def replaceFile(
    target: PathTarget, data: bytes, stop: Event, sync: Sync = os.fsync
) -> Replaced:
    """
    Replace the contents of a file atomically: a reader sees the old or the new
    contents, also after a crash of the machine.  The owner, the group, the mode, the
    access list and the other extended attributes stay.  A file that can't be replaced
    so, such as one that is a mount of its own, is overwritten.

    @raise PathRefused: The path is not of a regular file.
    @raise Stopped: It was stopped before anything was changed.
    @raise ToolError: The data is larger than L{MAX_EDIT_BYTES}.
    """
    if len(data) > MAX_EDIT_BYTES:
        raise ToolError(
            f"{len(data)} bytes are more than the limit of {MAX_EDIT_BYTES}"
        )
    status = _statOf(target)
    try:
        _replaceAtomically(target, data, status, stop, sync)
    except OSError as error:
        if status is None or error.errno not in _NOT_REPLACEABLE:
            raise
        if status.st_nlink > 1:
            # The other names may be outside of the workspace.
            raise PathRefused(
                "it has other hard links, and can't be replaced"
            ) from error
        checkStop(stop)
        _overwrite(target, data, status, sync)
        return Replaced(new=False, inPlace=True)
    return Replaced(
        new=status is None, parted=status is not None and status.st_nlink > 1
    )


def _statOf(target: PathTarget) -> os.stat_result | None:
    """
    @raise PathRefused: It is not a regular file.
    """
    try:
        status = os.stat(target.name, dir_fd=target.directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(status.st_mode):
        raise PathRefused("it is not a regular file")
    return status


def _replaceAtomically(
    target: PathTarget,
    data: bytes,
    status: os.stat_result | None,
    stop: Event,
    sync: Sync,
) -> None:
    """
    @param status: That of the old file.
    @raise OSError: Also if something of the old file can't be kept.
    """
    with temporaryFile(target) as (temporary, descriptor):
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        if status is not None:
            new = os.fstat(descriptor)
            if (new.st_uid, new.st_gid) != (status.st_uid, status.st_gid):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            _copyAttributes(target, descriptor)
            # Last, since a change of the owner clears bits of the mode.
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
        sync(descriptor)
        checkStop(stop)
        os.rename(
            temporary,
            target.name,
            src_dir_fd=target.directory,
            dst_dir_fd=target.directory,
        )


def _copyAttributes(target: PathTarget, descriptor: int) -> None:
    """
    Give a file the extended attributes of another, which include its access list, and
    no others.

    @raise OSError: An attribute of a user can't be kept.  Those of the system may be
        reserved to the superuser.
    """
    if not hasattr(os, "listxattr"):
        return
    path = f"/proc/self/fd/{target.directory}/{target.name}"
    try:
        names = os.listxattr(path, follow_symlinks=False)
        inherited = set(os.listxattr(descriptor)) - set(names)
    except OSError:
        # The file system has no attributes.
        return
    for name in inherited:
        with suppress(OSError):
            os.removexattr(descriptor, name)
    for name in names:
        try:
            value = os.getxattr(path, name, follow_symlinks=False)
            os.setxattr(descriptor, name, value)
        except OSError as error:
            if name.startswith(("user.", "system.")):
                raise OSError(errno.EPERM, f"{name} can't be kept") from error


def _overwrite(
    target: PathTarget, data: bytes, status: os.stat_result, sync: Sync
) -> None:
    """
    Overwrite a file; restore it if that fails.

    @param status: That of the file, to which it has the only name.
    """
    descriptor = os.open(target.name, _OVERWRITTEN, dir_fd=target.directory)
    try:
        current = os.fstat(descriptor)
        if current.st_nlink > 1 or not os.path.samestat(current, status):
            raise PathRefused("it was replaced meanwhile")
        if current.st_size > MAX_EDIT_BYTES:
            raise PathRefused("it is too large to be overwritten")
        old = os.pread(descriptor, MAX_EDIT_BYTES, 0)
        try:
            _writeAll(descriptor, data)
            sync(descriptor)
        except OSError:
            with suppress(OSError):
                _writeAll(descriptor, old)
            raise
    finally:
        os.close(descriptor)


def _writeAll(descriptor: int, data: bytes) -> None:
    view, written = memoryview(data), 0
    while written < len(view):
        written += os.pwrite(descriptor, view[written:], written)
    os.ftruncate(descriptor, len(data))
