"""
TLS to other servers, with verification of their certificates.

Twisted's own verification logs a traceback for a certificate without names, and leaves
such a certificate to OpenSSL, which checks no name.
"""

from typing import Any

from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from openclaw.net.twisted_internals import clientTLSOptions


@implementer(IOpenSSLClientConnectionCreator)
class VerifyingConnectionCreator:
    """
    Creates TLS connections to one host.
    """

    def __init__(self, host: str) -> None:
        """
        @param host: The name or the address that the certificate must have.
        """
        self._original = clientTLSOptions(host)
        address = isIPAddress(host) or isIPv6Address(host)
        self._identity = IPAddress_ID(host) if address else DNS_ID(host)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection: SSL.Connection = self._original.clientConnectionForTLS(tlsProtocol)
        required = SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT
        connection.set_verify(required, self._verify)
        return connection

    def _verify(
        self,
        connection: SSL.Connection,
        certificate: crypto.X509,
        error: int,
        depth: int,
        ok: int,
    ) -> bool:
        if not ok or depth != 0:
            return bool(ok)
        try:
            verify_service_identity(extract_patterns(certificate), [self._identity], [])
        except (CertificateError, VerificationError):
            return False
        return True


@implementer(IPolicyForHTTPS)
class VerifyingPolicy:
    """
    Verifies the certificates of all servers; for L{twisted.web.client.Agent}.
    """

    def creatorForNetloc(
        self, hostname: bytes, port: int
    ) -> VerifyingConnectionCreator:
        return VerifyingConnectionCreator(hostname.decode("ascii"))
