"""
The audit log: rejected credentials, changes of named tokens, and tool calls.

Its lines are part of the daemon's log at any C{logging.level}, in the namespace
L{NAMESPACE}.  With C{logging.auditFile}, a separate file has them, too.
"""

import os
from pathlib import Path
from typing import BinaryIO

from twisted.logger import ILogObserver, LogEvent, Logger, formatEvent, formatTime
from zope.interface import implementer

from openclaw.errors import StartError
from openclaw.log_formats import jsonLine

NAMESPACE = "openclaw.audit"


def auditLogger(log: Logger) -> Logger:
    return Logger(namespace=NAMESPACE, observer=log.observer)


@implementer(ILogObserver)
class AuditFile:
    """
    An observer that appends audit lines to a file.  It reopens the file after it was
    renamed or removed, as by logrotate.
    """

    def __init__(self, path: Path, *, asJSON: bool) -> None:
        """
        @raise StartError: The file can't be written.
        """
        self._path = path
        self._asJSON = asJSON
        self._file: BinaryIO | None = None
        try:
            self._open()
        except OSError as error:
            raise StartError(
                f"The audit file {path} can't be written: {error.strerror}."
            ) from None

    def __call__(self, event: LogEvent) -> None:
        """
        Write the event, if it is an audit line.
        """
        if event.get("log_namespace") != NAMESPACE:
            return
        if self._asJSON:
            line = jsonLine(event)
        else:
            text = formatEvent(event).replace("\n", " ")
            line = f"{formatTime(event.get('log_time'))} {text}\n"
        try:
            self._open().write(line.encode("utf-8", "backslashreplace"))
        except OSError:
            # The daemon's own log has the line.
            self.close()

    def _open(self) -> BinaryIO:
        if self._file is not None:
            try:
                there, ours = os.stat(self._path), os.fstat(self._file.fileno())
            except FileNotFoundError:
                pass
            else:
                if os.path.samestat(there, ours):
                    return self._file
            self.close()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(self._path, flags, 0o600)
        self._file = os.fdopen(descriptor, "ab", buffering=0)
        return self._file

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
