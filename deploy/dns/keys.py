"""What DNS publishes about a key, computed from its private half. PEM goes in, text of records comes out."""

from __future__ import annotations

import base64
import hashlib
from typing import cast

import dns.dnssec
import dns.dnssectypes
import dns.name
import dns.rdtypes.ANY.DNSKEY
import dns.rdtypes.ANY.DS
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

SECURE_ENTRY_POINT = 257
"""Flags of a zone key that the parent's DS points to (RFC 4034, 2.1.1)."""


def _p256(pem: str) -> ec.EllipticCurvePrivateKey:
    return cast(ec.EllipticCurvePrivateKey, load_pem_private_key(pem.encode(), None))


def dnskey(pem: str) -> dns.rdtypes.ANY.DNSKEY.DNSKEY:
    """The DNSKEY of a P-256 key that signs a whole zone: algorithm 13 (RFC 6605), flags 257."""
    algorithm = dns.dnssectypes.Algorithm.ECDSAP256SHA256
    return dns.dnssec.make_dnskey(_p256(pem).public_key(), algorithm, SECURE_ENTRY_POINT)


def ds(zone: str, pem: str) -> dns.rdtypes.ANY.DS.DS:
    """The DS of a zone with that key: digest type 2, SHA-256 (RFC 4509).

    Args:
        zone: its name with the dot at its end.
        pem: its private key.
    """
    return dns.dnssec.make_ds(dns.name.from_text(zone), dnskey(pem), dns.dnssectypes.DSDigest.SHA256)


def bind_private_key(pem: str) -> str:
    """A P-256 key in BIND's private-key format v1.2, as ``pdnsutil import-zone-key`` takes it."""
    number = _p256(pem).private_numbers().private_value
    text = base64.b64encode(number.to_bytes(32, "big")).decode()
    return f"Private-key-format: v1.2\nAlgorithm: 13 (ECDSAP256SHA256)\nPrivateKey: {text}\n"


def _public_info(pem: str) -> bytes:
    """The public half of any key as certificates carry it: SubjectPublicKeyInfo in DER (RFC 5280, 4.1.2.7)."""
    # checking an RSA key costs more than all zones together, and a bad one would only fail to sign
    public = load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=True).public_key()
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def tlsa(pem: str) -> str:
    """The TLSA of a server with that key: the key itself, whoever certifies it (3 1 1; RFC 7671, 5.1)."""
    return f"3 1 1 {hashlib.sha256(_public_info(pem)).hexdigest()}"


def pin(pem: str) -> str:
    """The digest of a key as ``curl --pinnedpubkey`` takes it."""
    return f"sha256//{base64.b64encode(hashlib.sha256(_public_info(pem)).digest()).decode()}"


def dkim(pem: str) -> str:
    """The DKIM record of an RSA key (RFC 6376, 3.6.1)."""
    return f"v=DKIM1; k=rsa; p={base64.b64encode(_public_info(pem)).decode()}"
