"""The variables that the controller computes for each host; roles read them, nobody writes them.

The one module of this room that knows `deploy.dns`: a host's zones are among its variables.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from typing import Any

from deploy import paths
from deploy.dns import Zone, keys, mta_sts, mta_sts_id, trust_anchors, zones
from deploy.inventory.model import Host, Inventory, Organisation
from deploy.inventory.secrets import Secrets

UNKNOWN = "unknown"


def host_variables(inventory: Inventory, secrets: Secrets) -> dict[str, dict[str, Any]]:
    """The ``bsw_*`` variables of every host.

    Args:
        inventory: who stands where.
        secrets: as `deploy.inventory.secrets.read` gives them.

    Returns:
        Host: variable: value, plain data. ``bsw_zones`` holds private keys: treat it as a secret.
    """
    found = zones(inventory, secrets)
    platform = {
        "bsw_platform": _platform(inventory, secrets),
        "bsw_trust_anchors": trust_anchors(found),
        "bsw_commit": commit(),
    }
    return {
        host.name: _of_host(host, inventory.organisations[host.organisation], found) | platform
        for host in inventory.hosts.values()
    }


def _platform(inventory: Inventory, secrets: Secrets) -> dict[str, Any]:
    platform: dict[str, Any] = inventory.platform.model_dump(mode="json")
    own = [secrets[one.id]["pebble_key_secret"] for one in inventory.organisations.values() if "pebble" in one.roles]
    if own and platform["acme"] and not platform["acme"]["pin"]:
        platform["acme"]["pin"] = keys.pin(own[0])
    return platform


def _of_host(host: Host, organisation: Organisation, found: Iterable[Zone]) -> dict[str, Any]:
    return {
        "bsw_roles": list(host.roles),
        "bsw_host": {"name": host.name, "fqdn": host.fqdn, "ipv4": host.ipv4, "ipv6": host.ipv6},
        "bsw_organisation": _organisation(organisation),
        "bsw_zones": _zones(organisation, found) if "dns" in host.runs else [],
        "bsw_web_names": web_names(host, organisation),
    }


def _organisation(organisation: Organisation) -> dict[str, Any]:
    hosts = organisation.hosts.values()
    return {
        "id": organisation.id,
        "name": organisation.name,
        "domain": organisation.domain,
        "contact": organisation.contact,
        "base_dn": organisation.base_dn,
        "names": dict(organisation.public_names),
        "hosts": {host.name: {"ipv4": host.ipv4, "ipv6": host.ipv6, "roles": list(host.roles)} for host in hosts},
        "mta_sts": _mta_sts(organisation),
    }


def _mta_sts(organisation: Organisation) -> dict[str, str]:
    if "mta-sts" not in organisation.public_names:
        return {}
    return {"id": mta_sts_id(organisation), "policy": mta_sts(organisation)}


def _zones(organisation: Organisation, found: Iterable[Zone]) -> list[dict[str, str]]:
    return [
        {"name": zone.name, "file": zone.text, "key": zone.private_key}
        for zone in found
        if zone.organisation == organisation.id
    ]


def web_names(host: Host, organisation: Organisation) -> list[str]:
    """Names that a host's certificate must cover: public names on this host, but those of name servers.

    Returns:
        The name that stands first is the host's most important one; the bare domain is last.
    """
    public = organisation.public_names.items()
    names = [name for key, name in public if host in organisation.located(key) and name not in organisation.nameservers]
    return [*names, organisation.domain] if "web" in host.runs else names


def commit() -> str:
    """The toolkit's commit, ``+changes`` behind it where files differ from it; ``unknown`` outside git."""
    head = _git("rev-parse", "HEAD")
    return f"{head}+changes" if head != UNKNOWN and _git("status", "--porcelain") else head


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(paths.REPOSITORY), *arguments]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return UNKNOWN
