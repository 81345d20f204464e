"""`bsw deploy`: preflight, then converge."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy import bundle
from deploy.converge import packages, playbook
from deploy.converge.declared import Declared, declared
from deploy.converge.packages import Hear
from deploy.errors import Finding, Refused
from deploy.hosts import preflight
from deploy.hosts.connections import PACKAGES_PORT, Connections
from deploy.inventory import Host, Inventory

_SITE = Path(__file__).with_name("site.yml")
_STAGES = {
    "Compare": "compare",
    "Install": "install",
    "Configure": "configure",
    "Activate": "activate",
    "Activate what needs the other hosts": "activate",
}


@dataclass
class HostOutcome:
    """What was done to a host, or, in check mode, what would be.

    Attributes:
        packages: names of those that are missing; with both versions, `NAME OLD -> NEW`, those that are outdated.
        changed: number of packages, files and units.
        reasons: path: why it differs (content, mode, owner, new, link, absent …).
        diff: of each file that differs, as far as it may be shown.
    """

    packages: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    reasons: dict[str, list[str]] = field(default_factory=dict)
    diff: list[dict[str, str]] = field(default_factory=list)

    @property
    def changed(self) -> int:
        """How many things were changed."""
        return len(self.packages) + len(self.files) + len(self.units)


@dataclass
class Outcome:
    """A whole deployment; ``seconds`` by stage and in all."""

    hosts: dict[str, HostOutcome]
    failures: list[Finding]
    stages: dict[str, float]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The stable shape of ``bsw deploy --json``."""
        hosts = {
            name: {"changed": host.changed, "files": host.files, "units": host.units, "packages": host.packages}
            for name, host in self.hosts.items()
        }
        return {
            "hosts": hosts,
            "seconds": round(self.seconds, 2),
            "stages": {name: round(seconds, 2) for name, seconds in self.stages.items()},
            "failures": [asdict(finding) for finding in self.failures],
        }


def deploy(
    inventory: Inventory,
    *,
    only: Iterable[str] = (),
    hosts: Iterable[str] = (),
    check: bool = False,
    variables: Mapping[str, Any] | None = None,
    bundle_also: Iterable[Inventory] = (),
    hear: Hear = lambda *_: None,
) -> Outcome:
    """Bring the hosts onto what their roles declare; with ``check`` say what that would change.

    Args:
        only: roles whose files are brought about; default: all.
        hosts: names of hosts; default: all.
        variables: further variables for every host, above the inventory's.
        bundle_also: further inventories whose packages the bundle shall keep.

    Raises:
        Refused: if preflight finds something, or an unknown role or host is named; nothing was changed.
    """
    started = time.monotonic()
    chosen = _chosen(inventory, hosts)
    only = _known_roles(chosen, only)
    declarations = declared(inventory, variables)
    with (
        _package_source([inventory, *bundle_also], variables, hear) as (port, source),
        Connections(chosen, packages_port=port, names=_names(inventory)) as connections,
    ):
        _preflight(inventory, connections, declarations)
        listener = _Listener({host.name for host in chosen}, hear)
        options = ["--limit", ",".join(sorted(listener.hosts)), *(["--check", "--diff"] if check else [])]
        ours = {**source, "bsw_only": list(only)}
        code = playbook.run(_SITE, inventory, variables=ours | dict(variables or {}), options=options, hear=listener)
    if code and not listener.failures:
        raise Refused(Finding("ansible-playbook", f"ended with exit code {code}", "see ANSIBLE_LOG_PATH"))
    return Outcome(listener.hosts, listener.failures, listener.stages(), time.monotonic() - started)


def _chosen(inventory: Inventory, names: Iterable[str]) -> list[Host]:
    wanted = list(names) or list(inventory.hosts)
    if unknown := [name for name in wanted if name not in inventory.hosts]:
        there = f"there are {', '.join(inventory.hosts)}"
        raise Refused([Finding("--host", f"no host named {name}", there) for name in unknown])
    return [inventory.hosts[name] for name in wanted]


def _known_roles(hosts: list[Host], only: Iterable[str]) -> list[str]:
    roles = {role for host in hosts for role in host.roles}
    wanted = list(only)
    if unknown := [role for role in wanted if role not in roles]:
        there = f"there are {', '.join(sorted(roles))}"
        raise Refused([Finding("--only", f"no host has a role {role}", there) for role in unknown])
    return wanted


