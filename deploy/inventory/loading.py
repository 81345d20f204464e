"""From the files to the model: every part is read, and all that is wrong is said at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from deploy import paths
from deploy.errors import Finding, Refused
from deploy.inventory import checks
from deploy.inventory.components import ROLE_ORDER
from deploy.inventory.keys import Level, unknown_keys
from deploy.inventory.layout import GroupLayout, Layout, Variables, survey
from deploy.inventory.model import Host, HostEntry, Inventory, Organisation, OrganisationEntry, Platform, roles_of
from deploy.inventory.options import RoleOptions
from deploy.inventory.problems import problems
from deploy.inventory.source import Node, readable

Entry = TypeVar("Entry", bound=BaseModel)


def load(path: Path) -> Inventory:
    """Read and validate an inventory.

    Args:
        path: its directory, such as ``inventories/lab``.

    Returns:
        What it says, known to be right.

    Raises:
        Refused: something is wrong with it; the findings name everything, each with file and line.
    """
    if not path.is_dir():
        raise Refused(Finding(readable(path), "no such inventory", "name a directory such as inventories/lab"))
    layout = survey(path)
    reader = _Reader(layout, RoleOptions(paths.ROLES, ROLE_ORDER))
    inventory = reader.inventory(path)
    if reader.findings or inventory is None:
        raise Refused(list(dict.fromkeys(reader.findings)))
    return inventory


class _Reader:
    def __init__(self, layout: Layout, options: RoleOptions) -> None:
        self.layout = layout
        self.options = options
        self.findings = list(layout.findings)

    def inventory(self, path: Path) -> Inventory | None:
        self._keys(Level.EVERYONE, self.layout.everyone)
        platform = self._entry(Platform, self.layout.everyone.get("platform"), "platform", self.layout.home)
        read = {name: self._organisation(name, group) for name, group in self.layout.groups.items()}
        organisations = {name: organisation for name, organisation in read.items() if organisation}
        self.findings += checks.hosts(self.layout)
        if not platform:
            return None
        inventory = Inventory.model_construct(path=path, platform=platform, organisations=organisations)
        self.findings += checks.inventory(inventory, self.layout)
        return inventory

    def _organisation(self, name: str, group: GroupLayout) -> Organisation | None:
        self._keys(Level.ORGANISATION, group.variables)
        entry = self._entry(OrganisationEntry, group.variables.get("organisation"), "organisation", group.home)
        chosen = self._components(group)
        self.findings += checks.organisation(name, group, chosen)
        domain = entry.domain if entry else "domain.invalid"
        hosts = [self._host(host, name, domain, chosen, group) for host in group.hosts]
        if entry is None:
            return None
        known = {host.name: host for host in hosts if host}
        return Organisation.model_construct(**_fields(entry), id=name, components=chosen, hosts=known)

    def _components(self, group: GroupLayout) -> Mapping[str, str]:
        node = group.variables.get("components")
        if node is None:
            self.findings.append(
                Finding(group.home, "missing key 'components'", "add it: `capability: component` lines")
            )
            return {}
        return checks.components(node, self.findings)

    def _host(self, name: str, owner: str, domain: str, chosen: Mapping[str, str], group: GroupLayout) -> Host | None:
        variables = group.hosts[name]
        self._keys(Level.HOST, variables)
        members = {key: node for key, node in variables.items() if key in HostEntry.model_fields}
        place = Node({key: node.value for key, node in members.items()}, group.places[name], members)
        entry = self._entry(HostEntry, place, f"host {name!r}", place.where)
        if entry is None:
            return None
        return Host.model_construct(
            **_fields(entry) | {"ansible_host": entry.ansible_host or entry.ipv4},
            name=name,
            organisation=owner,
            fqdn=f"{name}.{domain}",
            roles=roles_of(entry.runs, chosen),
            variables={
                key: node.value for key, node in {**self.layout.everyone, **group.variables, **variables}.items()
            },
        )

    def _entry(self, model: type[Entry], node: Node | None, name: str, home: str) -> Entry | None:
        if node is None:
            self.findings.append(
                Finding(home, f"missing key {name!r}", "add it; inventories/lab is the example to copy")
            )
            return None
        try:
            return model.model_validate(node.value)
        except ValidationError as error:
            self.findings += problems(error, model, node, name)
            return None

    def _keys(self, level: Level, variables: Variables) -> None:
        self.findings += unknown_keys(level, variables, self.options)
        for key, node in variables.items():
            self.findings += self.options.findings(key, node)


def _fields(entry: BaseModel) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in type(entry).model_fields}


def show(inventory: Inventory) -> dict[str, Any]:
    """What an inventory says, for people and for ``--json``.

    Returns:
        ``domain`` and ``components`` of the primary organisation, and ``hosts`` by name.
    """
    return {
        "domain": inventory.domain,
        "components": dict(inventory.components),
        "hosts": {name: _described(host) for name, host in inventory.hosts.items()},
    }


def _described(host: Host) -> dict[str, Any]:
    described: Iterable[str] = ("organisation", "fqdn", "ansible_host", "ipv4", "ipv6", "runs", "roles")
    return host.model_dump(include=set(described), mode="json")
