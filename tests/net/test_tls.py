"""
Tests of L{openclaw.net.tls}: renewed certificates.
"""

import os
from contextlib import contextmanager
from pathlib import Path
from sys import addaudithook

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.ssl import Certificate
from twisted.internet.task import Clock
from twisted.logger import Logger, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from openclaw.errors import StartError
from openclaw.net.tls import CHECK_SECONDS, RenewableCertificate, serverContext
from tests.integration.certificates import writeCertificate


@contextmanager
def forbiddenTerminal(case):
    """
    Fail if the terminal is opened, as OpenSSL does to ask for a pass phrase.
    """
    opened = []

    def hook(event, arguments):
        if event == "open" and arguments[0] in ("/dev/tty", b"/dev/tty"):
            opened.append(arguments)

    addaudithook(hook)
    yield
    case.assertEqual(opened, [])


class RenewedCertificateTests(SynchronousTestCase):
    """
    New connections get the renewed certificate.
    """

    def setUp(self):
        self.folder = Path(self.mktemp())
        self.others = [self.folder / name for name in ("second", "third")]
        for other in self.others:
            other.mkdir(parents=True)
            writeCertificate(other)
        self.cert, self.key = writeCertificate(self.folder)
        self.first = self.cert.read_bytes()
        self.clock, self.logged = Clock(), []
        self.certificate = RenewableCertificate(
            self.cert, self.key, self.clock, Logger(observer=self.logged.append)
        )

    def renew(self, other, *names):
        """
        Replace the files.
        """
        for name in names or ("cert.pem", "key.pem"):
            (other / name).replace(self.folder / name)

    def shown(self):
        """
        Return the certificate of the next connection.
        """
        connection = self.certificate.serverConnectionForTLS(None)
        shown = Certificate(connection.get_certificate())
        return shown.dumpPEM()

    def test_interface(self):
        """
        It provides its interface.
        """
        verifyObject(IOpenSSLServerConnectionCreator, self.certificate)

    def test_soon(self):
        """
        The files are checked at a new connection, but not at each.
        """
        self.clock.advance(CHECK_SECONDS)
        self.assertEqual(self.shown(), self.first)
        self.renew(self.others[0])
        self.clock.advance(CHECK_SECONDS - 1)
        self.assertEqual(self.shown(), self.first)
        self.clock.advance(1)
        self.assertEqual(self.shown(), self.cert.read_bytes())
        self.assertIn("is in use", formatEvent(self.logged[0]))

    def test_atOnce(self):
        """
        An explicit reload does not wait.
        """
        self.renew(self.others[0])
        self.certificate.renew()
        self.assertEqual(self.shown(), self.cert.read_bytes())
        self.assertNotEqual(self.shown(), self.first)

    def test_broken(self):
        """
        Unusable files change nothing and are logged once; once repaired, they are used.
        """
        self.cert.write_bytes(b"no certificate")
        for _ in range(3):
            self.clock.advance(CHECK_SECONDS)
            self.assertEqual(self.shown(), self.first)
        [event] = self.logged
        self.assertIn("the old one stays", formatEvent(event))
        self.renew(self.others[0])
        self.clock.advance(CHECK_SECONDS)
        self.assertEqual(self.shown(), self.cert.read_bytes())

    def lock(self, key):
        """
        Encrypt a key with a pass phrase.
        """
        loaded = load_pem_private_key(key.read_bytes(), None)
        for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
            yield loaded.private_bytes(
                Encoding.PEM, form, BestAvailableEncryption(b"pass phrase")
            )

    def test_passPhrase(self):
        """
        A renewed key with a pass phrase is refused without a prompt.
        """
        locked = list(self.lock(self.others[0] / "key.pem"))
        self.renew(self.others[0], "cert.pem")
        self.assertTrue(locked)
        for pem in locked:
            self.key.write_bytes(pem)
            with forbiddenTerminal(self):
                self.certificate.renew()
            self.assertEqual(self.shown(), self.first)
            self.assertIn("has a pass phrase", formatEvent(self.logged.pop()))

    def test_passPhraseAtTheStart(self):
        """
        At the start it is an error that says what to do.
        """
        locked = list(self.lock(self.key))
        self.assertTrue(locked)
        for pem in locked:
            self.key.write_bytes(pem)
            with forbiddenTerminal(self), self.assertRaises(StartError) as caught:
                serverContext(self.cert, self.key)
            self.assertIn("openssl pkey", caught.exception.message)

    def test_expired(self):
        """
        A renewed certificate that has expired is used, with a warning.
        """
        writeCertificate(self.others[0], -1)
        self.renew(self.others[0])
        self.certificate.renew()
        self.assertEqual(self.shown(), self.cert.read_bytes())
        self.assertIn("expired at", formatEvent(self.logged[-1]))

    def test_expiredChain(self):
        """
        So is one whose chain has expired, which clients refuse as well.
        """
        issuer = self.folder / "issuer"
        issuer.mkdir()
        writeCertificate(issuer, -1)
        with (self.others[0] / "cert.pem").open("ab") as file:
            file.write((issuer / "cert.pem").read_bytes())
        self.renew(self.others[0])
        self.certificate.renew()
        warning = formatEvent(self.logged[-1])
        self.assertIn(f"CN=openclaw tests, in {self.cert}, expired at", warning)

    def test_fifo(self):
        """
        A key that has become a FIFO is refused without blocking.
        """
        self.key.unlink()
        os.mkfifo(self.key)
        self.certificate.renew()
        self.assertEqual(self.shown(), self.first)
        self.assertIn("it is a FIFO", formatEvent(self.logged.pop()))

    def test_oneFile(self):
        """
        Certificate and key may be in one file, in any order.
        """
        cert, key = self.cert.read_bytes(), self.key.read_bytes()
        both = self.folder / "both.pem"
        for pem in (cert + key, key + cert):
            both.write_bytes(pem)
            serverContext(both, both)

    def test_oneAfterTheOther(self):
        """
        While only one file is new, the old certificate stays in use.
        """
        self.renew(self.others[0], "cert.pem")
        self.certificate.renew()
        self.assertEqual(self.shown(), self.first)
        self.renew(self.others[0], "key.pem")
        self.certificate.renew()
        self.assertEqual(self.shown(), self.cert.read_bytes())

    def test_gone(self):
        """
        Missing files, and files that come back unchanged, do not stop the server.
        """
        self.key.rename(self.folder / "away")
        self.certificate.renew()
        self.assertEqual(self.shown(), self.first)
        (self.folder / "away").rename(self.key)
        self.certificate.renew()
        self.assertEqual(self.shown(), self.first)

    def test_atTheStart(self):
        """
        At the start a damaged certificate is an error.
        """
        self.cert.write_bytes(b"no certificate")
        with self.assertRaises(StartError):
            RenewableCertificate(self.cert, self.key, self.clock, Logger())


