"""
Tests of L{openclaw.net.listening}.
"""

from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from twisted.internet.endpoints import quoteStringArgument
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from openclaw.errors import StartError
from openclaw.net.listening import BACKLOG, parseEndpoint
from tests.integration.certificates import writeCertificate


class EndpointStringTests(SynchronousTestCase):
    """
    Endpoint strings are parsed.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactor()

    def backlogOf(self, description: str) -> int:
        """
        Return the backlog of the port.
        """
        name, endpoint = parseEndpoint(description, self.reactor)
        self.assertEqual(name, description)
        self.successResultOf(endpoint.listen(Factory()))
        listening = self.reactor.tcpServers or self.reactor.unixServers
        return int(listening[-1][2])

    def test_backlog(self) -> None:
        """
        The default backlog is large for every kind of TCP port.
        """
        for description in ("tcp:80", "tcp:80:interface=127.0.0.1", "tcp6:80"):
            self.assertEqual(self.backlogOf(description), BACKLOG)

    def test_backlogOfSocketFile(self) -> None:
        """
        It is large for UNIX sockets, too.
        """
        self.assertEqual(self.backlogOf("unix:/run/openclaw.sock"), BACKLOG)

    def test_backlogGiven(self) -> None:
        """
        An explicit backlog takes precedence.
        """
        self.assertEqual(self.backlogOf("tcp:80:backlog=7"), 7)

    def test_nonsense(self) -> None:
        """
        The error message quotes the string.
        """
        with self.assertRaises(StartError) as caught:
            parseEndpoint("tcp:eighty", self.reactor)
        self.assertIn("'tcp:eighty'", caught.exception.message)


class KeyTests(SynchronousTestCase):
    """
    Private keys of endpoint strings are checked.
    """

    def test_passPhrase(self) -> None:
        """
        A key with a pass phrase is refused, also behind a wrapper and with escaped
        characters: OpenSSL would ask on the terminal.
        """
        folder = Path(self.mktemp()) / "a:b"
        folder.mkdir(parents=True)
        cert, key = writeCertificate(folder)
        loaded = load_pem_private_key(key.read_bytes(), None)
        locked = folder / "locked.pem"
        locked.write_bytes(
            loaded.private_bytes(
                Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
            )
        )
        for prefix in ("ssl:0", "haproxy:ssl:0"):
            for path in (key, locked):
                names = [quoteStringArgument(str(each)) for each in (path, cert)]
                description = f"{prefix}:privateKey={names[0]}:certKey={names[1]}"
                if path is key:
                    parseEndpoint(description, MemoryReactor())
                else:
                    with self.assertRaises(StartError) as caught:
                        parseEndpoint(description, MemoryReactor())
                    self.assertIn("has a pass phrase", caught.exception.message)
