"""
TLS on the gateway's port.
"""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IReactorTime
from twisted.internet.ssl import Certificate, CertificateOptions
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from openclaw.errors import StartError
from openclaw.private_files import UnsafeFile, readRegularFile

CHECK_SECONDS = 60.0
"""
Least time between two checks of the files, in seconds.
"""

MAX_PEM_BYTES = 1024 * 1024
"""
Limit of the size of a certificate or key file.
"""

_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S
)


def serverContext(certPath: Path, keyPath: Path) -> CertificateOptions:
    """
    Load a certificate with its chain, and its key.

    @param certPath: PEM; the server's own certificate first.
    @param keyPath: PEM, without a pass phrase.
    @raise StartError: One of them cannot be read, or they do not match.
    """
    try:
        pems = _CERTIFICATE.findall(_read(certPath))
        chain = [Certificate.loadPEM(each).original for each in pems]
    except crypto.Error:
        chain = []
    if not chain:
        raise StartError(f"{certPath} contains no PEM certificate.")
    key = loadKey(keyPath)
    keyPair: Any = key.to_cryptography_key()
    if keyPair.public_key() != chain[0].get_pubkey().to_cryptography_key():
        raise StartError(f"The key {keyPath} does not match {certPath}.")
    context = CertificateOptions(
        privateKey=key, certificate=chain[0], extraCertChain=chain[1:]
    )
    try:
        context.getContext()
    except SSL.Error as error:
        reason = "; ".join(each[-1] for each in error.args[0])
        raise StartError(f"{certPath} can't be used: {reason}.") from None
    return context


def loadKey(path: Path) -> crypto.PKey:
    """
    Load a private key.  OpenSSL itself would ask on the terminal for the pass phrase of
    a key that has one, and block the daemon meanwhile.

    @param path: PEM, without a pass phrase.
    @raise StartError: It cannot be read, or has a pass phrase.
    """
    pem = _read(path)
    try:
        key = load_pem_private_key(pem, password=None)
        return crypto.PKey.from_cryptography_key(key)  # type: ignore[arg-type]
    except TypeError:
        raise StartError(
            f"The private key in {path} has a pass phrase, which a daemon can't"
            " ask for. Store the key without one, readable by the daemon only:"
            f" `openssl pkey -in {path} -out NEW`."
        ) from None
    except (ValueError, UnsupportedAlgorithm, crypto.Error):
        raise StartError(f"{path} contains no PEM private key.") from None


def validityWarning(certPath: Path) -> str | None:
    """
    Return a warning if a certificate, or one of its chain, is not valid today.

    @param certPath: PEM; the server's own certificate first.
    @raise StartError: It cannot be read.
    """
    try:
        certificates = load_pem_x509_certificates(_read(certPath))
    except ValueError:
        return None
    now = datetime.now(UTC)
    for certificate in certificates:
        name = f"The certificate {certPath}"
        if certificate is not certificates[0]:
            name = f"{certificate.subject.rfc4514_string()}, in {certPath},"
        since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if now < since:
            return f"{name} is not valid before {since:%Y-%m-%d %H:%M} UTC."
        if now > until:
            return f"{name} expired at {until:%Y-%m-%d %H:%M} UTC."
    return None


def _read(path: Path) -> bytes:
    try:
        return readRegularFile(path, MAX_PEM_BYTES)
    except UnsafeFile as error:
        raise StartError(f"{path} can't be used: it {error}.") from None
    except OSError as error:
        raise StartError(f"{path} can't be read: {error.strerror}.") from None


Marks = tuple[object, ...]
"""
The part of a file's status that shows a replacement.
"""


def _readMarks(*paths: Path) -> Marks:
    marks: list[object] = []
    for path in paths:
        try:
            status = path.stat()
        except OSError as error:
            marks.append(error.errno)
        else:
            marks += [status.st_ino, status.st_size, status.st_mtime_ns]
    return tuple(marks)


@implementer(IOpenSSLServerConnectionCreator)
class RenewableCertificate:
    """
    A certificate in two files that are replaced from time to time.  New connections get
    the new one soon after.
    """

    def __init__(
        self, certPath: Path, keyPath: Path, reactor: IReactorTime, log: Logger
    ) -> None:
        """
        Load the certificate; see L{serverContext}.

        @raise StartError: It cannot be used.
        """
        self._paths = (certPath, keyPath)
        self._reactor = reactor
        self._log = log
        self._marks = _readMarks(*self._paths)
        self._checked = reactor.seconds()
        self._options = serverContext(*self._paths)
        self._warn()

    def _warn(self) -> None:
        warning = validityWarning(self._paths[0])
        if warning is not None:
            self._log.warn("{warning}", warning=warning)

    def serverConnectionForTLS(
        self, tlsProtocol: TLSMemoryBIOProtocol
    ) -> SSL.Connection:
        if self._reactor.seconds() - self._checked >= CHECK_SECONDS:
            self.renew()
        return SSL.Connection(self._options.getContext(), None)

    def renew(self) -> None:
        """
        Reload the files if they have changed.  If they cannot be used, the old
        certificate stays in use.
        """
        self._checked = self._reactor.seconds()
        marks = _readMarks(*self._paths)
        if marks == self._marks:
            return
        # Unusable files are loaded again only when they have changed.
        self._marks = marks
        try:
            self._options = serverContext(*self._paths)
        except StartError as error:
            self._log.error(
                "The renewed certificate can't be used, the old one stays in use:"
                " {error}",
                error=error.message,
            )
        else:
            self._log.info(
                "The renewed certificate {path} is in use", path=str(self._paths[0])
            )
            self._warn()
