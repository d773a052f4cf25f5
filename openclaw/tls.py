"""
TLS on the gateway's port.
"""

import re
from pathlib import Path

from OpenSSL import SSL, crypto
from twisted.internet.ssl import Certificate, CertificateOptions, KeyPair

from openclaw.errors import StartError

_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S
)


def serverContext(certPath: Path, keyPath: Path) -> CertificateOptions:
    """
    Load a certificate with its chain, and its key.

    @param certPath: PEM; the server's own certificate first.

    @param keyPath: PEM, without a passphrase.

    @raise StartError: One of them can't be read, or they don't belong together.
    """
    try:
        found = _CERTIFICATE.findall(_read(certPath))
        chain = [Certificate.loadPEM(each).original for each in found]
    except crypto.Error:
        chain = []
    if not chain:
        raise StartError(f"There is no PEM certificate in {certPath}.")
    try:
        key = KeyPair.load(_read(keyPath), crypto.FILETYPE_PEM).original
    except (crypto.Error, TypeError, ValueError):
        raise StartError(f"There is no PEM private key in {keyPath}.") from None
    context = CertificateOptions(
        privateKey=key, certificate=chain[0], extraCertChain=chain[1:]
    )
    try:
        context.getContext()
    except SSL.Error:
        raise StartError(f"The key {keyPath} is not that of {certPath}.") from None
    return context


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"{path} can't be read: {error.strerror}.") from None


__all__ = ["serverContext"]
