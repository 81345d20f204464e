"""The reference pages of roles and commands, written from what they declare themselves.

``python -m deploy.documentation`` writes them. The same repository gives the same pages, on any machine.
"""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import typer.main
import yaml
from jinja2 import Environment, nodes

from deploy.cli import app
from deploy.inventory.components import CAPABILITIES, EVERYWHERE, ROLE_ORDER
from deploy.inventory.secrets import SECRETS
from deploy.paths import REPOSITORY, ROLES

REFERENCE = REPOSITORY / "docs" / "reference"
WIDTH = 120
LONGEST_DEFAULT = 200
"""In characters: a longer one is a list to be read where it stands."""

ROLES_HEAD = """\
# Roles

What each role is, what it installs, where it may be reached, what it may reach, and its options. A host accepts and
begins no other connection than those listed here with its roles. An option may stand in any variables file of the
inventory ([where](inventory.md#options-of-roles)). *If configured so*: an option or the inventory asks for it. `…` is
what only the inventory can say.

Written by `python -m deploy.documentation` from the roles themselves: change them, not this page."""

COMMANDS_HEAD = """\
# Commands

Every command ends with 0 (fine), 1 (found something) or 2 (could not run; each reason is a line: where, what, what to
do). Without `-i` a command is about the lab.

Written by `python -m deploy.documentation` from the commands themselves: change them, not this page."""


def pages() -> dict[Path, str]:
    """The text of every page that is generated."""
    roles_page = [ROLES_HEAD, *(_role_section(role) for role in roles())]
    commands_page = [COMMANDS_HEAD, *(_command_section(*found) for found in commands())]
    return {
        REFERENCE / "roles.md": "\n\n".join(roles_page) + "\n",
        REFERENCE / "commands.md": "\n\n".join(commands_page) + "\n",
    }


# ---- roles


@dataclass(frozen=True)
class Comment:
    """The comment above an option's default; ``shared`` if it stands above several."""

    text: str
    shared: bool


@dataclass(frozen=True)
class Declared:
    """An entry of a list that a role declares; ``always``: whatever the options and the inventory say."""

    value: Any
    always: bool


