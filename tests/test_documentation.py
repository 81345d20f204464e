"""What the documents say is so: generated pages, shown commands, links, and the inventory to copy."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from deploy import dns, documentation, paths
from deploy.cli import app
from deploy.inventory import load, secrets
from deploy.paths import REPOSITORY

ROOMS = ("docs", "deploy", "roles", "bench", "smoke_tests")
DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *(file for room in ROOMS for file in (REPOSITORY / room).rglob("*.md"))])
PROSE = [file for file in DOCUMENTS if file.parent == REPOSITORY or (REPOSITORY / "docs") in file.parents]
SHOWN = re.compile(r"^ *(?:\$ )?(?:\w+=\S+ )*(?:sudo )?\./bsw\s+(.+)$|`(?:sudo )?(?:\./)?bsw ([^`]+)`", re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def name(file: Path) -> str:
    return str(file.relative_to(REPOSITORY))


# ---- generated pages


@pytest.mark.parametrize("page", documentation.pages(), ids=lambda page: page.name)
def test_a_generated_page_is_what_roles_and_commands_declare_now(page: Path) -> None:
    assert page.read_text() == documentation.pages()[page], "run `.venv/bin/python -m deploy.documentation`"


@pytest.mark.parametrize("role", documentation.roles(), ids=lambda role: role.name)
def test_an_option_has_one_default(role: documentation.Role) -> None:
    """Where the contract and the defaults both have it, they say the same."""
    told = {option: (spec or {})["default"] for option, spec in role.options.items() if "default" in (spec or {})}
    differing = {option for option in told.keys() & role.defaults.keys() if told[option] != role.defaults[option]}
    assert not differing


@pytest.mark.parametrize("role", documentation.roles(), ids=lambda role: role.name)
def test_every_default_is_an_option(role: documentation.Role) -> None:
    assert {key for key in role.defaults if not key.startswith("__")} <= role.options.keys()


def test_a_role_is_described_as_far_as_it_is_known_without_an_inventory(tmp_path: Path) -> None:
    role = tmp_path / "kat"
    for folder in ("meta", "vars", "defaults"):
        (role / folder).mkdir(parents=True)
    (role / "meta/argument_specs.yml").write_text(
        "argument_specs: {main: {short_description: Kat, options: {kat_a: {type: int}, kat_b: {type: int}}}}"
    )
    (role / "defaults/main.yml").write_text("---\n# Why both.\nkat_a: 1\nkat_b: 2\n")
    (role / "vars/main.yml").write_text(
        "kat_packages: \"{{ ['kat'] + (['poes'] if kat_a else []) }}\"\n"
        'kat_flows: "{{ __kat_flows if kat_b else [] }}"\n'
        '__kat_flows: [{user: kat, to: [any], protocol: tcp, port: "{{ kat_b }}", reason: vis}]\n'
    )
    [read] = documentation.roles(tmp_path)
    assert [(entry.value, entry.always) for entry in read.declared("packages")] == [("kat", True), ("poes", False)]
    assert [(entry.value["port"], entry.always) for entry in read.declared("flows")] == [("{{ kat_b }}", False)]
    assert read.comments["kat_a"] == read.comments["kat_b"] == documentation.Comment("Why both.", shared=True)


# ---- commands that the documents show


def shown() -> Iterator[tuple[str, str]]:
    for file in PROSE:
        for typed, quoted in SHOWN.findall(file.read_text()):
            for part in (typed or quoted).split("&&"):
                yield name(file), part.strip().removeprefix("./bsw ")


def complaint(line: str) -> str:
    """What is wrong with a shown command; empty if it exists with all its options."""
    command: Any = typer.main.get_command(app)
    words = shlex.split(line.replace("…", ""), comments=True)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if getattr(command, "commands", {}) and words and not words[0].startswith("-"):
        return f"no command {words[0]}"
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    if (command.context_settings or {}).get("ignore_unknown_options"):
        return ""
    return ", ".join(f"no option {word}" for word in words if word.startswith("-") and word.split("=")[0] not in known)


def test_every_shown_command_exists_with_its_options() -> None:
    wrong = [f"{where}: bsw {line}: {what}" for where, line in shown() if (what := complaint(line))]
    assert not wrong, "\n".join(wrong)


def test_a_shown_command_that_does_not_exist_is_noticed() -> None:
    assert complaint("deploy --check -i inventories/poc") == ""
    assert complaint("lab exec -- openssl s_client -connect x:993") == ""
    assert complaint("test") == ""
    assert complaint("restore") != ""
    assert complaint("lab sideways") == "no command sideways"
    assert complaint("deploy --dry-run") == "no option --dry-run"


# ---- form


@pytest.mark.parametrize("file", DOCUMENTS, ids=name)
def test_links_lead_somewhere(file: Path) -> None:
    places = [link.split("#")[0] for link in LINK.findall(file.read_text()) if "://" not in link]
    assert not [place for place in places if place and not (file.parent / place).exists()]


@pytest.mark.parametrize("file", [file for file in PROSE if file.parent.name != "reference"], ids=name)
def test_lines_are_short(file: Path) -> None:
    """At most 120 characters; a row of a table has no choice."""
    lines = enumerate(file.read_text().splitlines(), 1)
    assert not [f"{name(file)}:{number}" for number, line in lines if len(line) > 120 and line[0] != "|"]


def test_every_page_is_in_the_index() -> None:
    index = REPOSITORY / "docs" / "README.md"
    linked = {(index.parent / link).resolve() for link in LINK.findall(index.read_text()) if "://" not in link}
    assert not [name(file) for file in PROSE if index.parent in file.parents and file != index and file not in linked]


# ---- the inventory that is there to be copied


def test_the_example_becomes_an_inventory_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "CONFIG", tmp_path / "config")
    mine = shutil.copytree(REPOSITORY / "inventories" / "poc", tmp_path / "mine")
    assert secrets.ensure(mine)
    inventory = load(mine)
    shown = dns.show(inventory, secrets.read(inventory), inventory.domain)
    assert "For the parent zone" in shown
    assert len(inventory.primary.running("dns")) >= 2


def test_the_example_holds_nothing_of_anybody() -> None:
    """Documentation addresses (RFC 5737, RFC 3849) and names (RFC 2606) only."""
    inventory = load(REPOSITORY / "inventories" / "poc")
    for host in inventory.hosts.values():
        assert all(address.startswith(("192.0.2.", "198.51.100.", "2001:db8:")) for address in host.addresses)
    assert inventory.domain.endswith(".example")
    assert not list((REPOSITORY / "inventories" / "poc").rglob("secrets.yml"))
