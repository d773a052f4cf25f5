"""
Timers that do not depend on the system clock.

Twisted's reactors use C{time.time} for their timers.  If the clock is set back by an
hour, a run with a limit of four seconds could go on for an hour; if it is set forward,
all runs would end at once.
"""

from time import monotonic
from typing import Any


def useMonotonicTime(reactor: Any) -> None:
    """
    Make a reactor's timers follow the monotonic clock.

    C{reactor.seconds()} then serves for differences only; the time of day comes from
    L{time.time}.  To be called at the start of a process, since timers that are set
    already would be wrong.

    @param reactor: A L{twisted.internet.base.ReactorBase}: C{callLater} and its timers
        call the instance's C{seconds}.
    """
    reactor.seconds = monotonic