@contextlib.contextmanager
def _package_source(
    inventories: Iterable[Inventory], variables: Mapping[str, Any] | None, hear: Hear
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The bundle, served to the hosts for as long as the deployment runs: its port here, what the engine is told."""
    built = packages.build(*inventories, variables=variables, hear=hear)
    with bundle.serving(built.directory) as port:
        text = bundle.apt_source(built.directory, f"http://127.0.0.1:{PACKAGES_PORT}")
        versions = {package.name: package.version for package in built.lock.packages}
        yield port, {"bsw_package_source": text, "bsw_package_versions": versions}


def _names(inventory: Inventory) -> list[str]:
    """Names that a host must be able to resolve before it is deployed: outside a lab, the certificate authority's."""
    acme = inventory.platform.acme
    if inventory.environment == "lab" or acme is None:
        return []
    return [str(urlsplit(acme.directory).hostname)]


def _preflight(inventory: Inventory, connections: Connections, declarations: dict[str, Declared]) -> None:
    ports = {name: declaration.ports() for name, declaration in declarations.items()}
    found = [*connections.findings, *preflight.findings(inventory, connections.facts, ports)]
    if found:
        raise Refused(found)


class _Listener:
    """Turns Ansible's events into outcomes, failures and lines of progress."""

    def __init__(self, hosts: set[str], hear: Hear) -> None:
        self.hosts = {name: HostOutcome() for name in sorted(hosts)}
        self.failures: list[Finding] = []
        self._hear = hear
        self._began: list[tuple[str, float]] = []

    def __call__(self, event: playbook.Event) -> None:
        """Take in one event."""
        if event["event"] == "task":
            self._began.append((event["task"], event["at"]))
        elif event["event"] == "end":
            self._began.append(("", event["at"]))
        elif event["event"] in ("failed", "unreachable"):
            self._failed(event)
        elif event["event"] == "ok":
            self._ok(event)

    def stages(self) -> dict[str, float]:
        """Seconds that each stage took, over all hosts."""
        seconds: dict[str, float] = {}
        for (task, begun), (_, ended) in zip(self._began, self._began[1:], strict=False):
            stage = _STAGES.get(task, "role tasks")
            seconds[stage] = seconds.get(stage, 0.0) + ended - begun
        return seconds

    def _ok(self, event: playbook.Event) -> None:
        host, result, stage = self.hosts[event["host"]], event["result"], _STAGES.get(event["task"])
        if stage == "compare":
            outdated = [f"{name} {old} -> {new}" for name, (old, new) in sorted(result["outdated"].items())]
            host.packages, host.reasons = [*result["missing"], *outdated], result["files"]
            host.files = sorted(result["files"])
            host.diff = result.get("diff") or []
            host.units = [f"{name}: {wrong}" for name, wrong in result["unsettled"].items()]
            self._hear(event["host"], stage, _what_differs(host, unfinished=result["unfinished"]))
            host.units = host.units if result.get("changed") else []
        elif stage == "install" and result.get("changed"):
            self._hear(event["host"], stage, f"{len(host.packages)} packages in {result['seconds']} s")
        elif stage == "configure" and result.get("changed"):
            self._hear(event["host"], stage, f"{len(result['files'])} files")
        elif stage == "activate":
            earlier = [] if event["task"] == "Activate" else host.units
            host.units = [*earlier, *result.get("units", [])]
            if result.get("units"):
                self._hear(event["host"], stage, ", ".join(result["units"]))

    def _failed(self, event: playbook.Event) -> None:
        result = event["result"]
        stage = _STAGES.get(event["task"], f"role {event['role']}: {event['task']}")
        what = str(result.get("msg", "failed"))
        if result.get("journal"):
            what += "\n    " + "\n    ".join(result["journal"].splitlines()[-8:])
        remedy = "mend it and run the same command again: it goes on where it stopped"
        self.failures.append(Finding(f"{event['host']}, {stage}", what, remedy))
        self._hear(event["host"], "failed", what)


def _what_differs(host: HostOutcome, *, unfinished: bool) -> str:
    parts = [
        f"{len(found)} {what}"
        for what, found in (("packages", host.packages), ("files", host.files), ("units", host.units))
        if found
    ]
    if not parts and unfinished:
        return "an earlier run did not finish"
    return ", ".join(parts) or "nothing to do"
