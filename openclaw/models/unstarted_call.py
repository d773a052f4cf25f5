"""
Calls that are made later, or never.
"""

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from openclaw.errors import OpenClawError, RunCancelled
from openclaw.interfaces import IModelCall, ModelReply
from openclaw.messages import NO_USAGE, Usage


@implementer(IModelCall)
class UnstartedCall:
    """
    A proxy of a call that is made later.  Pausing and cancelling apply to that call, or
    are remembered until then.
    """

    def __init__(self) -> None:
        self.done: Deferred[ModelReply] = Deferred(lambda _: self.cancel())
        self._call: IModelCall | None = None
        self._paused = False

    @property
    def usage(self) -> Usage:
        return NO_USAGE if self._call is None else self._call.usage

    @property
    def ignoredParams(self) -> Sequence[str]:
        """
        Return the ignored fields, which are known once the call is made.
        """
        return () if self._call is None else self._call.ignoredParams

    def startWith(self, makeCall: Callable[[], IModelCall]) -> None:
        try:
            self._call = call = makeCall()
        except Exception:
            # A bug, which must not affect the calls that wait after this one.
            self.done.errback()
            return
        if self._paused:
            call.pauseProducing()
        call.done.chainDeferred(self.done)

    def fail(self, error: OpenClawError) -> None:
        if not self.done.called:
            self.done.errback(error)

    def cancel(self) -> None:
        if self._call is not None:
            self._call.cancel()
        else:
            self.fail(RunCancelled("The call was cancelled."))

    def pauseProducing(self) -> None:
        self._paused = True
        if self._call is not None:
            self._call.pauseProducing()

    def resumeProducing(self) -> None:
        self._paused = False
        if self._call is not None:
            self._call.resumeProducing()

    def stopProducing(self) -> None:
        self.cancel()


@implementer(IModelCall)
class FailedCall:
    """
    A call that was never made.
    """

    usage: Usage = NO_USAGE
    ignoredParams: Sequence[str] = ()

    def __init__(self, error: OpenClawError) -> None:
        self.done: Deferred[ModelReply] = fail(error)

    def cancel(self) -> None:
        """
        Do nothing.
        """

    def pauseProducing(self) -> None:
        """
        Do nothing.
        """

    def resumeProducing(self) -> None:
        """
        Do nothing.
        """

    def stopProducing(self) -> None:
        """
        Do nothing.
        """
