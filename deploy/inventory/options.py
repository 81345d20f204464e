"""Options of roles as their ``meta/argument_specs.yml`` declare them, and values held against that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from deploy.errors import Finding
from deploy.inventory.hints import choose, nearest
from deploy.inventory.source import Node

Spec = Mapping[str, Any]

# ten times faster, where PyYAML was built with it
_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Kind(NamedTuple):
    """A type of an argument spec: what it is for people, and the Python types that it takes."""

    words: str
    types: tuple[type, ...]


KINDS: Mapping[str, Kind] = {
    "str": Kind("text", (str, int, float)),
    "path": Kind("a path", (str,)),
    "bytes": Kind("a size", (str, int)),
    "int": Kind("a whole number", (int,)),
    "float": Kind("a number", (int, float)),
    "bool": Kind("true or false", (bool,)),
    "list": Kind("a list", (list,)),
    "dict": Kind("a mapping", (dict,)),
}
"""Ansible's types that restrict a value; the others take anything."""


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
        entry = yaml.load(path.read_text(encoding="utf-8"), _LOADER)["argument_specs"]["main"]  # noqa: S506 -- a safe one
        return {name: spec or {} for name, spec in (entry.get("options") or {}).items()}
    except (OSError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return None


def _check(name: str, spec: Spec, node: Node) -> Iterator[Finding]:
    kind, value = spec.get("type", "str"), node.value
    if isinstance(value, str) and "{{" in value:
        return  # Ansible works it out
    if not _is(kind, value):
        yield Finding(node.where, f"{name} must be {KINDS[kind].words}, not {value!r}", _remedy(spec))
    elif kind == "list":
        element = {"type": spec.get("elements", "raw"), **{key: spec.get(key) for key in ("choices", "options")}}
        for index, item in enumerate(node.items):
            yield from _check(f"{name}[{index}]", element, item)
    elif spec.get("choices") and value not in spec["choices"]:
        yield Finding(node.where, f"{name} cannot be {value!r}", choose(value, map(str, spec["choices"])))
    elif spec.get("options"):
        yield from _check_members(name, spec["options"], node)


def _check_members(name: str, options: Mapping[str, Spec | None], node: Node) -> Iterator[Finding]:
    strange = {key: member for key, member in node.members.items() if key not in options}
    for key, member in strange.items():
        yield Finding(member.where, f"unknown key {key!r} in {name}", choose(key, options))
    for key, spec in options.items():
        if key in node.members:
            yield from _check(f"{name}.{key}", spec or {}, node.members[key])
        elif (spec or {}).get("required") and key not in {nearest(word, options) for word in strange}:
            yield Finding(node.where, f"{name} lacks {key!r}", "add it")


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool) and kind in KINDS:
        return kind == "bool"
    return kind not in KINDS or isinstance(value, KINDS[kind].types)


def _remedy(spec: Spec) -> str:
    """What to write instead: the default, where there is one."""
    return f"its default is {spec['default']!r}" if "default" in spec else "see the role's meta/argument_specs.yml"
