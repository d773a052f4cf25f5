"""
The contract of L{openclaw.interfaces.IModelCall}, as far as every call keeps it alone.
"""

from zope.interface.verify import verifyObject

from openclaw.errors import RunCancelled
from openclaw.interfaces import IModelCall
from openclaw.messages import NO_USAGE


class ModelCallContract:
    """
    To be mixed into a test case: the promises of every L{IModelCall}.
    """

    def makeCall(self) -> IModelCall:
        """
        Make a call that has not been answered.
        """
        raise NotImplementedError

    def test_interface(self) -> None:
        """
        It has all that the interface declares.
        """
        self.assertTrue(verifyObject(IModelCall, self.makeCall()))

    def test_cancel(self) -> None:
        """
        Cancelling ends it at once and for good, and what was spent is known even then.
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
        A reader may become slow or quick when all is over.
        """
        call = self.makeCall()
        call.stopProducing()
        self.failureResultOf(call.done, RunCancelled)
        call.pauseProducing()
        call.resumeProducing()


__all__ = ["ModelCallContract"]
