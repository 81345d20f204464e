"""Which file of an inventory says what: Ansible's own layout and precedence, with the place of every variable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import Finding
from deploy.inventory.hints import choose
from deploy.inventory.source import Node, read, readable
from deploy.inventory.variable_files import SUFFIXES, VariableFiles, Variables

_NOTHING = Node(None, "")


@dataclass(frozen=True)
class GroupLayout:
    """An organisation as the files have it.

    Attributes:
        where: its place in ``hosts.yml``.
        home: where its variables belong.
        variables: its own variables.
        hosts: the variables of each of its hosts.
        places: each host's place in ``hosts.yml``.
    """

    where: str
    home: str
    variables: Variables
    hosts: Mapping[str, Variables]
    places: Mapping[str, str]


@dataclass(frozen=True)
class Layout:
    """An inventory as the files have it.

    Attributes:
        home: where the variables of everyone belong.
        everyone: the variables of everyone.
        groups: its organisations.
        incomplete: ``all``, organisations and hosts with a file that cannot be read.
        findings: what is wrong with the files themselves.
    """

    home: str
    everyone: Variables
    groups: Mapping[str, GroupLayout]
    incomplete: frozenset[str]
    findings: tuple[Finding, ...]


def survey(root: Path) -> Layout:
    """Read every file of an inventory.

    Args:
        root: its directory.
    """
    findings: list[Finding] = []
    files = VariableFiles(root, findings)
    hosts_file = _HostsFile(root / "hosts.yml", files, findings)
    groups = hosts_file.groups()
    everyone = files.of("group_vars", "all", hosts_file.variables())
    if groups:
        files.strangers("group_vars", "organisation", set(groups))
        files.strangers("host_vars", "host", {host for group in groups.values() for host in group.hosts})
    findings += _beside(root)
    return Layout(files.home("all"), everyone, groups, frozenset(files.incomplete), tuple(findings))


def _beside(root: Path) -> list[Finding]:
    """Files that Ansible would read as inventories, too."""
    others = [path for path in sorted(root.glob("*")) if path.is_file() and path.name != "hosts.yml"]
    return [
        Finding(readable(path), "an inventory file beside hosts.yml", "move what it says into hosts.yml")
        for path in others
        if path.suffix in {*SUFFIXES, "", ".ini", ".json", ".toml"} and not path.name.startswith(".")
    ]


class _HostsFile:
    """``hosts.yml``: ``all``, below it organisations, below them hosts."""

    def __init__(self, path: Path, files: VariableFiles, findings: list[Finding]) -> None:
        self.files = files
        self.findings = findings
        root = read(path, findings)
        self.top = self._top(root) if root else _NOTHING

    def variables(self) -> Variables:
        """What it says of everyone."""
        return self._mapping(self.top, "vars")

    def groups(self) -> Mapping[str, GroupLayout]:
        """Its organisations, with the variables that stand elsewhere."""
        return {name: self._group(name, node) for name, node in self._mapping(self.top, "children").items()}

    def _refuse(self, where: str, what: str, remedy: str) -> None:
        self.findings.append(Finding(where, what, remedy))

    def _top(self, root: Node) -> Node:
        self._only(root, ("all",), "a group outside `all`", "put it below all.children")
        top = root.members.get("all", _NOTHING)
        self._only(top, ("children", "vars"), "not an organisation", "put it below all.children.<organisation>")
        if top.where and not self._mapping(top, "children"):
            self._refuse(top.where, "no organisation", "name one below all.children")
        return top

    def _group(self, name: str, node: Node) -> GroupLayout:
        remedy = "an organisation has `hosts` and `vars`, no groups"
        self._only(node, ("hosts", "vars"), f"in organisation {name!r}", remedy)
        entries = self._mapping(node, "hosts")
        if not entries and not self._is_odd(node.members.get("hosts")):
            self._refuse(node.where, f"organisation {name!r} has no hosts", "name its hosts, or remove it")
        return GroupLayout(
            where=node.where,
            home=self.files.home(name),
            variables=self.files.of("group_vars", name, self._mapping(node, "vars")),
            hosts={host: self._host(host, entries) for host in entries},
            places={host: entry.where for host, entry in entries.items()},
        )

    def _host(self, name: str, entries: Variables) -> Variables:
        return self.files.of("host_vars", name, self._mapping(Node(None, "", entries), name))

    def _only(self, node: Node, allowed: tuple[str, ...], what: str, remedy: str) -> None:
        for key, member in node.members.items():
            if key not in allowed:
                self._refuse(member.where, f"unknown key {key!r}, {what}", choose(key, allowed, remedy))

    def _mapping(self, node: Node, key: str) -> Mapping[str, Node]:
        found = node.members.get(key, _NOTHING)
        if self._is_odd(found):
            self.files.incomplete.add(key)
            self._refuse(found.where, f"{key!r} is not a mapping", "write `key: value` lines below it")
        return found.members

    @staticmethod
    def _is_odd(node: Node | None) -> bool:
        return node is not None and not isinstance(node.value, dict | None)
