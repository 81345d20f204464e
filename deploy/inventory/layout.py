"""Which file of an inventory says what: Ansible's own layout and precedence, with the place of every variable."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.errors import Finding
from deploy.inventory.source import Node, read, readable

SECRETS_FILE = "secrets.yml"
_SUFFIXES = (".yml", ".yaml")
_GROUP_KEYS = frozenset({"hosts", "vars"})

Variables = Mapping[str, Node]


@dataclass(frozen=True)
class GroupLayout:
    """An organisation as the files have it.

    Attributes:
        where: its place in ``hosts.yml``.
        variables: its own variables.
        hosts: the variables of each of its hosts.
        places: each host's place in ``hosts.yml``.
        home: the file where its variables belong, for remedies.
    """

    where: str
    variables: Variables
    hosts: Mapping[str, Variables]
    places: Mapping[str, str]
    home: str


@dataclass(frozen=True)
class Layout:
    """An inventory as the files have it: variables of everyone, then of each organisation."""

    everyone: Variables
    groups: Mapping[str, GroupLayout]
    home: str
    findings: list[Finding] = field(default_factory=list)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A remedy that names the nearest known word; empty when none is near."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else ""


def survey(root: Path) -> Layout:
    """Read every file of an inventory.

    Args:
        root: its directory.

    Returns:
        What stands where; ``findings`` has whatever is wrong with the files themselves.
    """
    return _Surveyor(root).survey()


class _Surveyor:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.findings: list[Finding] = []

    def refuse(self, where: str, what: str, remedy: str) -> None:
        self.findings.append(Finding(where, what, remedy))

    def survey(self) -> Layout:
        groups = self._groups()
        everyone = self._merge(self._everyone(), self._variable_files("group_vars", "all"))
        layouts = {name: self._group(name, node) for name, node in groups.items()}
        hosts = [host for group in layouts.values() for host in group.hosts]
        self._strangers("group_vars", {*layouts, "all"}, "organisation", "organisations")
        self._strangers("host_vars", set(hosts), "host", "hosts")
        self._other_files()
        return Layout(everyone, layouts, self._home("all"), self.findings)

    # hosts.yml

    def _groups(self) -> Mapping[str, Node]:
        root = read(self.root / "hosts.yml", self.findings)
        self.top = root.members.get("all") if root else None
        if root and not (self.top and self.top.members):
            self.refuse(root.where, "no mapping `all`", "put everything below `all:`")
        if root:
            self._only(root, {"all"}, "a group outside `all`", "put it below all.children")
        if self.top:
            self._only(
                self.top,
                {"children", "vars"},
                "a host outside an organisation",
                "put it below all.children.<organisation>",
            )
        return self._mapping(self.top, "children")

    def _only(self, node: Node, allowed: set[str], what: str, remedy: str) -> None:
        for key, member in node.members.items():
            if key not in allowed:
                self.refuse(member.where, f"{what}: {key!r}", did_you_mean(key, allowed) or remedy)

    def _mapping(self, node: Node | None, key: str) -> Mapping[str, Node]:
        found = node.members.get(key) if node else None
        if found is None:
            return {}
        if not isinstance(found.value, dict | None):
            self.refuse(found.where, f"{key!r} is not a mapping", "write `name:` lines below it")
        return found.members

    def _everyone(self) -> Variables:
        return self._mapping(self.top, "vars")

    def _group(self, name: str, node: Node) -> GroupLayout:
        for key, member in node.members.items():
            if key not in _GROUP_KEYS:
                self.refuse(
                    member.where, f"unknown key {key!r} in a group", "an organisation has `hosts` and `vars`, no groups"
                )
        variables = self._merge(self._mapping(node, "vars"), self._variable_files("group_vars", name))
        entries = self._mapping(node, "hosts")
        if not entries:
            self.refuse(node.where, f"organisation {name!r} has no hosts", "name its hosts, or remove it")
        hosts = {host: self._host(host, entry) for host, entry in entries.items()}
        return GroupLayout(
            node.where, variables, hosts, {host: entry.where for host, entry in entries.items()}, self._home(name)
        )

    def _host(self, name: str, entry: Node) -> Variables:
        if not isinstance(entry.value, dict | None):
            self.refuse(
                entry.where, f"the variables of host {name!r} are not a mapping", "write `key: value` lines below it"
            )
        return self._merge(entry.members, self._variable_files("host_vars", name))

    # group_vars and host_vars

    def _home(self, group: str) -> str:
        return f"{readable(self.root / 'group_vars' / group / 'main.yml')}"

    def _files(self, folder: str, name: str) -> Iterator[Path]:
        for suffix in _SUFFIXES:
            if (path := self.root / folder / f"{name}{suffix}").is_file():
                yield path
        for path in sorted((self.root / folder / name).rglob("*")):
            if path.suffix in _SUFFIXES and not path.name.startswith("."):
                yield path

    def _variable_files(self, folder: str, name: str) -> Variables:
        merged: Variables = {}
        for path in self._files(folder, name):
            if path.name == SECRETS_FILE:
                self._encrypted(path)
            elif root := read(path, self.findings):
                merged = self._merge(merged, root.members)
        return merged

    def _encrypted(self, path: Path) -> None:
        with path.open("rb") as file:
            if not file.read(64).startswith(b"$ANSIBLE_VAULT;"):
                self.refuse(f"{readable(path)}:1", "secrets in the open", "encrypt this file with ansible-vault")

    def _merge(self, first: Variables, second: Variables) -> Variables:
        """Two sources of one level: each variable may stand in one of them."""
        for key in first.keys() & second.keys():
            self.refuse(second[key].where, f"duplicate key {key!r}, also at {first[key].where}", "keep one of the two")
        return {**first, **second}

    # files that Ansible and we would read differently

    def _strangers(self, folder: str, known: set[str], kind: str, kinds: str) -> None:
        for path in sorted((self.root / folder).glob("*")):
            name = path.stem if path.suffix in _SUFFIXES else path.name
            if name not in known and not name.startswith("."):
                remedy = did_you_mean(name, known) or f"the {kinds} are {', '.join(sorted(known))}"
                self.refuse(readable(path), f"no {kind} {name!r} in hosts.yml", remedy)

    def _other_files(self) -> None:
        for path in sorted(self.root.glob("*")):
            if (
                path.is_file()
                and path.name != "hosts.yml"
                and path.suffix in {*_SUFFIXES, "", ".ini", ".json", ".toml"}
            ):
                self.refuse(readable(path), "an inventory file beside hosts.yml", "move what it says into hosts.yml")
