"""
Timers that a change of the machine's clock does not move.

Twisted's reactors take C{time.time} for their timers.  When the clock is set back by
an hour, a run that may take four seconds would go on for an hour; when it is set
forward, all runs would end at once.
"""

from time import monotonic
from typing import Any


def useMonotonicTime(reactor: Any) -> None:
    """
    Let a reactor's timers follow the monotonic clock.

    From then on C{reactor.seconds()} is good for differences only; what needs the
    time of day asks L{time.time}.  It is for the start of a process that is all ours:
    timers that are set already would not come out right.

    @param reactor: A L{twisted.internet.base.ReactorBase}: C{callLater} and the timers
        that it makes ask the instance's C{seconds}.
    """
    reactor.seconds = monotonic
