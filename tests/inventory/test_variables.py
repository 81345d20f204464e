"""What roles are told about their host."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy import paths
from deploy.inventory import load, secrets, variables

Told = dict[str, dict[str, Any]]


@pytest.fixture
def told(lab: Path) -> Told:
    secrets.ensure(lab)
    inventory = load(lab)
    return variables.host_variables(inventory, secrets.read(inventory))


def test_every_host_is_told_the_same_kinds_of_things(told: Told) -> None:
    wanted = ["roles", "host", "organisation", "platform", "zones", "trust_anchors", "web_names", "commit"]
    assert set(told) == {"outside", "stack", "reserve"}
    assert all(set(variables) == {f"bsw_{name}" for name in wanted} for variables in told.values())


def test_variables_are_plain_data(told: Told) -> None:
    assert json.loads(json.dumps(told)) == told


def test_a_host_knows_itself(told: Told) -> None:
    assert told["reserve"]["bsw_roles"] == ["base", "unbound", "powerdns"]
    assert told["reserve"]["bsw_host"] == {
        "name": "reserve",
        "fqdn": "reserve.rijk.test",
        "ipv4": "198.18.10.13",
        "ipv6": "fd00:18:10::13",
    }


def test_a_host_knows_its_organisation(told: Told) -> None:
    organisation = told["reserve"]["bsw_organisation"]
    assert organisation["base_dn"] == "dc=rijk,dc=test"
    assert organisation["names"]["ns2"] == "ns2.rijk.test"
    assert organisation["hosts"]["reserve"]["roles"] == ["base", "unbound", "powerdns"]
    assert organisation["mta_sts"]["policy"] == ("version: STSv1\nmode: enforce\nmx: mail.rijk.test\nmax_age: 604800\n")
    assert told["outside"]["bsw_organisation"]["mta_sts"] == {}


def test_the_platform_is_complete_with_its_defaults(told: Told) -> None:
    platform = told["stack"]["bsw_platform"]
    assert platform["management"] == ["198.18.10.1"]
    assert platform["acme"]["caa"] == ""


def test_clients_know_the_labs_authority_by_its_key(told: Told) -> None:
    assert re.fullmatch(r"sha256//[A-Za-z0-9+/]{43}=", told["stack"]["bsw_platform"]["acme"]["pin"])


def test_a_name_server_has_the_zones_of_its_organisation_each_with_its_key(told: Told) -> None:
    assert [zone["name"] for zone in told["outside"]["bsw_zones"]] == ["test.", ".", "18.198.in-addr.arpa."]
    assert told["stack"]["bsw_zones"] == told["reserve"]["bsw_zones"]
    zone = told["reserve"]["bsw_zones"][0]
    assert zone["file"].startswith("$ORIGIN rijk.test.\n")
    assert zone["key"].startswith("Private-key-format: v1.2\nAlgorithm: 13 (ECDSAP256SHA256)\nPrivateKey: ")


def test_a_host_without_dns_has_no_zones(lab: Path) -> None:
    hosts = lab / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("runs: [dns]", "runs: []"))
    secrets.ensure(lab)
    inventory = load(lab)
    assert variables.host_variables(inventory, secrets.read(inventory))["reserve"]["bsw_zones"] == []


def test_every_host_trusts_the_private_root(told: Told) -> None:
    [anchor] = told["reserve"]["bsw_trust_anchors"]
    assert re.fullmatch(r"\. IN DS \d+ 13 2 [0-9a-f]{64}", anchor)
    assert all(host["bsw_trust_anchors"] == [anchor] for host in told.values())


def test_a_certificate_covers_the_names_that_lead_to_its_host_and_no_others(told: Told) -> None:
    labels = ["mail", "ldap", "autoconfig", "autodiscover", "mta-sts", "www"]
    assert told["stack"]["bsw_web_names"] == [*(f"{label}.rijk.test" for label in labels), "rijk.test"]
    assert told["reserve"]["bsw_web_names"] == []
    assert told["outside"]["bsw_web_names"] == ["acme.test"]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(paths, "REPOSITORY", tmp_path)
    return tmp_path


def git(*arguments: str, at: Path) -> None:
    person = ["-c", "user.name=a", "-c", "user.email=a@example.test", "-c", "core.hooksPath=/dev/null"]
    subprocess.run(["git", *person, "-C", at, *arguments], check=True, capture_output=True)


def test_the_commit_is_that_of_the_toolkit(repository: Path) -> None:
    git("init", at=repository)
    git("commit", "--allow-empty", "-m", "first", at=repository)
    assert re.fullmatch(r"[0-9a-f]{40}", variables.commit())


def test_the_commit_says_when_files_differ_from_it(repository: Path) -> None:
    git("init", at=repository)
    git("commit", "--allow-empty", "-m", "first", at=repository)
    (repository / "new").touch()
    assert re.fullmatch(r"[0-9a-f]{40}\+changes", variables.commit())


def test_the_commit_is_unknown_outside_git(repository: Path) -> None:
    assert variables.commit() == "unknown"
