"""
The daemon's log as JSON: one object per line.

As text it is Twisted's own; so are the choices between a file, standard output and
syslog, which hold for both.
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
Keys that Twisted's older log adds to events, and those with a place of their own here.
"""


class IStructured(Interface):
    """
    A field of an event that is several, once it is written as JSON.
    """

    def fields() -> dict[str, Any]:
        """
        Their names and values, of JSON's types; C{message} stands for the event's own.
        """


def jsonLine(event: LogEvent) -> str:
    """
    One event as one line: time, level, namespace, message, the fields that it was
    logged with, and the traceback of a failure.
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
            value = str(value)  # JSON has no word for it.
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
    # Characters beyond ASCII are escaped: any terminal and any reader can take that.
    return json.dumps(line) + "\n"


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


@implementer(ILogObserver)
class SyslogLines:
    """
    Writes such lines to syslog, each with the priority of its level.
    """

    def __init__(self, write: Callable[[int, str], object] = syslog.syslog) -> None:
        """
        @param write: Takes a priority and a line.
        """
        self._write = write

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level")
        priority = PRIORITIES.get(level, syslog.LOG_INFO)
        # A zero byte can't be in there: JSON escapes it.
        self._write(priority, jsonLine(event).rstrip("\n"))


def jsonObserver(twistd: Mapping[str, Any], reactor: Any) -> ILogObserver | None:
    """
    Return the observer that writes the log as JSON where twistd would write it as text.

    @param twistd: twistd's own options.

    @return: C{None} where that is not for us to say: the options name a logger of
        their own, or are wrong.
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
        # As twistd does it for its own.
        signal.signal(
            signal.SIGUSR1, lambda number, frame: reactor.callFromThread(file.rotate)
        )
    return FileLogObserver(file, jsonLine)
