"""
The log of a worker, which is a part of the daemon's.
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

OURS = "openclaw"


@implementer(ILogObserver)
class LogForwarder:
    """
    Sends a worker's log to the daemon: all of ours, and what of others' is alarming.
    """

    def __init__(self, send: Callable[[Logged], object], asJSON: bool = False) -> None:
        self.asJSON = asJSON
        self._send = send

    def __call__(self, event: LogEvent) -> None:
        """
        See L{ILogObserver}.
        """
        level = event.get("log_level") or LogLevel.info
        namespace = event.get("log_namespace") or "-"
        if not namespace.startswith(OURS) and level < LogLevel.warn:
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
class WorkersLine:
    """
    A log line of a worker, as the daemon writes it.
    """

    def __init__(self, number: int, said: Logged) -> None:
        self._number = number
        self._said = said

    def __str__(self) -> str:
        said = self._said
        text = f"[worker {self._number}] {said.text}"
        return text if said.traceback is UNSET else f"{text}\n{said.traceback}"

    def fields(self) -> dict[str, Any]:
        """
        See L{IStructured.fields}.
        """
        more = self._said.fields
        return {
            "message": self._said.text,
            **(more if isinstance(more, dict) else {}),
            "worker": self._number,
        }


def eventOf(number: int, said: Logged) -> LogEvent:
    """
    A worker's line as an event.
    """
    return {
        "log_time": said.time,
        "log_level": LogLevel.levelWithName(said.level),
        "log_namespace": said.namespace,
        "log_format": "{line}",
        "line": WorkersLine(number, said),
    }
