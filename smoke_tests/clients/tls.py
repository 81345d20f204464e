"""One idea of trust for all clients."""

from __future__ import annotations

import functools
import hashlib
import socket
import ssl
import warnings
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TIMEOUT = 30.0
"""Seconds; a mail server lets whoever was wrong wait for up to seventeen."""


@functools.cache
def context() -> ssl.SSLContext:
    """Certificates are verified against the machine's authorities (`SSL_CERT_FILE`), names are checked."""
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def open_port(host: str, port: int, *, seconds: float = 10.0) -> bool:
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((host, port), timeout=seconds):
            return True
    except OSError:
        return False


def open_ports(places: Iterable[tuple[str, int]], *, seconds: float = 1) -> set[tuple[str, int]]:
    """Which of those accept connections; asked all at once, because a firewall does not answer."""
    asked = list(places)
    with ThreadPoolExecutor(len(asked)) as pool:
        answers = pool.map(lambda place: open_port(*place, seconds=seconds), asked)
        return {place for place, answer in zip(asked, answers, strict=True) if answer}


def spki_sha256(certificate: bytes) -> str:
    """Hash of a certificate's public key as a TLSA record `3 1 1` has it (RFC 6698).

    Args:
        certificate: DER.
    """
    key = x509.load_der_x509_certificate(certificate).public_key()
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def refusal(host: str, port: int, version: ssl.TLSVersion) -> str:
    """What the server says to a client that can do no better than that version; empty: it agrees.

    The certificate is not looked at: nothing is said over the connection.
    """
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname = False
    old.verify_mode = ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")  # the versions before 1.2 need it on this side
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = version
    try:
        with (
            socket.create_connection((host, port), timeout=TIMEOUT) as plain,
            old.wrap_socket(plain, server_hostname=host),
        ):
            return ""
    except ssl.SSLError as error:
        return error.reason or str(error)


def served(host: str, port: int) -> bytes:
    """The certificate that a server shows where TLS comes first, DER; verified."""
    with (
        socket.create_connection((host, port), timeout=TIMEOUT) as plain,
        context().wrap_socket(plain, server_hostname=host) as encrypted,
    ):
        certificate = encrypted.getpeercert(binary_form=True)
    assert certificate
    return certificate
