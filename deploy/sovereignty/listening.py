"""Who listens on a host, where others can reach it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_PROGRAM = re.compile(r'\("([^"]+)"')
_CLIENT_OF = {68: 67, 546: 547}
"""The port that a DHCP client receives on, and the one that it asks (RFC 2131, 4.1; RFC 8415, 7.2)."""


@dataclass(frozen=True, order=True)
class Socket:
    """A socket that anybody who reaches the host may send to.

    Attributes:
        protocol: `tcp` or `udp`.
        address: as ``ss`` writes it.
        program: whose it is; empty: the kernel's.
    """

    protocol: str
    port: int
    address: str
    program: str

    def __str__(self) -> str:
        """Program, port and address."""
        return f"{self.program or 'the kernel'} on port {self.port}/{self.protocol} of {self.address}"


def sockets(listed: str) -> list[Socket]:
    """The sockets in what ``ss -Hlntup`` prints, without those on loopback."""
    found = (_socket(line.split(maxsplit=6)) for line in listed.splitlines() if line.strip())
    return sorted({socket for socket in found if not _loopback(socket.address)})


def undeclared(
    found: Iterable[Socket], listens: Iterable[Mapping[str, Any]], flows: Collection[Mapping[str, Any]]
) -> list[Socket]:
    """The sockets that no role declares.

    Args:
        listens: what the host's roles declare to listen.
        flows: what they declare to begin: a DHCP client listens too.
    """
    declared = {(str(listen["protocol"]), int(listen["port"])) for listen in listens}
    asked = {int(flow["port"]) for flow in flows if flow["protocol"] == "udp"}
    return [
        socket
        for socket in found
        if (socket.protocol, socket.port) not in declared
        and not (socket.protocol == "udp" and _CLIENT_OF.get(socket.port) in asked)
    ]


def _socket(fields: list[str]) -> Socket:
    protocol, local = fields[0], fields[4]
    address, _, port = local.rpartition(":")
    programs = _PROGRAM.findall(fields[6]) if len(fields) > 6 else []
    return Socket(protocol, int(port), address, " ".join(dict.fromkeys(programs)))


def _loopback(address: str) -> bool:
    if address == "*":
        return False
    plain = ipaddress.ip_address(address.strip("[]").partition("%")[0].rstrip("]"))
    mapped = getattr(plain, "ipv4_mapped", None)
    return (mapped or plain).is_loopback
