"""Measure, and write a table and JSON."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import yaml

from deploy import bundle, converge, lab
from deploy.converge import packages
from deploy.converge.declared import declared, render
from deploy.hosts.connections import PACKAGES_PORT, Connections
from deploy.inventory import Inventory, load, secrets
from deploy.lab import SSH_CONFIG, plan
from deploy.paths import REPOSITORY

PROTOTYPE_UP = 0.94
"""Seconds that the prototype took for four hosts (shared/prototypes, measured on another machine of this kind)."""

HOST = "stack"


@dataclass(frozen=True)
class Ratio:
    """What was measured, in seconds, against what; ``aim`` is the greatest ratio that DESIGN section 9 allows."""

    what: str
    seconds: float
    against: str
    against_seconds: float
    aim: float

    @property
    def ratio(self) -> float:
        """Ours divided by theirs."""
        return self.seconds / self.against_seconds


def main() -> None:
    """Measure everything, print the table, write the JSON."""
    inventory_path = REPOSITORY / "inventories" / "lab"
    secrets.ensure(inventory_path)
    inventory = load(inventory_path)
    lab.down()
    try:
        ratios = [_lab_up(), *_deployments(inventory)]
    finally:
        lab.down()
    _write(ratios)


def timed(action: Callable[[], object]) -> float:
    """Wall-clock seconds of an action."""
    started = time.monotonic()
    action()
    return time.monotonic() - started


def _lab_up() -> Ratio:
    lab.up(plan.hosts([]))  # the image is made, the files are in the page cache
    seconds = []
    for _ in range(3):
        lab.down()
        seconds.append(timed(lambda: lab.up(plan.hosts([]))))
    return Ratio("lab up, four hosts", min(seconds), "the prototype", PROTOTYPE_UP, 1.5 / PROTOTYPE_UP)


def _deployments(inventory: Inventory) -> list[Ratio]:
    others = [name for name in inventory.hosts if name != HOST]
    _deploy(inventory, others)
    twin = plan.bare("twin")
    lab.up([twin])
    bare = timed(lambda: _bare_installation(inventory, twin))
    lab.down(["twin"])
    fresh = timed(lambda: _deploy(inventory, [HOST]))
    one = min(timed(lambda: _deploy(inventory, [HOST])) for _ in range(3))
    everything = min(timed(lambda: _deploy(inventory, [])) for _ in range(3))
    plain = _plain_ansible(inventory)
    return [
        Ratio("fresh deployment of the stack", fresh, "apt-get install of the same packages", bare, 1.5),
        Ratio("second run, nothing to do", one, "plain Ansible, one task per file", plain, 0.1),
        Ratio(f"second run on {len(inventory.hosts)} hosts", everything, "the same on one host", one, 2.5),
    ]


def _deploy(inventory: Inventory, hosts: list[str]) -> None:
    outcome = converge.deploy(inventory, hosts=hosts)
    if outcome.failures:
        sys.exit("\n".join(map(str, outcome.failures)))


def _bare_installation(inventory: Inventory, twin: lab.LabHost) -> None:
    """What a user would do: add the source, install the same packages; services held back, as ours are."""
    names = declared(inventory)[HOST].packages
    built = packages.build(inventory)
    host = inventory.hosts[HOST].model_copy(
        update={"name": twin.name, "ansible_host": twin.ipv4, "ipv4": twin.ipv4, "ipv6": twin.ipv6}
    )
    script = (
        "set -e; export DEBIAN_FRONTEND=noninteractive; cat > /etc/apt/sources.list.d/bsw.sources; "
        "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d; "
        "echo 'slapd slapd/no_configuration boolean true' | debconf-set-selections; "
        f"apt-get -q update; apt-get -q -y --no-install-recommends install {' '.join(names)}"
    )
    with bundle.serving(built.directory) as port, Connections([host], packages_port=port):
        source = bundle.apt_source(built.directory, f"http://127.0.0.1:{PACKAGES_PORT}")
        subprocess.run(
            ["ssh", "-F", str(SSH_CONFIG), twin.name, script], input=source, text=True, check=True, capture_output=True
        )


def _plain_ansible(inventory: Inventory) -> float:
    """Seconds of the second run of a playbook with one template task per file of the host."""
    with tempfile.TemporaryDirectory() as directory:
        rendered = Path(directory, "rendered")
        render(inventory, rendered, {})
        tasks = []
        for entry in json.loads((rendered / HOST / "entries.json").read_text()):
            if "sha256" in entry:
                source = rendered / HOST / entry["path"].lstrip("/")
                source.write_text("{% raw %}" + source.read_text() + "{% endraw %}")
                where = {"src": str(source), "dest": f"/root/bench{entry['path']}", "mode": entry["mode"]}
                parent = {"path": str(Path(where["dest"]).parent), "state": "directory", "mode": "0755"}
                tasks.append(({"ansible.builtin.file": parent}, {"ansible.builtin.template": where}))
        prepare, main_play = Path(directory, "prepare.yml"), Path(directory, "site.yml")
        for file, number in ((prepare, 0), (main_play, 1)):
            content = {"hosts": HOST, "gather_facts": False, "tasks": [task[number] for task in tasks]}
            file.write_text(yaml.safe_dump([content]))

        def run(file: Path) -> None:
            subprocess.run(
                [str(Path(sys.executable).with_name("ansible-playbook")), "-i", f"{HOST},", str(file), "-e",
                 f"ansible_user=root ansible_ssh_common_args='-F {SSH_CONFIG}'"],
                check=True, capture_output=True, cwd=REPOSITORY,
            )  # fmt: skip

        run(prepare)
        run(main_play)
        return timed(lambda: run(main_play))


def _write(ratios: list[Ratio]) -> None:
    rows = [f"| {'what':34} | seconds | {'against':38} | seconds | ratio | aim |", "|---|---|---|---|---|---|"]
    rows += [
        f"| {r.what:34} | {r.seconds:7.2f} | {r.against:38} | {r.against_seconds:7.2f} | {r.ratio:5.2f} | {r.aim:.2f} |"
        for r in ratios
    ]
    print("\n".join(rows))
    directory = REPOSITORY / "bench" / "results"
    directory.mkdir(exist_ok=True)
    file = directory / f"{datetime.now().astimezone():%Y-%m-%dT%H%M%S}.json"
    file.write_text(json.dumps([asdict(r) | {"ratio": round(r.ratio, 3)} for r in ratios], indent=1))
    print(file)
