"""
Tests of L{openclaw.listening}.
"""

from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import StartError
from openclaw.listening import BACKLOG, endpointFrom


class EndpointStringTests(SynchronousTestCase):
    """
    An operator says in Twisted's words where to listen.
    """

    def setUp(self) -> None:
        """
        Have a reactor that notes who listens.
        """
        self.reactor = MemoryReactor()

    def backlogOf(self, description: str) -> int:
        """
        How many connections may wait there.
        """
        name, endpoint = endpointFrom(description, self.reactor)
        self.assertEqual(name, description)
        self.successResultOf(endpoint.listen(Factory()))
        listening = self.reactor.tcpServers or self.reactor.unixServers
        return int(listening[-1][2])

    def test_backlog(self) -> None:
        """
        Of callers who come together many can wait, whatever the kind of port.
        """
        for description in ("tcp:80", "tcp:80:interface=127.0.0.1", "tcp6:80"):
            self.assertEqual(self.backlogOf(description), BACKLOG)

    def test_backlogOfSocketFile(self) -> None:
        """
        Also at a socket in the file system.
        """
        self.assertEqual(self.backlogOf("unix:/run/openclaw.sock"), BACKLOG)

    def test_backlogGiven(self) -> None:
        """
        Who names a number gets that.
        """
        self.assertEqual(self.backlogOf("tcp:80:backlog=7"), 7)

    def test_nonsense(self) -> None:
        """
        What makes no sense is said in the operator's own words.
        """
        with self.assertRaises(StartError) as caught:
            endpointFrom("tcp:eighty", self.reactor)
        self.assertIn("'tcp:eighty'", caught.exception.message)


__all__ = ["EndpointStringTests"]
