"""What must hold between the parts of an inventory."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator

from deploy.errors import Finding
from deploy.inventory.components import CAPABILITIES, OFF
from deploy.inventory.fields import is_label
from deploy.inventory.hints import choose
from deploy.inventory.layout import Layout
from deploy.inventory.model import PUBLIC_NAMES, Host, Inventory, Organisation
from deploy.inventory.records import parse
from deploy.inventory.source import Node

LAB_NETWORKS = (ipaddress.ip_network("198.18.0.0/15"), ipaddress.ip_network("fd00::/8"))
"""Where a lab may be: benchmarking addresses (RFC 2544) and unique local ones (RFC 4193)."""


def names(layout: Layout) -> Iterator[Finding]:
    """Names in ``hosts.yml``: well-formed, and each host in one organisation."""
    owners: dict[str, str] = {}
    for group, contents in layout.groups.items():
        if not group.isidentifier() or group != group.lower() or group == "all":
            what = f"organisation {group!r} is not a name that Ansible takes"
            yield Finding(contents.where, what, "use lower-case letters, digits and underscores")
        for host, where in contents.places.items():
            if not is_label(host):
                remedy = "use lower-case letters, digits and hyphens, at most 63"
                yield Finding(where, f"host {host!r} is not a DNS label", remedy)
            if host in owners:
                what = f"host {host!r} is also in organisation {owners[host]!r}"
                yield Finding(where, what, "keep it in one of the two")
            owners.setdefault(host, group)


def whole(found: Inventory, layout: Layout) -> Iterator[Finding]:
    """What must hold over all organisations.

    Args:
        found: the parts that are right in themselves.
        layout: all that the files say.
    """
    places = _Places(layout)
    yield from _primary(found, places)
    yield from _addresses(found, places)
    yield from _domains(found, places)
    for organisation in found.organisations.values():
        yield from _public_names(organisation, places)
        yield from _host_names(organisation, places)
        yield from _records(organisation, places)
    yield from _zones(found, places)
    if len(found.organisations) == len(layout.groups):
        yield from _root(found, places)
    yield from _certificates(found, places)
    yield from _lab_only(found, places)


class _Places:
    """Where something that is wrong stands."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def host(self, host: Host, *path: str | int) -> str:
        group = self.layout.groups[host.organisation]
        return Node(None, group.places[host.name], group.hosts[host.name]).at(*path).where

    def organisation(self, organisation: Organisation, *path: str | int) -> str:
        group = self.layout.groups[organisation.id]
        return Node(None, group.home, group.variables).at(*path).where

    def platform(self, *path: str | int) -> str:
        return Node(None, self.layout.home, self.layout.everyone).at("platform", *path).where


def _primary(found: Inventory, places: _Places) -> Iterator[Finding]:
    primary, known = found.platform.primary, places.layout.groups
    if primary not in known:
        yield Finding(places.platform("primary"), f"no organisation {primary!r}", choose(primary, known))


def _addresses(found: Inventory, places: _Places) -> Iterator[Finding]:
    seen: dict[str, tuple[str, str]] = {}
    for host in found.hosts.values():
        for address, path in _with_path(host):
            where = places.host(host, *path)
            if address in seen:
                owner, first = seen[address]
                what = f"address {address} of {host.name!r} is also of {owner!r} ({first})"
                yield Finding(where, what, "give each its own")
            seen.setdefault(address, (host.name, where))
            if found.environment == "lab" and not _in_lab(address):
                allowed = " or ".join(map(str, LAB_NETWORKS))
                what = f"address {address} of {host.name!r} is outside the lab's networks"
                yield Finding(where, what, f"use {allowed}")


def _with_path(host: Host) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    yield host.ipv4, ("ipv4",)
    yield host.ipv6, ("ipv6",)
    for index, address in enumerate(host.extra_addresses):
        yield address, ("extra_addresses", index)


