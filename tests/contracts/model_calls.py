"""
The contract of L{openclaw.interfaces.IModelCall}, without the parts that depend on the
provider.
"""

from zope.interface.verify import verifyObject

from openclaw.errors import RunCancelled
from openclaw.interfaces import IModelCall
from openclaw.messages import NO_USAGE


class ModelCallContract:
    """
    A mixin for test cases: the contract of every L{IModelCall}.
    """

    def makeCall(self) -> IModelCall:
        """
        Make a call without a reply.
        """
        raise NotImplementedError

    def test_interface(self) -> None:
        """
        The call provides the interface.
        """
        self.assertTrue(verifyObject(IModelCall, self.makeCall()))

    def test_cancel(self) -> None:
        """
        Cancelling ends the call immediately, and the usage is known afterwards.
        """
        call = self.makeCall()
        self.assertEqual(call.usage, NO_USAGE)
        call.cancel()
        self.failureResultOf(call.done, RunCancelled)
        call.cancel()
        call.stopProducing()
        self.assertEqual(call.usage, NO_USAGE)

    def test_pauseAfterTheEnd(self) -> None:
        """
        Pausing and resuming after the end do nothing.
        """
        call = self.makeCall()
        call.stopProducing()
        self.failureResultOf(call.done, RunCancelled)
        call.pauseProducing()
        call.resumeProducing()


__all__ = ["ModelCallContract"]
