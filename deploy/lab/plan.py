"""Which hosts, at which addresses: those of the lab's inventory, and bare ones beside them."""

from __future__ import annotations

from deploy.inventory import load
from deploy.lab.hosts import LabHost
from deploy.lab.lab import status
from deploy.paths import REPOSITORY

INVENTORY = REPOSITORY / "inventories" / "lab"
_FIRST_BARE = 101


def hosts(names: list[str]) -> list[LabHost]:
    """The named hosts, or all of the lab's inventory; a name that the inventory does not know is a bare host.

    Bare hosts get the free addresses from .101 on.
    """
    inventory = load(INVENTORY)
    known = {
        h.name: LabHost(h.name, h.ipv4, h.ipv6, tuple(h.extra_addresses)) for h in inventory.hosts.values()
    }  # fmt: skip
    running = {s.name: LabHost(s.name, s.ipv4, s.ipv6) for s in status()}
    planned = []
    taken = {host.ipv4 for host in (*known.values(), *running.values())}
    for name in names or known:
        host = known.get(name) or running.get(name) or _bare(name, taken)
        taken.add(host.ipv4)
        planned.append(host)
    return planned


def bare(name: str) -> LabHost:
    """A host that no inventory knows: at its running address, or the first free one."""
    running = {s.name: s for s in status()}
    if known := running.get(name):
        return LabHost(name, known.ipv4, known.ipv6)
    return _bare(name, {host.ipv4 for host in running.values()})


def _bare(name: str, taken: set[str]) -> LabHost:
    number = next(n for n in range(_FIRST_BARE, 250) if f"198.18.10.{n}" not in taken)
    return LabHost(name, f"198.18.10.{number}", f"fd00:18:10::{number}")
