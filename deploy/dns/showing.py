"""Records as a person hands them to somebody else: to the parent, or to a DNS provider."""

from __future__ import annotations

import difflib

from deploy.dns.zone import Zone
from deploy.dns.zones import by_name, zones
from deploy.errors import Finding, Refused
from deploy.inventory.model import Inventory
from deploy.inventory.secrets import Secrets


def show(inventory: Inventory, secrets: Secrets, domain: str) -> str:
    """The records of a zone as a master file, and what its parent has to publish.

    Args:
        inventory: who stands where.
        secrets: as `deploy.inventory.secrets.read` gives them.
        domain: the zone, with or without the dot at its end.

    Raises:
        Refused: the inventory has no such zone.
    """
    found = by_name(zones(inventory, secrets))
    name = f"{domain.rstrip('.')}."
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        remedy = f"did you mean {near[0]}" if near else f"there are {' '.join(found)}"
        raise Refused(Finding(domain, f"no such zone in {inventory.name}", remedy))
    return found[name].text + _for_the_parent(found[name])


def _for_the_parent(zone: Zone) -> str:
    if not zone.ds:
        return (
            "; Its name servers are elsewhere: publish these records there, sign the zone, give its DS to the parent.\n"
        )
    servers = [record.data for record in zone.records if record.type == "NS" and record.name == zone.name]
    lines = [f"{zone.name} IN NS {server}" for server in servers]
    lines += [
        f"{record.name} IN {record.type} {record.data}"
        for record in zone.records
        if record.name in servers and record.type in ("A", "AAAA")
    ]
    lines.append(f"{zone.name} IN DS {zone.ds.to_text()}")
    return "\n".join(["; For the parent zone:", *(f"; {line}" for line in lines), ""])
