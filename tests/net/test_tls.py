"""
Tests of L{openclaw.net.tls}: certificates that somebody renews.
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
    Fail if anybody opens the terminal, as OpenSSL does to ask for a pass phrase.
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
    The files change, and the connections that come then get what is new.
    """

    def setUp(self):
        """
        Load a certificate, and have two others ready.
        """
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
        Put files in the place of those that are there.
        """
        for name in names or ("cert.pem", "key.pem"):
            (other / name).replace(self.folder / name)

    def shown(self):
        """
        The certificate that the next caller sees.
        """
        connection = self.certificate.serverConnectionForTLS(None)
        shown = Certificate(connection.get_certificate())
        return shown.dumpPEM()

    def test_interface(self):
        """
        It is what Twisted's TLS asks for connections.
        """
        verifyObject(IOpenSSLServerConnectionCreator, self.certificate)

    def test_soon(self):
        """
        The files are looked at when somebody connects, but not for each of them.
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
        A reload on request need not wait.
        """
        self.renew(self.others[0])
        self.certificate.renew()
        self.assertEqual(self.shown(), self.cert.read_bytes())
        self.assertNotEqual(self.shown(), self.first)

    def test_broken(self):
        """
        Files that can't be used change nothing, and are complained about once; when
        they are mended, they are taken up.
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
        Give a key a pass phrase.
        """
        loaded = load_pem_private_key(key.read_bytes(), None)
        for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
            yield loaded.private_bytes(
                Encoding.PEM, form, BestAvailableEncryption(b"pass phrase")
            )

    def test_passPhrase(self):
        """
        A renewed key that has a pass phrase is refused, and nobody is asked for it.
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
        A renewed certificate that has expired is taken up, with a warning.
        """
        writeCertificate(self.others[0], -1)
        self.renew(self.others[0])
        self.certificate.renew()
        self.assertEqual(self.shown(), self.cert.read_bytes())
        self.assertIn("expired at", formatEvent(self.logged[-1]))

    def test_expiredChain(self):
        """
        So is one whose chain has expired: callers refuse that as well.
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
        A key that has become a FIFO is refused, and nobody waits for its writer.
        """
        self.key.unlink()
        os.mkfifo(self.key)
        self.certificate.renew()
        self.assertEqual(self.shown(), self.first)
        self.assertIn("it is a FIFO", formatEvent(self.logged.pop()))

    def test_oneFile(self):
        """
        Certificate and key may be in one file, whichever comes first.
        """
        cert, key = self.cert.read_bytes(), self.key.read_bytes()
        both = self.folder / "both.pem"
        for pem in (cert + key, key + cert):
            both.write_bytes(pem)
            serverContext(both, both)

    def test_oneAfterTheOther(self):
        """
        In the moment when one file is new and the other is not, the old certificate
        stays.
        """
        self.renew(self.others[0], "cert.pem")
        self.certificate.renew()
        self.assertEqual(self.shown(), self.first)
        self.renew(self.others[0], "key.pem")
        self.certificate.renew()
        self.assertEqual(self.shown(), self.cert.read_bytes())

    def test_gone(self):
        """
        Files that are gone, or come back as they were, are no reason to stop.
        """
        self.key.rename(self.folder / "away")
        self.certificate.renew()
        self.assertEqual(self.shown(), self.first)
        (self.folder / "away").rename(self.key)
        self.certificate.renew()
        self.assertEqual(self.shown(), self.first)

    def test_atTheStart(self):
        """
        At the start a broken certificate is an error.
        """
        self.cert.write_bytes(b"no certificate")
        with self.assertRaises(StartError):
            RenewableCertificate(self.cert, self.key, self.clock, Logger())


class OddFileTests(SynchronousTestCase):
    """
    A file that can't be read as a whole.
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
    Certificates with keys of each kind.
    """

    def setUp(self):
        """
        Make one of each.
        """
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
        A key goes with its own certificate and with no other, whatever the kinds.
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
        A key that OpenSSL takes for too small is refused for that.
        """
        folder = self.folder / "small"
        folder.mkdir()
        cert, key = writeCertificate(folder, key=rsa.generate_private_key(65537, 1024))
        with self.assertRaises(StartError) as caught:
            serverContext(cert, key)
        self.assertIn("too small", caught.exception.message)
