"""One idea of trust for all clients."""

from __future__ import annotations

import functools
import hashlib
import socket
import ssl

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TIMEOUT = 10.0


@functools.cache
def context() -> ssl.SSLContext:
    """Certificates are verified against the machine's authorities (`SSL_CERT_FILE`), names are checked."""
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def open_port(host: str, port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT):
            return True
    except OSError:
        return False


def spki_sha256(certificate: bytes) -> str:
    """Hash of a certificate's public key as a TLSA record `3 1 1` has it (RFC 6698).

    Args:
        certificate: DER.
    """
    key = x509.load_der_x509_certificate(certificate).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