class Role:
    """A role as its files declare it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        self.spec: Mapping[str, Any] = _yaml(path / "meta/argument_specs.yml")["argument_specs"]["main"]
        self.options: Mapping[str, Any] = self.spec.get("options") or {}
        self.defaults = _yaml(path / "defaults/main.yml")
        self.vars = _yaml(path / "vars/main.yml")

    @cached_property
    def comments(self) -> Mapping[str, Comment]:
        """By option. Keys without an empty line between them share a comment."""
        file = self.path / "defaults/main.yml"
        found: dict[str, Comment] = {}
        for block in re.split(r"\n\s*\n", file.read_text(encoding="utf-8") if file.exists() else ""):
            words = " ".join(line.lstrip("# ") for line in block.splitlines() if line.startswith("#"))
            keys = re.findall(r"^(\w+):", block, re.MULTILINE)
            found |= {key: Comment(words, shared=len(keys) > 1) for key in keys if words}
        return found

    def declared(self, what: str) -> list[Declared]:
        """The entries of the list ``<role>_<what>``, as far as they are known without an inventory."""
        return list(self._entries(self.vars.get(f"{self.name}_{what}"), always=True))

    def _entries(self, value: Any, *, always: bool) -> Iterator[Declared]:
        if isinstance(value, list):
            yield from (Declared(entry, always) for entry in value)
        elif isinstance(value, str):
            for node in _parsed(value):
                yield from self._literals(node, always=always)

    def _literals(self, node: nodes.Node, *, always: bool) -> Iterator[Declared]:
        match node:
            case nodes.List():
                yield from (Declared(_literal(item), always) for item in node.items)
            case nodes.Add():
                yield from self._literals(node.left, always=always)
                yield from self._literals(node.right, always=always)
            case nodes.CondExpr():
                yield from self._literals(node.expr1, always=False)
                yield from self._literals(node.expr2, always=False) if node.expr2 else ()
            case nodes.Name():
                yield from self._entries(self.vars.get(node.name), always=always)
            case nodes.Stmt():
                yield from (Declared(_literal(entry), False) for entry in node.find_all(nodes.Dict))


def roles(root: Path = ROLES) -> list[Role]:
    """Every role that declares its options, in converge order."""
    found = {path.parent.parent for path in root.glob("*/meta/argument_specs.yml")}
    return [Role(path) for path in sorted(found, key=lambda path: ([*ROLE_ORDER, path.name].index(path.name), path))]


def _role_section(role: Role) -> str:
    description = role.spec.get("description") or []
    about = [_item(_marked(line)) for line in ([description] if isinstance(description, str) else description)]
    if (role.path / "README.md").exists():
        about.append(_item(f"Its contract: [README](../../roles/{role.name}/README.md)."))
    parts = [
        f"## {role.name}",
        _wrapped(f"{_marked(role.spec['short_description'])}. {_where(role.name)}"),
        "\n".join(about),
    ]
    for title, lines in (
        ("packages", _packages(role)),
        ("may be reached at", _connections(role, "listens", "from")),
        ("may reach", _connections(role, "flows", "to")),
        ("options", [_option(role, name) for name in role.options]),
    ):
        if lines:
            parts += [f"### {role.name}: {title}", "\n".join(lines)]
    return "\n\n".join(filter(None, parts))


def _where(role: str) -> str:
    if role in EVERYWHERE:
        return "On every host."
    uses = [
        f"`{capability}: {component}`"
        for capability, its in CAPABILITIES.items()
        for component, names in its.components.items()
        if role in names
    ]
    return f"With {' or '.join(uses)}." if uses else "No capability has it yet."


def _packages(role: Role) -> list[str]:
    entries = role.declared("packages")
    lines = []
    for words, always in (("", True), ("If configured so: ", False)):
        if names := [f"`{entry.value}`" for entry in entries if entry.always is always]:
            lines.append(_item(words + ", ".join(names)))
    return lines


def _connections(role: Role, what: str, preposition: str) -> list[str]:
    lines = []
    for entry in role.declared(what):
        said = {key: _said(value) for key, value in entry.value.items()}
        user = f"`{said['user']}` " if "user" in said else ""
        condition = "" if entry.always else " (if configured so)"
        line = f"{user}{said['protocol']} {said['port']} {preposition} {said[preposition]}: {said['reason']}{condition}"
        lines.append(_item(line))
    return list(dict.fromkeys(lines))


def _option(role: Role, name: str) -> str:
    spec = role.options[name] or {}
    notes = [f"`{spec.get('type', 'str')}`" + (f" of `{spec['elements']}`" if "elements" in spec else "")]
    if name in SECRETS:
        notes.append("made by `bsw inventory secrets`")
    elif name.endswith("_secret"):
        notes.append("in `secrets.yml`")
    elif spec.get("required"):
        notes.append("needed")
    else:
        notes.append(_default(role, name, role.defaults.get(name, spec.get("default"))))
    description = spec.get("description", "")
    said = _marked(description if isinstance(description, str) else " ".join(description))
    if comment := role.comments.get(name):
        said = f"{said} {_marked(comment.text)}" if comment.shared else _marked(comment.text)
    return _item(f"**`{name}`** ({', '.join(notes)}): {said}")


def _default(role: Role, name: str, value: Any) -> str:
    """A default as it would stand in an inventory; a long one is left where it is."""
    literal = value if isinstance(value, str) and "{{" in value else json.dumps(value, ensure_ascii=False)
    if len(literal) > LONGEST_DEFAULT:
        return f"[default](../../roles/{role.name}/defaults/main.yml)"
    return f"default `{' '.join(literal.split())}`"


def _marked(text: str) -> str:
    """Ansible's markup as Markdown, on one line."""
    marked = re.sub(r"\b[BCIOV]\(([^)]*)\)", r"`\1`", " ".join(text.split()))
    return "`".join(part if code % 2 else part.replace("<", "\\<") for code, part in enumerate(marked.split("`")))


