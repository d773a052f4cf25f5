"""
The daemon's log as JSON: one object per line.

Twisted itself writes the log as text.  Its options for a file, standard output and
syslog apply to both formats.
"""

import json
import signal
import sys
import syslog
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import isfinite
from pathlib import PurePath
from typing import Any

from twisted.logger import (
    FileLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
)
from twisted.python.logfile import LogFile
from twisted.python.syslog import DEFAULT_FACILITY, DEFAULT_OPTIONS
from zope.interface import Interface, implementer

PRIORITIES = {
    LogLevel.debug: syslog.LOG_DEBUG,
    LogLevel.info: syslog.LOG_INFO,
    LogLevel.warn: syslog.LOG_WARNING,
    LogLevel.error: syslog.LOG_ERR,
    LogLevel.critical: syslog.LOG_CRIT,
}

LEGACY = frozenset(
    {"format", "isError", "logLevel", "message", "system", "time", "why"}
)
"""
Keys that C{twisted.python.log} adds to events, and those of L{jsonLine} itself.
"""


class IStructured(Interface):
    """
    A value of an event that becomes several fields of a JSON line.
    """

    def fields() -> dict[str, Any]:
        """
        Return the fields' names and values, of JSON's types.  C{message} replaces the
        event's message.
        """


def jsonLine(event: LogEvent) -> str:
    """
    Format an event as one line: time, level, namespace, message, the event's fields,
    and the traceback of a failure.
    """
    level = event.get("log_level")
    line: dict[str, Any] = {
        "time": _time(event.get("log_time")),
        "level": level.name if level is not None else None,
        "namespace": event.get("log_namespace"),
        "message": None,
    }
    for name, value in event.items():
        if name.startswith("log_") or name in LEGACY:
            continue
        if isinstance(value, float) and not isfinite(value):
            value = str(value)  # JSON can't express it.
        if value is None or isinstance(value, str | int | float):
            line.setdefault(name, value)
        elif IStructured.providedBy(value):
            line.update(value.fields())
        elif isinstance(value, PurePath):
            line.setdefault(name, str(value))
    if line["message"] is None:
        line["message"] = formatEvent(event)
    failure = event.get("log_failure")
    if failure is not None:
        line["traceback"] = failure.getTraceback()
    # Characters beyond ASCII are escaped, for any terminal and any reader.
    return json.dumps(line) + "\n"


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


@implementer(ILogObserver)
class SyslogLines:
    """
    An observer that writes JSON lines to syslog, with the priority of their level.
    """

    def __init__(self, write: Callable[[int, str], object] = syslog.syslog) -> None:
        """
        @param write: Called with a priority and a line.
        """
        self._write = write

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level")
        priority = PRIORITIES.get(level, syslog.LOG_INFO)
        # The line has no zero byte: JSON escapes it.
        self._write(priority, jsonLine(event).rstrip("\n"))


def jsonObserver(twistd: Mapping[str, Any], reactor: Any) -> ILogObserver | None:
    """
    Return an observer that writes the log as JSON to the destination of twistd's
    options.

    @param twistd: twistd's own options.

    @return: C{None} if the options name another logger, or are invalid.
    """
    name = twistd.get("logfile")
    if twistd.get("logger") or "nodaemon" not in twistd:
        return None
    if twistd.get("syslog"):
        syslog.openlog(twistd.get("prefix") or "", DEFAULT_OPTIONS, DEFAULT_FACILITY)
        return SyslogLines()
    if twistd["nodaemon"] and name in (None, "", "-"):
        return FileLogObserver(sys.stdout, jsonLine)
    if name == "-":
        return None
    file = LogFile.fromFullPath(name or "twistd.log")
    if not signal.getsignal(signal.SIGUSR1):
        # As twistd does for its own log file.
        signal.signal(
            signal.SIGUSR1, lambda number, frame: reactor.callFromThread(file.rotate)
        )
    return FileLogObserver(file, jsonLine)
