"""What must hold between the parts of an inventory."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Mapping

from deploy.errors import Finding
from deploy.inventory.components import CAPABILITIES, OFF, Capability
from deploy.inventory.fields import is_label
from deploy.inventory.layout import GroupLayout, Layout, did_you_mean
from deploy.inventory.model import PUBLIC_NAMES, Host, Inventory, Organisation
from deploy.inventory.source import Node

LAB_NETWORKS = (ipaddress.ip_network("198.18.0.0/15"), ipaddress.ip_network("fd00::/8"))
"""Where a lab may be: benchmarking addresses (RFC 2544) and unique local ones (RFC 4193)."""


# names in hosts.yml


def hosts(layout: Layout) -> Iterator[Finding]:
    """Names of organisations and hosts: well-formed, each host in one organisation."""
    owners: dict[str, str] = {}
    for group, contents in layout.groups.items():
        if not group.isidentifier() or group != group.lower():
            remedy = "use lower-case letters, digits and underscores"
            yield Finding(contents.where, f"organisation {group!r} is not a name that Ansible accepts", remedy)
        for host, where in contents.places.items():
            if not is_label(host):
                remedy = "use lower-case letters, digits and hyphens, at most 63"
                yield Finding(where, f"host {host!r} is not a DNS label", remedy)
            if host in owners:
                yield Finding(
                    where, f"host {host!r} is also in organisation {owners[host]!r}", "keep it in one of the two"
                )
            owners.setdefault(host, group)
    if not layout.groups:
        yield Finding(layout.home, "no organisation in hosts.yml", "name one below all.children")


# components of one organisation


def components(node: Node, findings: list[Finding]) -> Mapping[str, str]:
    """The component of each capability.

    Args:
        node: the key ``components``.
        findings: what is wrong with it is added here.

    Returns:
        The entries that are right.
    """
    if not isinstance(node.value, dict):
        findings.append(Finding(node.where, "components must be a mapping", "write `capability: component` lines"))
    chosen: dict[str, str] = {}
    for name, entry in node.members.items():
        component = OFF if entry.value is False else entry.value
        if name not in CAPABILITIES:
            remedy = did_you_mean(name, CAPABILITIES) or f"there are {', '.join(CAPABILITIES)}"
            findings.append(Finding(entry.where, f"unknown capability {name!r}", remedy))
        elif component not in {OFF, *CAPABILITIES[name].components}:
            known = [*CAPABILITIES[name].components, OFF]
            remedy = did_you_mean(str(component), known) or f"choose one of {', '.join(known)}"
            findings.append(Finding(entry.where, f"unknown component {component!r} for {name}", remedy))
        else:
            chosen[name] = component
    return chosen


def organisation(name: str, group: GroupLayout, chosen: Mapping[str, str]) -> Iterator[Finding]:
    """What the hosts of an organisation run, against its components."""
    runners: dict[str, list[str]] = defaultdict(list)
    for host, variables in group.hosts.items():
        node = variables.get("runs")
        for item in node.items if node else ():
            capability = item.value
            if capability not in CAPABILITIES:
                remedy = did_you_mean(str(capability), CAPABILITIES) or f"there are {', '.join(CAPABILITIES)}"
                yield Finding(item.where, f"unknown capability {capability!r}", remedy)
                continue
            yield from _runs(host, capability, item, group, chosen)
            if host in runners[capability]:
                yield Finding(item.where, f"host {host!r} runs {capability} twice", "keep one")
            elif runners[capability] and not CAPABILITIES[capability].many:
                first = runners[capability][0]
                yield Finding(item.where, f"{capability} runs on {first!r} already", f"one host of {name} runs it")
            runners[capability].append(host)
    yield from _idle(name, group, chosen, runners)
    yield from _needs(group, runners)


def _runs(host: str, capability: str, item: Node, group: GroupLayout, chosen: Mapping[str, str]) -> Iterator[Finding]:
    listed = group.variables.get("components")
    if chosen.get(capability) == OFF:
        what = f"host {host!r} runs {capability}, which is off"
        place = listed.at(capability).where if listed else group.home
        yield Finding(item.where, what, f"remove it here, or choose a component at {place}")
    elif listed and capability not in listed.members:
        example = next(iter(CAPABILITIES[capability].components))
        yield Finding(item.where, f"no component for {capability}", f"add `{capability}: {example}` at {listed.where}")


def _idle(
    name: str, group: GroupLayout, chosen: Mapping[str, str], runners: Mapping[str, list[str]]
) -> Iterator[Finding]:
    listed = group.variables.get("components")
    for capability, component in chosen.items():
        if component != OFF and not runners.get(capability) and listed:
            where = listed.at(capability).where
            yield Finding(
                where,
                f"no host of {name} runs {capability}",
                f"add it to `runs` of a host, or write `{capability}: off`",
            )


def _needs(group: GroupLayout, runners: Mapping[str, list[str]]) -> Iterator[Finding]:
    for host, variables in group.hosts.items():
        node = variables.get("runs")
        for item in node.items if node else ():
            rule: Capability | None = CAPABILITIES.get(item.value)
            for needed in rule.needs_here if rule else ():
                if host not in runners.get(needed, []):
                    yield Finding(
                        item.where, f"{item.value} on {host!r} needs {needed} on the same host", f"add {needed}"
                    )
            for needed in rule.needs if rule else ():
                if not runners.get(needed):
                    yield Finding(
                        item.where, f"{item.value} needs {needed} in the organisation", f"add {needed} to a host"
                    )


# the whole


def inventory(found: Inventory, layout: Layout) -> Iterator[Finding]:
    """What must hold over all organisations."""
    yield from _primary(found, layout)
    yield from _addresses(found, layout)
    yield from _names(found, layout)
    yield from _zones(found, layout)
    yield from _platform(found, layout)


def _place(layout: Layout, host: Host, *path: str | int) -> str:
    group = layout.groups[host.organisation]
    return Node(None, group.places[host.name], group.hosts[host.name]).at(*path).where


def _organisation_place(layout: Layout, one: Organisation, *path: str | int) -> str:
    return layout.groups[one.id].variables["organisation"].at(*path).where


def _platform_place(layout: Layout, *path: str | int) -> str:
    return layout.everyone["platform"].at(*path).where


def _primary(found: Inventory, layout: Layout) -> Iterator[Finding]:
    if found.platform.primary not in layout.groups:
        remedy = did_you_mean(found.platform.primary, layout.groups) or f"choose one of {', '.join(layout.groups)}"
        yield Finding(_platform_place(layout, "primary"), f"no organisation {found.platform.primary!r}", remedy)


def _addresses(found: Inventory, layout: Layout) -> Iterator[Finding]:
    seen: dict[str, tuple[str, str]] = {}
    for host in found.hosts.values():
        extra = [(address, ("extra_addresses", index)) for index, address in enumerate(host.extra_addresses)]
        for address, path in [(host.ipv4, ("ipv4",)), (host.ipv6, ("ipv6",)), *extra]:
            where = _place(layout, host, *path)
            if address in seen:
                owner, first = seen[address]
                yield Finding(
                    where, f"address {address} of {host.name!r} is also of {owner!r} ({first})", "give each its own"
                )
            seen.setdefault(address, (host.name, where))
            if found.environment == "lab" and not _in_lab(address):
                allowed = " or ".join(map(str, LAB_NETWORKS))
                yield Finding(
                    where, f"address {address} of {host.name!r} is outside the lab's networks", f"use {allowed}"
                )


def _in_lab(address: str) -> bool:
    return any(ipaddress.ip_address(address) in network for network in LAB_NETWORKS)


def _names(found: Inventory, layout: Layout) -> Iterator[Finding]:
    domains: dict[str, str] = {}
    for one in found.organisations.values():
        where = _organisation_place(layout, one, "domain")
        if one.domain in domains:
            yield Finding(
                where, f"domain {one.domain} is also of organisation {domains[one.domain]!r}", "give each its own"
            )
        domains.setdefault(one.domain, one.id)
        if "." not in one.domain and found.environment != "lab":
            yield Finding(where, f"domain {one.domain!r} is a top-level domain", "write it like rijk.test")
        yield from _public_names(one, layout)


def _public_names(one: Organisation, layout: Layout) -> Iterator[Finding]:
    known = [*PUBLIC_NAMES, *(f"ns{number}" for number in range(1, len(one.hosts) + 1))]
    for key, name in one.names.items():
        where = _organisation_place(layout, one, "names", key)
        if key not in known:
            yield Finding(
                where, f"unknown public name {key!r}", did_you_mean(key, known) or f"there are {', '.join(known)}"
            )
        if not name.endswith(f".{one.domain}"):
            yield Finding(
                where, f"{name} is not below {one.domain}", "a public name stands in the organisation's own domain"
            )
    used: dict[str, set[str]] = defaultdict(set)
    for key, name in one.public_names.items():
        used[name].update(host.name for host in one.located(key))
    for host in one.hosts.values():
        if used.get(host.fqdn, {host.name}) != {host.name}:
            others = ", ".join(sorted(used[host.fqdn]))
            yield Finding(
                _place(layout, host), f"{host.fqdn} is a public name on {others}", "give the host another name"
            )


def _zones(found: Inventory, layout: Layout) -> Iterator[Finding]:
    owners = {f"{one.domain}.": one.id for one in found.organisations.values()}
    for one in found.organisations.values():
        for index, zone in enumerate(one.zones):
            where = _organisation_place(layout, one, "zones", index)
            if zone in owners:
                yield Finding(where, f"zone {zone} is served by {owners[zone]!r} already", "name it once")
            owners.setdefault(zone, one.id)
        if one.zones and not one.running("dns"):
            where = _organisation_place(layout, one, "zones")
            yield Finding(where, f"no host of {one.id} runs dns", "remove the zones, or let a host run dns")
    if found.platform.dns_root and "." not in owners:
        where = _platform_place(layout, "dns_root")
        yield Finding(where, "a private root that no organisation serves", 'add "." to the zones of one')
    if "." in owners and not found.platform.dns_root:
        yield Finding(_platform_place(layout), f"{owners['.']!r} serves a private root", "name its servers in dns_root")


def _platform(found: Inventory, layout: Layout) -> Iterator[Finding]:
    for one in found.organisations.values():
        listed = layout.groups[one.id].variables["components"]
        if one.running("certificates") and not found.platform.acme:
            where = listed.at("certificates").where
            yield Finding(where, "certificates need platform.acme", f"name the authority in {layout.home}")
        for capability, component in one.components.items():
            if component != OFF and CAPABILITIES[capability].lab_only and found.environment != "lab":
                yield Finding(
                    listed.at(capability).where, f"{capability} is for labs only", f"write `{capability}: off`"
                )
