"""Options of roles as their ``meta/argument_specs.yml`` declare them, and values held against that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from deploy.errors import Finding
from deploy.inventory.source import Node

Spec = Mapping[str, Any]

_KINDS: Mapping[str, tuple[type, ...]] = {
    "str": (str, int, float),
    "path": (str,),
    "bytes": (str, int),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
}
_NAMES: Mapping[str, str] = {
    "str": "text",
    "path": "a path",
    "bytes": "a size",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "a mapping",
}


class RoleOptions:
    """The options of all roles.

    Attributes:
        specs: what each option takes, by name.
        open_roles: roles that declare nothing yet; any option with their prefix passes.
    """

    def __init__(self, roles: Path, expected: tuple[str, ...]) -> None:
        self.specs: dict[str, Spec] = {}
        self.open_roles: list[str] = []
        for role in sorted({*expected, *(path.name for path in roles.glob("*") if path.is_dir())}):
            declared = _declared(roles / role / "meta" / "argument_specs.yml")
            if declared is None:
                self.open_roles.append(role)
            else:
                self.specs.update(declared)

    def knows(self, name: str) -> bool:
        """Whether a variable is an option of a role."""
        return name in self.specs or any(name.startswith(f"{role}_") for role in self.open_roles)

    def findings(self, name: str, node: Node) -> Iterator[Finding]:
        """What is wrong with the value of an option."""
        if name in self.specs:
            yield from _check(name, self.specs[name], node)


def _declared(path: Path) -> dict[str, Spec] | None:
    try:
        entry = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]
        return {name: spec or {} for name, spec in (entry.get("options") or {}).items()}
    except (OSError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return None


def _check(name: str, spec: Spec, node: Node) -> Iterator[Finding]:
    kind = spec.get("type", "str")
    if (isinstance(node.value, str) and "{{" in node.value) or (node.value is None and not spec.get("required")):
        return
    if not _is(kind, node.value):
        yield Finding(node.where, f"{name} must be {_NAMES[kind]}, not {node.value!r}", _remedy(spec))
        return
    choices = spec.get("choices")
    for item in node.items if kind == "list" else (node,):
        if choices and item.value not in choices:
            allowed = ", ".join(map(str, choices))
            yield Finding(item.where, f"{name} cannot be {item.value!r}", f"choose one of {allowed}")
    for index, item in enumerate(node.items):
        element = {"type": spec.get("elements", "raw"), "options": spec.get("options")}
        yield from _check(f"{name}[{index}]", element, item)
    if kind == "dict" and spec.get("options"):
        yield from _check_members(name, spec["options"], node)


def _check_members(name: str, options: Mapping[str, Spec], node: Node) -> Iterator[Finding]:
    for key, member in node.members.items():
        if key not in options:
            yield Finding(member.where, f"unknown key {key!r} in {name}", f"it has {', '.join(options)}")
        else:
            yield from _check(f"{name}.{key}", options[key] or {}, member)
    for key, spec in options.items():
        if (spec or {}).get("required") and key not in node.members:
            yield Finding(node.where, f"{name} lacks {key!r}", "add it")


def _is(kind: str, value: Any) -> bool:
    if kind not in _KINDS:
        return True
    if isinstance(value, bool):
        return kind == "bool"
    return isinstance(value, _KINDS[kind])


def _remedy(spec: Spec) -> str:
    """What to write instead: the default, where there is one."""
    return f"its default is {spec['default']!r}" if "default" in spec else "see its description in the role"
