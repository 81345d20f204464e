"""What DNS publishes about keys, held against published examples and other implementations."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Callable

import dns.dnssec
import dns.name
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.dns import keys
from deploy.inventory.secrets import p256, rsa2048


@pytest.fixture
def example() -> str:
    """The key of RFC 6605, 6.1."""
    number = int.from_bytes(base64.b64decode("GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ="), "big")
    key = ec.derive_private_key(number, ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def openssl(pem: str) -> bytes:
    """The public half of a key in DER."""
    command = ["openssl", "pkey", "-pubout", "-outform", "DER"]
    return subprocess.run(command, input=pem.encode(), check=True, capture_output=True).stdout


def test_the_dnskey_is_that_of_the_standards_example(example: str) -> None:
    wanted = "257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA=="
    assert keys.dnskey(example).to_text().replace(" ", "") == wanted.replace(" ", "")


def test_the_ds_is_that_of_the_standards_example(example: str) -> None:
    digest = "b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17"
    assert keys.ds("example.net.", example).to_text() == f"55648 13 2 {digest}"


def test_the_private_key_is_that_of_the_standards_example(example: str) -> None:
    assert keys.bind_private_key(example) == (
        "Private-key-format: v1.2\n"
        "Algorithm: 13 (ECDSAP256SHA256)\n"
        "PrivateKey: GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ=\n"
    )


def test_tag_and_digest_agree_with_dnspython_for_any_key() -> None:
    pem = p256()
    dnskey, ds = keys.dnskey(pem), keys.ds("rijk.test.", pem)
    name = dns.name.from_text("rijk.test.")
    assert ds.key_tag == dns.dnssec.key_id(dnskey)
    assert ds == dns.dnssec.make_ds(name, dnskey, "SHA256")
    assert ds.digest == hashlib.sha256(name.to_digestable() + dnskey.to_digestable()).digest()


def test_a_private_number_with_leading_zeros_keeps_them() -> None:
    key = ec.derive_private_key(5, ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    text = keys.bind_private_key(pem).rpartition("PrivateKey: ")[2]
    assert base64.b64decode(text) == bytes(31) + b"\x05"


@pytest.mark.parametrize("make", [p256, rsa2048])
def test_a_tlsa_is_the_digest_of_the_public_half_that_openssl_prints(make: Callable[[], str]) -> None:
    pem = make()
    assert keys.tlsa(pem) == f"3 1 1 {hashlib.sha256(openssl(pem)).hexdigest()}"


def test_a_pin_is_what_curl_takes() -> None:
    pem = p256()
    assert keys.pin(pem) == "sha256//" + base64.b64encode(hashlib.sha256(openssl(pem)).digest()).decode()
