"""
Self-signed certificates for this machine.
"""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey | RSAPrivateKey


def writeCertificate(
    folder: Path, day: int = 0, key: PrivateKey | None = None
) -> tuple[Path, Path]:
    """
    Create a certificate for C{127.0.0.1} that is valid for a day.

    @param day: The day: 0 for today.
    @param key: The key; by default a new one on an elliptic curve.
    @return: The files of the certificate and of its key, PEM.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "openclaw tests")])
    now = datetime.now(UTC) + timedelta(days=2 * day)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, None if isinstance(key, Ed25519PrivateKey) else hashes.SHA256())
    )
    certPath, keyPath = folder / "cert.pem", folder / "key.pem"
    certPath.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    keyPath.touch(0o600)
    keyPath.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certPath, keyPath


__all__ = ["writeCertificate"]
