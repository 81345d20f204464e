"""The files below ``group_vars`` and ``host_vars``, as Ansible finds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from deploy.errors import Finding
from deploy.inventory.hints import choose
from deploy.inventory.source import Node, read, readable

SECRETS_FILE = "secrets.yml"
SUFFIXES = (".yml", ".yaml")

Variables = Mapping[str, Node]


class VariableFiles:
    """Variables of groups and hosts.

    Attributes:
        findings: what is wrong with the files.
        incomplete: groups and hosts with a file that cannot be read: what they lack may stand there.
    """

    def __init__(self, root: Path, findings: list[Finding]) -> None:
        self.root = root
        self.findings = findings
        self.incomplete: set[str] = set()

    def home(self, group: str) -> str:
        """Where a group's variables belong, as ``file:line``."""
        return f"{readable(self.root / 'group_vars' / group / 'main.yml')}:1"

    def of(self, folder: str, name: str, first: Variables) -> Variables:
        """The variables of a group or a host.

        Args:
            folder: ``group_vars`` or ``host_vars``.
            name: whose.
            first: what ``hosts.yml`` says of it.
        """
        merged = first
        for path in self._files(folder, name):
            if path.name == SECRETS_FILE:
                self._encrypted(path)
            elif root := read(path, self.findings):
                merged = self._merge(merged, root.members)
            else:
                self.incomplete.add(name)
        return merged

    def strangers(self, folder: str, kind: str, known: set[str]) -> None:
        """Refuse variables of a group or a host that ``hosts.yml`` does not have; Ansible would ignore them."""
        for path in sorted((self.root / folder).glob("*")):
            name = path.stem if path.suffix in SUFFIXES else path.name
            if name not in known | {"all"} and not name.startswith("."):
                what = f"no {kind} {name!r} in hosts.yml"
                self.findings.append(Finding(readable(path), what, choose(name, sorted(known))))

    def _files(self, folder: str, name: str) -> Iterator[Path]:
        for suffix in SUFFIXES:
            if (path := self.root / folder / f"{name}{suffix}").is_file():
                yield path
        for path in sorted((self.root / folder / name).rglob("*")):
            if path.suffix in SUFFIXES and not path.name.startswith("."):
                yield path

    def _encrypted(self, path: Path) -> None:
        with path.open("rb") as file:
            if not file.read(64).startswith(b"$ANSIBLE_VAULT;"):
                what = "secrets in the open"
                self.findings.append(Finding(f"{readable(path)}:1", what, "encrypt this file with ansible-vault"))

    def _merge(self, first: Variables, second: Variables) -> Variables:
        """Two sources of one level: each variable may stand in one of them."""
        for key in first.keys() & second.keys():
            what = f"duplicate key {key!r}, also at {first[key].where}"
            self.findings.append(Finding(second[key].where, what, "keep one of the two"))
        return {**first, **second}
