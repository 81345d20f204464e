"""Kinds of values in an inventory. Each refuses with what is wrong and what to do."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator

Filled = TypeVar("Filled", str, tuple[str, ...])

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_LABEL_RULE = "use lower-case letters, digits and hyphens, at most 63, no hyphen at either end"
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+")


class FieldError(ValueError):
    """A value that cannot be what it should be.

    Attributes:
        what: what is wrong.
        remedy: what to do about it.
    """

    def __init__(self, what: str, remedy: str) -> None:
        self.what, self.remedy = what, remedy
        super().__init__(f"{what}; {remedy}")


def is_label(text: str) -> bool:
    """Whether a text is a DNS label as a host name has it (RFC 1123, 2.1), in lower case."""
    return _LABEL.fullmatch(text) is not None


def domain(text: str) -> str:
    """A DNS name without the dot at its end, in lower case, at most 253 characters (RFC 1035, 2.3.4).

    Raises:
        FieldError: it is none.
    """
    if len(text) > 253 or not all(map(is_label, text.split("."))) or text.rpartition(".")[2].isdigit():
        raise FieldError(f"{text!r} is not a domain name", f"write it like rijk.test; in each part {_LABEL_RULE}")
    return text


def zone(text: str) -> str:
    """A zone's name with the dot at its end; ``.`` is the root.

    Raises:
        FieldError: it is none.
    """
    if text != "." and not (text.endswith(".") and all(map(is_label, text[:-1].split(".")))):
        raise FieldError(f"{text!r} is not the name of a zone", "write it with a dot at its end, like test.")
    return text


def ipv4(text: str) -> str:
    """An IPv4 address that a host can have.

    Raises:
        FieldError: it is none.
    """
    return _address(text, 4, "write it like 198.18.10.11")


def ipv6(text: str) -> str:
    """An IPv6 address that a host can have, in its canonical form (RFC 5952).

    Raises:
        FieldError: it is none.
    """
    return _address(text, 6, 'write it like "fd00:18:10::11"')


def address(text: str) -> str:
    """An address of either family that a host can have.

    Raises:
        FieldError: it is none.
    """
    return _address(text, 0, 'write it like 198.18.10.11 or "fd00:18:10::11"')


def _address(text: str, version: int, remedy: str) -> str:
    kind = f"an IPv{version} address" if version else "an address"
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise FieldError(f"{text!r} is not {kind}", remedy) from None
    if version not in (0, found.version):
        raise FieldError(f"{text!r} is not {kind}", remedy)
    if found.is_loopback or found.is_multicast or found.is_unspecified or found.is_link_local:
        raise FieldError(f"{text!r} is not {kind} that others can reach", remedy)
    return str(found)


def network(text: str) -> str:
    """An address or a network of either family.

    Raises:
        FieldError: it is none.
    """
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        remedy = "write it like 198.18.10.1 or 198.18.10.0/24"
        raise FieldError(f"{text!r} is not an address or a network", remedy) from None
    return str(found.network_address) if found.num_addresses == 1 else str(found)


def reachable_as(text: str) -> str:
    """Where ssh finds a host: an address or a name.

    Raises:
        FieldError: it is neither.
    """
    return address(text) if ":" in text or text.replace(".", "").isdigit() else domain(text)


def mailbox(text: str) -> str:
    """A mail address.

    Raises:
        FieldError: it is none.
    """
    local, at, host = text.rpartition("@")
    if not at or not _MAILBOX.fullmatch(local):
        raise FieldError(f"{text!r} is not a mail address", "write it like security@rijk.test")
    return f"{local}@{domain(host)}"


def https(text: str) -> str:
    """An https address.

    Raises:
        FieldError: it is none.
    """
    parts = urlsplit(text)
    if parts.scheme != "https" or not parts.hostname:
        raise FieldError(f"{text!r} is not an https address", "write it like https://acme.test:14000/dir")
    return text


def filled(value: Filled) -> Filled:
    """A text or a list with something in it.

    Raises:
        FieldError: it has nothing.
    """
    if not value:
        raise FieldError("it is empty", "fill it")
    return value


Domain = Annotated[str, AfterValidator(domain)]
ZoneName = Annotated[str, AfterValidator(zone)]
Ipv4 = Annotated[str, AfterValidator(ipv4)]
Ipv6 = Annotated[str, AfterValidator(ipv6)]
Address = Annotated[str, AfterValidator(address)]
Network = Annotated[str, AfterValidator(network)]
ReachableAs = Annotated[str, AfterValidator(reachable_as)]
Mailbox = Annotated[str, AfterValidator(mailbox)]
Https = Annotated[str, AfterValidator(https)]