class OddFileTests(SynchronousTestCase):
    """
    Files that cannot be read completely are refused.
    """

    def test_refused(self) -> None:
        """
        Pipes, devices and large files are refused; links are followed.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        cert, key = writeCertificate(folder)
        link, pipe, large = (folder / name for name in ("link", "pipe", "large"))
        link.symlink_to(key.absolute())
        serverContext(cert, link)
        os.mkfifo(pipe)
        large.touch()
        os.truncate(large, 10 * 2**30)
        for path in (pipe, Path("/dev/zero"), large):
            for pair in ((cert, path), (path, key)):
                error = self.assertRaises(StartError, serverContext, *pair)
                self.assertIn(f"{path} can't be used: it ", error.message)


class KeyKindTests(SynchronousTestCase):
    """
    Keys of each type are supported.
    """

    def setUp(self):
        self.folder = Path(self.mktemp())
        keys = {
            "rsa": rsa.generate_private_key(65537, 2048),
            "curve": ec.generate_private_key(ec.SECP256R1()),
            "larger": ec.generate_private_key(ec.SECP521R1()),
            "ed25519": Ed25519PrivateKey.generate(),
        }
        self.files = {}
        for name, key in keys.items():
            (self.folder / name).mkdir(parents=True)
            self.files[name] = writeCertificate(self.folder / name, key=key)

    def test_pairs(self):
        """
        A key matches its own certificate only, whatever their types.
        """
        for one, (cert, _) in self.files.items():
            for other, (_, key) in self.files.items():
                if one == other:
                    self.assertTrue(serverContext(cert, key).getContext())
                    continue
                with self.assertRaises(StartError) as caught:
                    serverContext(cert, key)
                self.assertIn("does not match", caught.exception.message)

    def test_small(self):
        """
        A key that OpenSSL considers too small is refused for that reason.
        """
        folder = self.folder / "small"
        folder.mkdir()
        cert, key = writeCertificate(folder, key=rsa.generate_private_key(65537, 1024))
        with self.assertRaises(StartError) as caught:
            serverContext(cert, key)
        self.assertIn("too small", caught.exception.message)
