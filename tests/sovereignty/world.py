"""One organisation with two hosts, and what a host that is in order says of itself."""

from __future__ import annotations

import json
from pathlib import Path

from deploy.converge.declared import Declared
from deploy.inventory import Host, Inventory, Organisation, Platform
from deploy.sovereignty.asking import Answer, Question, Said
from tests.sovereignty.listing import Firewall

RULES = "table inet bsw {}\n"
FLOW = {
    "user": "unbound", "to": ["any"], "protocol": "udp", "port": "53", "reason": "resolving names", "role": "unbound",
}  # fmt: skip
SSH = {"protocol": "tcp", "port": 22, "from": ["any"], "reason": "administration", "role": "base"}
DECLARED = Declared(packages=[], units=[], flows=[FLOW], listens=[SSH])
SOCKETS = 'tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=66,fd=6))\n'
CONVERGED = json.dumps({"commit": "abc123", "declared": "0", "at": 1795298458})


def host(name: str, *roles: str) -> Host:
    """A host; without roles of its own it has base only."""
    return Host.model_validate({
        "name": name, "organisation": "rijk", "fqdn": f"{name}.rijk.test", "roles": roles or ("base",), "runs": (),
        "ipv4": "198.18.10.11", "ipv6": "fd00:18:10::11",
    })  # fmt: skip


def inventory(*hosts: Host) -> Inventory:
    """An organisation with these hosts."""
    organisation = Organisation.model_validate({
        "id": "rijk", "name": "Voorbeeldrijk", "domain": "rijk.test", "contact": "security@rijk.test", "components": {},
        "hosts": {one.name: one for one in hosts},
    })  # fmt: skip
    platform = Platform.model_validate({"environment": "lab", "primary": "rijk", "management": ["198.18.10.1"]})
    return Inventory(path=Path("lab"), platform=platform, organisations={"rijk": organisation})


def answer(question: Question, firewall: Firewall | None = None) -> Answer:
    """What a host says on which everything is as declared; its programs say nothing at all."""
    return Answer(
        rules=Said(0, (firewall or Firewall(first_handle=60)).listed, ""),
        declared_rules=Said(0, Firewall().listed, ""),
        loaded=Said(0, "Sat 2026-11-21 22:22:21 UTC\n", ""),
        sockets=Said(0, SOCKETS, ""),
        users={"65534": "nobody"},
        converged=CONVERGED,
        pending=None,
        commands={command: Said(0, "", "") for command in question.commands},
    )
