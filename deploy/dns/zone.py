"""A zone and its records; their order and their text follow from nothing but their content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import dns.name
import dns.rdtypes.ANY.DNSKEY
import dns.rdtypes.ANY.DS

_FIRST = ("SOA", "NS")


@dataclass(frozen=True)
class Record:
    """One record.

    Attributes:
        name: whose it is, with the dot at its end.
        type: its type, such as ``MX``.
        data: its data in master-file form (RFC 1035, 5).
    """

    name: str
    type: str
    data: str


@dataclass(frozen=True)
class Zone:
    """A zone as its name servers have it.

    Attributes:
        name: its name with the dot at its end.
        organisation: the id of the organisation that it belongs to.
        ttl: how long others may keep its records, in seconds.
        records: its records, without those that signing adds; sorted.
        dnskey: its key, where the inventory's own name servers sign it.
        ds: what its parent publishes of that key.
        private_key: the key's private half in BIND's format; secret.
    """

    name: str
    organisation: str
    ttl: int
    records: tuple[Record, ...]
    dnskey: dns.rdtypes.ANY.DNSKEY.DNSKEY | None = None
    ds: dns.rdtypes.ANY.DS.DS | None = None
    private_key: str = ""

    @property
    def text(self) -> str:
        """The zone as a master file (RFC 1035, 5)."""
        lines = [f"{record.name} {self.ttl} IN {record.type} {record.data}" for record in self.records]
        return "\n".join([f"$ORIGIN {self.name}", *lines, ""])


def ordered(records: Iterable[Record]) -> tuple[Record, ...]:
    """Records without doubles: SOA and NS of the top first, then by name in canonical order (RFC 4034, 6.1)."""
    return tuple(sorted(set(records), key=_order))


def _order(record: Record) -> tuple[dns.name.Name, int, str, str]:
    rank = _FIRST.index(record.type) if record.type in _FIRST else len(_FIRST)
    return dns.name.from_text(record.name), rank, record.type, record.data


def text(content: str) -> str:
    """A TXT record's data: strings of at most 255 octets (RFC 1035, 3.3.14)."""
    parts = [content[start : start + 255] for start in range(0, max(len(content), 1), 255)]
    return " ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)


def is_below(name: str, zone: str) -> bool:
    """Whether a name is a zone's own or below it; both in lower case with the dot at their end."""
    return f".{name}".endswith(zone if zone == "." else f".{zone}")
