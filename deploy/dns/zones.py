"""Every zone of an inventory, from the inventory and its secrets alone: no host has to exist."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from deploy.dns import keys, organisation
from deploy.dns.zone import Record, Zone, is_below, ordered
from deploy.inventory.model import Inventory, Organisation
from deploy.inventory.records import parse
from deploy.inventory.secrets import Secrets

KEY = "powerdns_dnssec_secret"
"""The secret that signs every zone of an organisation."""

SERIAL = 1
"""Name servers renew it themselves when they sign (SOA-EDIT): an unchanged inventory makes unchanged files."""

NEGATIVE_TTL = 300
"""The most that others keep a denial, in seconds (RFC 2308, 4)."""


@dataclass(frozen=True)
class _Top:
    """A zone before it has its records."""

    name: str
    owner: Organisation
    key: str

    @property
    def served(self) -> bool:
        return bool(self.owner.nameservers)


def zones(inventory: Inventory, secrets: Secrets) -> list[Zone]:
    """The zones of every organisation.

    Args:
        inventory: who stands where.
        secrets: as `deploy.inventory.secrets.read` gives them.

    Returns:
        Each organisation's domain and the further zones that it serves, in the inventory's order. A domain whose
        name servers are elsewhere has neither SOA, NS nor key.
    """
    tops = list(_tops(inventory, secrets))
    homes: dict[str, list[Record]] = {top.name: [] for top in tops}
    for record in _everything(inventory, secrets):
        if home := _home(record, tops):
            homes[home].append(record)
    return [_zone(top, tops, homes[top.name]) for top in tops]


def trust_anchors(found: Iterable[Zone]) -> list[str]:
    """DS records of a private root, as a resolver's trust anchor file has them; none where the real root is used."""
    return [f". IN DS {zone.ds.to_text()}" for zone in found if zone.name == "." and zone.ds]


def _tops(inventory: Inventory, secrets: Secrets) -> Iterator[_Top]:
    for owner in inventory.organisations.values():
        for name in (f"{owner.domain}.", *owner.zones):
            yield _Top(name, owner, secrets[owner.id].get(KEY, "") if owner.nameservers else "")


def _everything(inventory: Inventory, secrets: Secrets) -> Iterator[Record]:
    for owner in inventory.organisations.values():
        yield from organisation.records(owner, secrets[owner.id], inventory.platform.acme)
        for line in owner.records:
            yield from (Record(*parts) for parts in parse(line, owner.domain))
        yield from _reverse(owner)


def _reverse(owner: Organisation) -> Iterator[Record]:
    """PTR: an address is named after the mail server, which others check; else after its host."""
    for host in owner.hosts.values():
        mail = "mail" in host.runs
        for address in host.addresses:
            name = owner.public_names["mail"] if mail and address in (host.ipv4, host.ipv6) else host.fqdn
            yield Record(f"{ipaddress.ip_address(address).reverse_pointer}.", "PTR", f"{name}.")


def _zone(top: _Top, tops: list[_Top], records: list[Record]) -> Zone:
    if top.served:
        children = [child for child in tops if _parent(child, tops) == top.name]
        delegations = [record for child in children for record in _delegation(child, top)]
        records = [*_authority(top), *delegations, *records]
    return Zone(
        name=top.name,
        organisation=top.owner.id,
        ttl=top.owner.ttl,
        records=ordered(records),
        dnskey=keys.dnskey(top.key) if top.key else None,
        ds=keys.ds(top.name, top.key) if top.key else None,
        private_key=keys.bind_private_key(top.key) if top.key else "",
    )


def _home(record: Record, tops: Iterable[_Top]) -> str:
    """The zone that a record stands in; none for the name of an address whose reverse zone is elsewhere."""
    home = _longest(record.name, tops)
    return "" if record.type == "PTR" and home == "." else home


def _parent(child: _Top, tops: Iterable[_Top]) -> str:
    """The zone of the inventory that delegates to another one."""
    return _longest(child.name, [top for top in tops if top.served and top.name != child.name])


def _longest(name: str, tops: Iterable[_Top]) -> str:
    """The longest zone that a name is below."""
    return max((top.name for top in tops if is_below(name, top.name)), key=len, default="")


def _authority(top: _Top) -> Iterator[Record]:
    servers = list(top.owner.nameservers)
    local, _, host = top.owner.contact.rpartition("@")
    contact = f"{local.replace('.', chr(92) + '.')}.{host}."
    minimum = min(NEGATIVE_TTL, top.owner.ttl)
    yield Record(top.name, "SOA", f"{servers[0]}. {contact} {SERIAL} 10800 3600 604800 {minimum}")
    for server in servers:
        yield Record(top.name, "NS", f"{server}.")


def _delegation(child: _Top, parent: _Top) -> Iterator[Record]:
    """NS, DS and glue that a parent has of a child."""
    for server, host in child.owner.nameservers.items():
        yield Record(child.name, "NS", f"{server}.")
        if is_below(f"{server}.", parent.name):
            yield from organisation.address_records(f"{server}.", (host.ipv4, host.ipv6))
    if child.key:
        yield Record(child.name, "DS", keys.ds(child.name, child.key).to_text())


def by_name(found: Iterable[Zone]) -> Mapping[str, Zone]:
    """Zones by their name, with the dot at its end."""
    return {zone.name: zone for zone in found}
