"""
Send the log of a worker to the daemon.
"""

import json
from collections.abc import Callable
from typing import Any

from msgspec import UNSET
from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
)
from zope.interface import implementer

from openclaw.log_formats import IStructured, jsonLine
from openclaw.workers.worker_messages import Logged

OWN_NAMESPACE = "openclaw"


@implementer(ILogObserver)
class LogForwarder:
    """
    Sends a worker's log events to the daemon: all of this package, and warnings and
    errors of others.
    """

    def __init__(self, send: Callable[[Logged], object], asJSON: bool = False) -> None:
        self.asJSON = asJSON
        self._send = send

    def __call__(self, event: LogEvent) -> None:
        level = event.get("log_level") or LogLevel.info
        namespace = event.get("log_namespace") or "-"
        if not namespace.startswith(OWN_NAMESPACE) and level < LogLevel.warn:
            return
        failure = event.get("log_failure")
        self._send(
            Logged(
                time=event.get("log_time", 0.0),
                level=level.name,
                namespace=namespace,
                text=formatEvent(event),
                fields=json.loads(jsonLine(event)) if self.asJSON else UNSET,
                traceback=UNSET if failure is None else failure.getTraceback(),
            )
        )


@implementer(IStructured)
class WorkerLogLine:
    """
    A log line of a worker in the daemon's log.
    """

    def __init__(self, number: int, entry: Logged) -> None:
        self._number = number
        self._entry = entry

    def __str__(self) -> str:
        entry = self._entry
        text = f"[worker {self._number}] {entry.text}"
        return text if entry.traceback is UNSET else f"{text}\n{entry.traceback}"

    def fields(self) -> dict[str, Any]:
        more = self._entry.fields
        return {
            "message": self._entry.text,
            **(more if isinstance(more, dict) else {}),
            "worker": self._number,
        }


def workerLogEvent(number: int, entry: Logged) -> LogEvent:
    return {
        "log_time": entry.time,
        "log_level": LogLevel.levelWithName(entry.level),
        "log_namespace": entry.namespace,
        "log_format": "{line}",
        "line": WorkerLogLine(number, entry),
    }
