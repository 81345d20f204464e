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
from deploy.inventory.hints import nearest
from deploy.inventory.keys import Level, unknown_keys
from deploy.inventory.layout import GroupLayout, Layout, survey
from deploy.inventory.model import Host, HostEntry, Inventory, Organisation, OrganisationEntry, Platform, roles_of
from deploy.inventory.options import RoleOptions
from deploy.inventory.problems import problems
from deploy.inventory.running import Running, component_findings, components
from deploy.inventory.source import Node, readable
from deploy.inventory.variable_files import Variables

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
    findings = reader.findings()
    if findings or not inventory:
        raise Refused(findings)
    return inventory


class _Reader:
    """Makes each part of the model from what the files say, and notes what is wrong on the way."""

    def __init__(self, layout: Layout, options: RoleOptions) -> None:
        self.layout = layout
        self.options = options
        self.noted: list[Finding] = []

    def findings(self) -> list[Finding]:
        """All that is wrong, without what only follows from a place that could not be read."""
        unread = {finding.where for finding in self.layout.findings}
        follow_ups = (finding for finding in self.noted if finding.where not in unread)
        return list(dict.fromkeys([*self.layout.findings, *follow_ups]))

    def inventory(self, path: Path) -> Inventory | None:
        """All that is right in itself; ``None`` where even the platform is not."""
        self._keys(Level.EVERYONE, self.layout.everyone)
        self.noted += checks.names(self.layout)
        platform = self._entry(Platform, "platform", "all", self.layout.everyone, self.layout.home)
        read = [self._organisation(name, group) for name, group in self.layout.groups.items()]
        if not platform or not read:
            return None
        organisations = {organisation.id: organisation for organisation in read if organisation}
        found = Inventory.model_construct(path=path, platform=platform, organisations=organisations)
        self.noted += checks.whole(found, self.layout)
        return found

    def _organisation(self, name: str, group: GroupLayout) -> Organisation | None:
        self._keys(Level.ORGANISATION, group.variables)
        entry = self._entry(OrganisationEntry, "organisation", name, group.variables, group.home)
        chosen = self._components(name, group)
        self.noted += Running(name, group).findings()
        domain = entry.domain if entry else "invalid"
        hosts = [self._host(host, name, domain, chosen) for host in group.hosts]
        known = {host.name: host for host in hosts if host}
        return (
            Organisation.model_construct(**_fields(entry), id=name, components=chosen, hosts=known) if entry else None
        )

    def _components(self, name: str, group: GroupLayout) -> Mapping[str, str]:
        node = group.variables.get("components")
        if node is None:
            self._missing("components", name, group.variables, group.home)
            return {}
        self.noted += component_findings(node)
        return components(node)

    def _host(self, name: str, owner: str, domain: str, chosen: Mapping[str, str]) -> Host | None:
        group = self.layout.groups[owner]
        variables = group.hosts[name]
        self._keys(Level.HOST, variables)
        members = {key: node for key, node in variables.items() if key in HostEntry.model_fields}
        node = Node(_values(members), group.places[name], members)
        entry = self._validated(HostEntry, node, name, beside=variables.keys() - members.keys())
        if entry is None:
            return None
        return Host.model_construct(
            **_fields(entry) | {"ansible_host": entry.ansible_host or entry.ipv4},
            name=name,
            organisation=owner,
            fqdn=f"{name}.{domain}",
            roles=roles_of(entry.runs, chosen),
            variables=_values({**self.layout.everyone, **group.variables, **variables}),
        )

    def _entry(self, model: type[Entry], key: str, level: str, variables: Variables, home: str) -> Entry | None:
        """One of the toolkit's own keys."""
        if key in variables:
            return self._validated(model, variables[key], key)
        self._missing(key, level, variables, home)
        return None

    def _validated(self, model: type[Entry], node: Node, name: str, beside: Iterable[str] = ()) -> Entry | None:
        try:
            return model.model_validate(node.value)
        except ValidationError as error:
            self.noted += problems(error, model, node, name, beside)
            return None

    def _missing(self, key: str, level: str, variables: Variables, home: str) -> None:
        """A key that is not there, unless it is misspelt or its file could not be read."""
        if level not in self.layout.incomplete and not nearest(key, variables):
            self.noted.append(Finding(home, f"missing key {key!r}", "add it; inventories/lab is the example to copy"))

    def _keys(self, level: Level, variables: Variables) -> None:
        self.noted += unknown_keys(level, variables, self.options)
        for key, node in variables.items():
            self.noted += self.options.findings(key, node)


def _values(variables: Variables) -> dict[str, Any]:
    return {key: node.value for key, node in variables.items()}


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
