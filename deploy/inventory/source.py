"""YAML files read with the place of everything in them, so that each error can say file and line."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from deploy.errors import Finding

_TEXT_TAGS = frozenset({"!vault", "!unsafe"})
_MERGE = "tag:yaml.org,2002:merge"


@dataclass(frozen=True)
class Node:
    """A value and where it stands.

    Attributes:
        value: the value as plain Python: text, number, boolean, ``None``, list or dict.
        where: ``file:line`` of its key, or of the value itself inside a list.
        members: the nodes of a mapping by key.
        items: the nodes of a list.
    """

    value: Any
    where: str
    members: Mapping[str, Node] = field(default_factory=dict)
    items: tuple[Node, ...] = ()

    def at(self, *path: str | int) -> Node:
        """The node at a path of keys and indexes, or the deepest one on the way to it that exists."""
        node = self
        for step in path:
            if isinstance(step, str) and step in node.members:
                node = node.members[step]
            elif isinstance(step, int) and step < len(node.items):
                node = node.items[step]
            else:
                break
        return node


def readable(path: Path) -> str:
    """A path as a person would type it: relative to the working directory where it is below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def read(path: Path, findings: list[Finding]) -> Node | None:
    """Read one YAML file.

    Args:
        path: the file.
        findings: what is wrong with the file is added here.

    Returns:
        Its root, always a mapping; ``None`` where the file cannot be used at all.
    """
    name = readable(path)
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except FileNotFoundError:
        findings.append(Finding(name, "missing file", "make it; inventories/lab is the example to copy"))
    except (OSError, UnicodeDecodeError) as error:
        findings.append(Finding(name, f"cannot be read: {error}", "it must be a readable file in UTF-8"))
    except yaml.YAMLError as error:
        findings.append(_syntax(name, error))
    else:
        return _document(name, root, findings)
    return None


def _document(name: str, root: yaml.Node | None, findings: list[Finding]) -> Node | None:
    if root is None:
        findings.append(Finding(f"{name}:1", "empty file", "fill it or remove it"))
        return None
    node = _Builder(name, findings).build(root)
    if not isinstance(root, yaml.MappingNode):
        findings.append(Finding(node.where, "this file is not a mapping", "write `key: value` lines"))
        return None
    return node


def _syntax(name: str, error: yaml.YAMLError) -> Finding:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    where = f"{name}:{mark.line + 1}" if mark else name
    if "'\\t'" in problem:
        return Finding(where, "a tab where YAML wants spaces", "indent with spaces")
    if "another document" in problem:
        return Finding(where, "a second YAML document", "remove the line `---` or what follows it")
    return Finding(where, f"not valid YAML: {problem}", "mend the syntax here or on the line above")


@functools.cache
def _constructor() -> yaml.constructor.SafeConstructor:
    return yaml.constructor.SafeConstructor()


class _Builder:
    """Turns PyYAML's nodes into ours and notes what Ansible and we would read differently."""

    def __init__(self, name: str, findings: list[Finding]) -> None:
        self.name = name
        self.findings = findings
        self.open: list[yaml.Node] = []

    def where(self, node: yaml.Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}"

    def refuse(self, node: yaml.Node, what: str, remedy: str) -> None:
        self.findings.append(Finding(self.where(node), what, remedy))

    def build(self, node: yaml.Node, where: str = "") -> Node:
        where = where or self.where(node)
        if any(node is parent for parent in self.open):
            self.refuse(node, "a value that contains itself", "write it out instead of using an alias")
            return Node(None, where)
        self.open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                members = dict(self._members(node))
                return Node({key: member.value for key, member in members.items()}, where, members=members)
            if isinstance(node, yaml.SequenceNode):
                items = tuple(self.build(item) for item in node.value)
                return Node([item.value for item in items], where, items=items)
            return Node(self._scalar(node), where)
        finally:
            self.open.pop()

    def _members(self, mapping: yaml.MappingNode) -> Iterator[tuple[str, Node]]:
        seen: dict[str, str] = {}
        for key_node, value_node in mapping.value:
            key, where = key_node.value, self.where(key_node)
            if key_node.tag == _MERGE:
                self.refuse(key_node, "a merge key (<<)", "write the keys out")
            elif not isinstance(key_node, yaml.ScalarNode) or not isinstance(self._scalar(key_node), str):
                self.refuse(key_node, f"the key {key!r} is not text", "put it in quotes")
            elif key in seen:
                self.refuse(key_node, f"duplicate key {key!r}, also on line {seen[key]}", "keep one of the two")
            else:
                seen[key] = where.rpartition(":")[2]
                yield key, self.build(value_node, where)

    def _scalar(self, node: yaml.Node) -> Any:
        if node.tag in _TEXT_TAGS:
            return node.value
        try:
            return _constructor().construct_object(node)
        except (yaml.YAMLError, ValueError):
            self.refuse(node, f"cannot read {node.value!r} as {node.tag}", "put it in quotes")
            return None