def _yaml(path: Path) -> dict[str, Any]:
    return (yaml.safe_load(path.read_text(encoding="utf-8")) or {}) if path.exists() else {}


# ---- expressions, read and never run


def _parsed(text: str) -> Iterator[nodes.Node]:
    """The expressions and statements of a template."""
    for node in Environment(autoescape=True).parse(text).body:
        yield from node.nodes if isinstance(node, nodes.Output) else [node]


def _literal(node: nodes.Expr) -> Any:
    """The value of a constant; of a mapping, its values as expressions."""
    if isinstance(node, nodes.Const):
        return node.value
    return {pair.key.as_const(): pair.value for pair in node.items} if isinstance(node, nodes.Dict) else node


def _said(value: Any) -> str:  # noqa: PLR0911  (one for each kind of expression)
    """A value in words, as far as it is known without an inventory."""
    match value:
        case list():
            return ", ".join(map(_said, value))
        case nodes.List():
            return _said(value.items)
        case str() if "{{" in value:
            return "".join(map(_said, _parsed(value)))
        case nodes.Const():
            return str(value.value)
        case nodes.TemplateData():
            return value.data
        case nodes.Concat():
            return "".join(map(_said, value.nodes))
        case nodes.Or():
            return f"{_said(value.left)} or {_said(value.right)}"
        case nodes.Name() if not value.name.startswith("__"):
            return f"`{value.name}`"
        case nodes.Getattr(node=nodes.Name(name=name)) if not name.startswith("__"):
            return f"`{name}.{value.attr}`"
        case nodes.Node():
            return "…"
    return str(value)


# ---- commands


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with its whole name, as the help lists them; hidden ones are left out."""
    return _below("bsw", typer.main.get_command(app))


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = {} if command.hidden else getattr(command, "commands", {})
    if not command.hidden and (not inner or getattr(command, "invoke_without_command", False)):
        yield name, command
    for word, child in inner.items():
        yield from _below(f"{name} {word}", child)


def _command_section(name: str, command: Any) -> str:
    shown = [parameter for parameter in command.params if not parameter.hidden]
    arguments = [parameter for parameter in shown if parameter.param_type_name == "argument"]
    options = [parameter for parameter in shown if parameter.param_type_name == "option"]
    usage = [f"./{name}", *(["[OPTIONS]"] if options else []), *map(_argument, arguments)]
    parts = [f"## {name}", f"```sh\n{' '.join(usage)}\n```", _wrapped(command.help or "")]
    told = [_item(f"`{_argument(argument)}`: {argument.help}") for argument in arguments if argument.help]
    return "\n\n".join(filter(None, [*parts, "\n".join([*told, *map(_command_option, options)])]))


def _argument(argument: Any) -> str:
    word = argument.metavar or argument.name.upper() + ("…" if argument.nargs == -1 else "")
    return word if argument.required else f"[{word}]"


def _command_option(option: Any) -> str:
    words = ", ".join(option.opts) + ("" if option.is_flag else f" {option.metavar or option.name.upper()}")
    notes = [
        *(["needed"] if option.required else []),
        *(["more than once if need be"] if option.multiple else []),
        *([f"default `{_relative(option.default)}`"] if option.default and not option.is_flag else []),
    ]
    said = f": {option.help}" if option.help else ""
    return _item(f"`{words}`" + (f" ({', '.join(notes)})" if notes else "") + said)


def _relative(value: Any) -> str:
    return str(value.relative_to(REPOSITORY) if isinstance(value, Path) else value)


# ---- Markdown


def _item(text: str) -> str:
    return _wrapped(f"- {text}", "  ")


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(
        " ".join(text.split()), WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


if __name__ == "__main__":
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
