"""A role alone on a bare host: what it is given, and what its verdict rests on."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from deploy import converge, paths
from deploy.converge import HostOutcome, Outcome
from deploy.errors import Finding, Refused
from deploy.inventory import load
from deploy.lab import LabHost
from deploy.verify import alone
from tests.conftest import Put

HOST = LabHost("role-powerdns", "198.18.10.101", "fd00:18:10::101")


class Lab:
    """The lab that a role is tried in."""

    def __init__(self) -> None:
        self.up: list[LabHost] = []
        self.down: list[str] = []
        self.happened: list[str] = []
        self.deployed: list[tuple[Any, dict[str, Any]]] = []
        self.outcomes: list[Outcome] = []

    def start(self, hosts: list[LabHost]) -> list[str]:
        self.up += hosts
        self.happened.append("up")
        return [host.name for host in hosts]

    def end(self, names: list[str]) -> None:
        self.down += names
        self.happened.append("down")

    def deploy(self, inventory: Any, **options: Any) -> Outcome:
        self.deployed.append((inventory, options))
        self.happened.append("deploy")
        return self.outcomes.pop(0) if self.outcomes else outcome()


def outcome(*failures: Finding, **host: Any) -> Outcome:
    return Outcome({"role-powerdns": HostOutcome(**host)}, list(failures), {}, 1.0)


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Put, small: Path) -> Lab:
    lab = Lab()
    for role in ("unbound", "base", "powerdns"):
        (tmp_path / "roles" / role).mkdir(parents=True)
    for module in (paths, alone):
        monkeypatch.setattr(module, "ROLES", tmp_path / "roles")
        monkeypatch.setattr(module, "CONFIG", tmp_path / "config")
    monkeypatch.setattr(alone, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(alone, "INVENTORY", small)
    monkeypatch.setattr(alone, "SSH_CONFIG", tmp_path / "ssh_config")
    monkeypatch.setattr(alone, "bare", lambda name: LabHost(name, HOST.ipv4, HOST.ipv6))
    monkeypatch.setattr(alone, "up", lab.start)
    monkeypatch.setattr(alone, "down", lab.end)
    monkeypatch.setattr(converge, "deploy", lab.deploy)
    program("ssh", f'echo "$@" > {tmp_path}/asked; cat > {tmp_path}/sent\n')
    return lab


def own_tests(role: str, text: str) -> None:
    file = paths.ROLES / role / "molecule/default/test_own.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


# ---- the steps


def test_roles_are_tried_in_the_order_of_converging(lab: Lab) -> None:
    assert alone.names() == ["base", "unbound", "powerdns"]


def test_an_unknown_role_is_refused_with_those_that_there_are(lab: Lab) -> None:
    for step in (alone.prepare, alone.verify):
        with pytest.raises(Refused, match="test roles: no role named nginx; there are base, unbound, powerdns"):
            step("nginx")
    assert lab.happened == []


def test_a_role_gets_a_bare_host_and_an_inventory_of_its_own(lab: Lab, tmp_path: Path) -> None:
    alone.prepare("powerdns")
    assert lab.up == [HOST]
    inventory = load(tmp_path / "cache/alone/role-powerdns")
    assert (inventory.domain, inventory.environment) == ("voorbeeld.test", "lab")
    assert list(inventory.hosts) == ["role-powerdns"]
    assert "powerdns" in inventory.hosts["role-powerdns"].roles
    assert inventory.hosts["role-powerdns"].variables["ansible_ssh_common_args"] == f"-F {tmp_path}/ssh_config"


def test_every_daemon_of_the_role_finds_a_key_and_its_certificate(lab: Lab, tmp_path: Path) -> None:
    alone.prepare("powerdns")
    asked, sent = (tmp_path / "asked").read_text(), (tmp_path / "sent").read_bytes()
    assert asked.startswith(f"-F {tmp_path}/ssh_config role-powerdns ")
    length = int(re.findall(r"head -c (\d+) > key.pem", asked)[0])
    key = load_pem_private_key(sent[:length], None)
    certificate = x509.load_pem_x509_certificate(sent[length:])
    of_key, of_certificate = (
        hashlib.sha256(k.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        for k in (key.public_key(), certificate.public_key())
    )
    assert of_key == of_certificate
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["*.voorbeeld.test", "voorbeeld.test"]


def test_a_host_that_runs_already_keeps_its_key(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "up", lambda _: [])
    alone.prepare("powerdns")
    assert not (tmp_path / "sent").exists()


def test_a_role_is_converged_with_the_base_and_its_own_variables(lab: Lab) -> None:
    own_tests("powerdns", "")
    (paths.ROLES / "powerdns/molecule/default/vars.yml").write_text("powerdns_x: 1\nbsw_roles: [nginx]\n")
    alone.prepare("powerdns")
    alone.run("powerdns")
    assert lab.deployed[0][1]["variables"] == {"bsw_roles": ["base", "powerdns"], "powerdns_x": 1}


def test_a_role_has_the_neighbours_that_its_own_test_names(lab: Lab) -> None:
    own_tests("nginx", "")
    (paths.ROLES / "nginx/molecule/default/vars.yml").write_text("alone_neighbours: [powerdns]\n")
    alone.prepare("nginx")
    alone.run("nginx")
    assert lab.deployed[0][1]["variables"] == {"bsw_roles": ["base", "powerdns", "nginx"]}


def test_the_base_is_converged_alone(lab: Lab) -> None:
    alone.prepare("base")
    alone.run("base")
    assert lab.deployed[0][1]["variables"] == {"bsw_roles": ["base"]}


def test_the_bundle_of_the_lab_is_kept(lab: Lab, small: Path) -> None:
    alone.prepare("base")
    alone.run("base")
    assert [inventory.path for inventory in lab.deployed[0][1]["bundle_also"]] == [small]


def test_nothing_is_left_of_a_role_that_was_tried(lab: Lab, tmp_path: Path) -> None:
    alone.prepare("powerdns")
    assert (tmp_path / "config/vault/role-powerdns.key").exists()
    alone.discard("powerdns")
    assert lab.down == ["role-powerdns"]
    assert not (tmp_path / "cache/alone/role-powerdns").exists()
    assert not (tmp_path / "config/vault/role-powerdns.key").exists()


# ---- the verdict


def test_a_role_that_converges_once_and_passes_its_tests_is_in_order(lab: Lab) -> None:
    own_tests("powerdns", "def test_it(): pass\n")
    verdict = alone.verify("powerdns")
    assert (verdict.role, verdict.problems) == ("powerdns", [])
    assert verdict.seconds > 0
    assert lab.happened == ["down", "up", "deploy", "deploy", "down"]
    assert set(lab.down) == {"role-powerdns"}


def test_a_role_whose_own_tests_fail_is_told_with_their_output(lab: Lab) -> None:
    own_tests("powerdns", "def test_zone_is_signed(): assert 'RRSIG' in 'answer'\n")
    (problem,) = alone.verify("powerdns").problems
    assert "test_zone_is_signed" in problem
    assert "'RRSIG' in 'answer'" in problem


def test_a_role_without_tests_is_no_good_role(lab: Lab) -> None:
    assert alone.verify("powerdns").problems == ["roles/powerdns/molecule/default has no test_*.py"]


def test_a_deployment_that_fails_is_not_tried_again(lab: Lab) -> None:
    lab.outcomes = [outcome(Finding("role-powerdns, activate", "pdns.service: failed"))]
    assert alone.verify("powerdns").problems == ["role-powerdns, activate: pdns.service: failed"]
    assert len(lab.deployed) == 1


def test_a_second_run_that_changes_anything_is_a_problem_with_its_reason(lab: Lab) -> None:
    again = outcome(
        packages=["pdns-server"], files=["/etc/a"], reasons={"/etc/a": ["mode", "owner"]}, units=["restart x.service"]
    )
    lab.outcomes = [outcome(), again]
    assert alone.verify("powerdns").problems == [
        "role-powerdns: the second run changed pdns-server",
        "role-powerdns: the second run changed /etc/a (mode, owner)",
        "role-powerdns: the second run changed restart x.service",
    ]


def test_a_role_starts_from_a_bare_host_even_if_one_was_kept(lab: Lab) -> None:
    alone.verify("powerdns", keep=True)
    alone.verify("powerdns", keep=True)
    assert lab.happened == ["down", "up", "deploy", "deploy"] * 2


def test_a_host_is_kept_when_somebody_wants_to_look_at_it(lab: Lab) -> None:
    alone.verify("powerdns", keep=True)
    assert lab.happened[-1] == "deploy"


def test_a_host_is_discarded_even_when_the_deployment_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Outcome:
        raise Refused(Finding("role-powerdns", "is not reachable"))

    monkeypatch.setattr(converge, "deploy", refuse)
    with pytest.raises(Refused):
        alone.verify("powerdns")
    assert lab.happened == ["down", "up", "down"]


# ---- the roles of this repository


@pytest.mark.parametrize("role", alone.names())
def test_the_inventory_of_a_role_is_in_order(role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "CACHE", tmp_path)
    path = alone._inventory(role)
    alone._write_inventory(path, role, LabHost(alone.host_name(role), HOST.ipv4, HOST.ipv6))
    assert role in load(path).hosts[alone.host_name(role)].roles


@pytest.mark.parametrize("role", alone.names())
def test_the_variables_of_a_roles_own_test_are_a_mapping(role: str) -> None:
    file = paths.ROLES / role / "molecule/default/vars.yml"
    if file.exists():
        assert isinstance(yaml.safe_load(file.read_text()), dict | None)
    assert "bsw_roles" not in alone._own_variables(role)
