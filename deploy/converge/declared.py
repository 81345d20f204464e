"""What the roles of an inventory declare, without asking any host: packages, units, flows, listens; rendered files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.converge import playbook
from deploy.errors import Finding, Refused
from deploy.inventory import Inventory
from deploy.paths import CACHE, COLLECTIONS, REPOSITORY, ROLES

_RENDER = Path(__file__).with_name("render.yml")


@dataclass(frozen=True)
class Declared:
    """One host's declaration; flows, listens and deviations carry the ``role`` that declares them."""

    packages: list[str]
    units: list[dict[str, Any]]
    flows: list[dict[str, Any]]
    listens: list[dict[str, Any]]
    deviations: list[dict[str, Any]] = field(default_factory=list)

    def ports(self) -> list[int]:
        """TCP ports that the host will listen on."""
        return sorted({int(listen["port"]) for listen in self.listens if listen["protocol"] == "tcp"})


def declared(inventory: Inventory, variables: Mapping[str, Any] | None = None) -> dict[str, Declared]:
    """What each host's roles declare, under further variables. Kept until a role or the inventory changes."""
    variables = variables or {}
    kept = CACHE / "declared" / f"{_digest(inventory, variables)}.json"
    if not kept.exists():
        with playbook.volatile_directory() as directory:
            render(inventory, directory, variables)
            found = {name: json.loads((directory / name / "declared.json").read_text()) for name in inventory.hosts}
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_suffix(".new")
        unfinished.write_text(json.dumps(found))
        unfinished.replace(kept)
    return {name: Declared(**fields) for name, fields in json.loads(kept.read_text()).items()}


def render(inventory: Inventory, to: Path, variables: Mapping[str, Any]) -> None:
    """Write every host's files below ``to/<host>/``, with ``entries.json`` (owner, mode …) and ``declared.json``.

    Raises:
        Refused: if a role does not render; the message names role and file.
    """
    failures: list[str] = []

    def hear(event: playbook.Event) -> None:
        if event["event"] in ("failed", "unreachable"):
            failures.append(f"{event['host']}: {event['result'].get('msg')}")

    code = playbook.run(_RENDER, inventory, variables={"bsw_render_to": str(to), **variables}, hear=hear)
    if code:
        raise Refused(Finding("render", (failures or ["failed"])[0]))


def _digest(inventory: Inventory, variables: Mapping[str, Any]) -> str:
    """Changes with the inventory, any role's declaration, the engine, or what computes the variables."""
    files = [*inventory.path.rglob("*.y*ml"), *ROLES.glob("*/vars/*.yml"), *ROLES.glob("*/defaults/*.yml")]
    files += COLLECTIONS.rglob("plugins/action/*.py")
    files += [file for room in ("inventory", "dns") for file in (REPOSITORY / "deploy" / room).glob("*.py")]
    digest = hashlib.sha256(json.dumps([str(inventory.path.resolve()), variables], sort_keys=True).encode())
    for file in sorted(files):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:20]
