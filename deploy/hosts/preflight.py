"""Whether the hosts can be deployed to: every finding at once, each with its remedy, before anything is changed."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from deploy.errors import Finding
from deploy.inventory import Host, Inventory

GIB = 1 << 30
RELEASE = "debian 13"
ARCHITECTURE = "amd64"
CLOCK_SECONDS = 30.0
"""A signature or ticket is refused beyond a minute or so; DNSSEC and TOTP before that."""

MEMORY = {"base": GIB // 4, "clamav": 3 * GIB // 2, "rspamd": GIB // 2, "dovecot": GIB // 4, "openldap": GIB // 8}
"""Memory that a role needs at its busiest, in bytes (measured; clamav with its whole database)."""

DISK = {"/": 3 * GIB, "/var": 5 * GIB}
"""Free space before the first deployment, in bytes."""


def findings(
    inventory: Inventory, facts: Mapping[str, Mapping[str, Any]], ports: Mapping[str, list[int]]
) -> list[Finding]:
    """Everything that stands in the way.

    Args:
        inventory: what is to be deployed.
        facts: what each host says of itself (`deploy.hosts.facts`).
        ports: TCP ports that the host's roles will listen on.
    """
    lab = inventory.environment == "lab"
    found: list[Finding] = []
    for name, its in facts.items():
        host = inventory.hosts[name]
        found += _system(host, its)
        found += _addresses(host, its)
        found += _way_in(inventory, host, its)
        found += _names(host, its)
        if not its["begun"]:
            found += _ports(host, its, ports.get(name, []))
            found += [] if lab else _room(host, its)
    return found


def _system(host: Host, facts: Mapping[str, Any]) -> Iterator[Finding]:
    if facts["user"] != 0:
        yield Finding(host.name, "the ssh login is not root", "set ansible_user: root")
    if not facts["release"].startswith(RELEASE):
        yield Finding(host.name, f"runs {facts['release']}", "reinstall it with Debian 13")
    if facts["architecture"] not in (ARCHITECTURE, ""):  # empty: no Debian, which was said above
        yield Finding(host.name, f"is {facts['architecture']}", "the package source holds amd64 only")
    if not facts["systemd"]:
        yield Finding(host.name, "does not run systemd", "use a virtual machine, not an application container")
    if abs(facts["skew"]) > CLOCK_SECONDS:
        yield Finding(host.name, f"clock is {facts['skew']:+.0f} s off", "set it right: timedatectl set-ntp true")


def _addresses(host: Host, facts: Mapping[str, Any]) -> Iterator[Finding]:
    own = {ipaddress.ip_address(address): failed for address, failed in facts["addresses"].items()}
    for address in host.addresses:
        failed = own.get(ipaddress.ip_address(address))
        if failed is None:
            yield Finding(
                host.name, f"does not have the address {address}", "configure it there, or mend the inventory"
            )
        elif failed:
            yield Finding(
                host.name, f"{address} is in use by another machine (dadfailed)", "give one of them another address"
            )


def _way_in(inventory: Inventory, host: Host, facts: Mapping[str, Any]) -> Iterator[Finding]:
    """The firewall admits ssh from ``platform.management`` only: do not lock ourselves out."""
    if not facts["came_from"]:
        return
    source = ipaddress.ip_address(facts["came_from"])
    networks = [ipaddress.ip_network(entry, strict=False) for entry in inventory.platform.management]
    if not any(source in network for network in networks):
        yield Finding(host.name, f"you come from {source}, which platform.management does not admit", "add it there")


def _names(host: Host, facts: Mapping[str, Any]) -> Iterator[Finding]:
    for name, addresses in facts["resolved"].items():
        if not addresses:
            yield Finding(host.name, f"cannot resolve {name}", "check /etc/resolv.conf there and the name's DNS")


def _ports(host: Host, facts: Mapping[str, Any], ports: list[int]) -> Iterator[Finding]:
    for port in ports:
        if (program := facts["listeners"].get(str(port))) and (port, program) != (22, "sshd"):
            yield Finding(host.name, f"port {port} is taken by {program}", f"remove {program}, or use a fresh machine")


def _room(host: Host, facts: Mapping[str, Any]) -> Iterator[Finding]:
    needed = sum(MEMORY.get(role, 0) for role in host.roles)
    if facts["memory"] < needed * 0.95:
        yield Finding(
            host.name, f"has {facts['memory'] / GIB:.1f} GiB of memory", f"its roles need {needed / GIB:.1f} GiB"
        )
    for path, least in DISK.items():
        if facts["disk"][path] < least:
            free = facts["disk"][path] / GIB
            yield Finding(
                host.name, f"has {free:.1f} GiB free on {path}", f"make room: {least / GIB:.0f} GiB are needed"
            )