def _in_lab(address: str) -> bool:
    return any(ipaddress.ip_address(address) in network for network in LAB_NETWORKS)


def _domains(found: Inventory, places: _Places) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    for one in found.organisations.values():
        where = places.organisation(one, "organisation", "domain")
        if one.domain in owners:
            what = f"domain {one.domain} is also of organisation {owners[one.domain]!r}"
            yield Finding(where, what, "give each its own")
        owners.setdefault(one.domain, one.id)
        if "." not in one.domain and found.environment != "lab":
            yield Finding(where, f"domain {one.domain!r} is a top-level domain", "write it like rijk.test")


def _public_names(one: Organisation, places: _Places) -> Iterator[Finding]:
    known = [*PUBLIC_NAMES, *(f"ns{number}" for number in range(1, len(one.hosts) + 1))]
    for key, name in one.names.items():
        where = places.organisation(one, "organisation", "names", key)
        if key not in known:
            yield Finding(where, f"unknown public name {key!r}", choose(key, known))
        elif not name.endswith(f".{one.domain}"):
            yield Finding(where, f"{name} is not below {one.domain}", "name it below the organisation's own domain")


def _host_names(one: Organisation, places: _Places) -> Iterator[Finding]:
    used: dict[str, set[str]] = defaultdict(set)
    for key, name in one.public_names.items():
        used[name].update(host.name for host in one.located(key))
    for host in one.hosts.values():
        if others := used[host.fqdn] - {host.name}:
            what = f"{host.fqdn} is a public name, and it is on {', '.join(sorted(others))}"
            yield Finding(places.host(host), what, f"give host {host.name!r} another name")


def _records(one: Organisation, places: _Places) -> Iterator[Finding]:
    own = (f"{one.domain}.", *one.zones)
    for index, line in enumerate(one.records):
        for name, *_ in parse(line, one.domain):
            if not any(f".{name}".endswith(f".{zone.lstrip('.')}") for zone in own):
                where = places.organisation(one, "organisation", "records", index)
                yield Finding(where, f"{name} is in no zone of {one.id}", f"its zones are {' '.join(own)}")


def _zones(found: Inventory, places: _Places) -> Iterator[Finding]:
    owners = {f"{one.domain}.": one.id for one in found.organisations.values()}
    for one in found.organisations.values():
        for index, zone in enumerate(one.zones):
            if zone in owners:
                where = places.organisation(one, "organisation", "zones", index)
                yield Finding(where, f"zone {zone} is of {owners[zone]!r} already", "name it once")
            owners.setdefault(zone, one.id)
        if one.zones and not one.running("dns"):
            where = places.organisation(one, "organisation", "zones")
            yield Finding(where, f"zones, but no host of {one.id} runs dns", "let a host run dns, or remove the zones")


def _root(found: Inventory, places: _Places) -> Iterator[Finding]:
    owner = next((one.id for one in found.organisations.values() if "." in one.zones), None)
    if found.platform.dns_root and not owner:
        what = "a private root that no organisation serves"
        yield Finding(places.platform("dns_root"), what, 'add "." to the zones of one')
    if owner and not found.platform.dns_root:
        yield Finding(places.platform(), f"{owner!r} serves a private root", "name its servers in platform.dns_root")


def _certificates(found: Inventory, places: _Places) -> Iterator[Finding]:
    for one in found.organisations.values():
        if one.running("certificates") and not found.platform.acme:
            where = places.organisation(one, "components", "certificates")
            yield Finding(where, "certificates need platform.acme", f"add it at {places.platform()}")


def _lab_only(found: Inventory, places: _Places) -> Iterator[Finding]:
    for one in found.organisations.values():
        for capability, component in one.components.items():
            if component != OFF and CAPABILITIES[capability].lab_only and found.environment != "lab":
                where = places.organisation(one, "components", capability)
                yield Finding(where, f"{capability} is for labs only", f"write `{capability}: off`")
