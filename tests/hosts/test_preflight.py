"""Preflight: nothing on a good host; on a bad one everything at once, each with its remedy."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.hosts import preflight
from deploy.hosts.preflight import GIB, findings
from deploy.inventory import Inventory, load

GOOD: dict[str, Any] = {
    "user": 0, "release": "debian 13", "architecture": "amd64", "systemd": True, "begun": False, "skew": 0.4,
    "memory": 8 * GIB, "disk": {"/": 20 * GIB, "/var": 20 * GIB}, "listeners": {"22": "sshd"},
    "addresses": {"198.18.10.11": False, "fd00:18:10::11": False, "198.18.10.53": False},
    "came_from": "198.18.10.1", "resolved": {"acme.test": ["192.0.2.80"]},
}  # fmt: skip
PORTS = [22, 53, 443]


@pytest.fixture
def inventory(small: Any) -> Inventory:
    return load(small)


def real(inventory: Inventory, *roles: str) -> Inventory:
    """The same, but not a lab."""
    platform = inventory.platform.model_copy(update={"environment": "production"})
    een = inventory.hosts["een"].model_copy(update={"roles": roles or ("base",)})
    organisation = inventory.primary.model_copy(update={"hosts": {"een": een}})
    return Inventory.model_construct(path=inventory.path, platform=platform, organisations={"proef": organisation})


def found(inventory: Inventory, **bad: Any) -> list[str]:
    return [str(finding) for finding in findings(inventory, {"een": GOOD | bad}, {"een": PORTS})]


def test_a_good_host_has_no_findings(inventory: Inventory) -> None:
    assert found(inventory) == []
    assert found(real(inventory)) == []


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"user": 1000}, "the ssh login is not root; set ansible_user: root"),
        ({"release": "debian 12"}, "runs debian 12; reinstall it with Debian 13"),
        ({"release": "ubuntu 24.04"}, "runs ubuntu 24.04; reinstall it with Debian 13"),
        ({"architecture": "arm64"}, "is arm64; the package source holds amd64 only"),
        ({"release": "fedora 42", "architecture": ""}, "runs fedora 42; reinstall it with Debian 13"),
        ({"systemd": False}, "does not run systemd; use a virtual machine, not an application container"),
        ({"skew": 95.2}, "clock is +95 s off; set it right: timedatectl set-ntp true"),
        ({"skew": -31.0}, "clock is -31 s off; set it right: timedatectl set-ntp true"),
        (
            {"addresses": {"198.18.10.11": False, "198.18.10.53": False}},
            "does not have the address fd00:18:10::11; configure it there, or mend the inventory",
        ),
        (
            {"addresses": GOOD["addresses"] | {"198.18.10.53": True}},
            "198.18.10.53 is in use by another machine (dadfailed); give one of them another address",
        ),
        (
            {"came_from": "203.0.113.9"},
            "you come from 203.0.113.9, which platform.management does not admit; add it there",
        ),
        (
            {"resolved": {"acme.test": []}},
            "cannot resolve acme.test; check /etc/resolv.conf there and the name's DNS",
        ),
        ({"listeners": {"53": "named"}}, "port 53 is taken by named; remove named, or use a fresh machine"),
        ({"listeners": {"22": "dropbear"}}, "port 22 is taken by dropbear; remove dropbear, or use a fresh machine"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_is_found_with_its_remedy(inventory: Inventory, bad: dict[str, Any], said: str) -> None:
    assert found(inventory, **bad) == [f"een: {said}"]


def test_everything_is_found_at_once(inventory: Inventory) -> None:
    said = found(
        inventory, user=1000, release="debian 12", architecture="arm64", systemd=False, skew=60.0, addresses={},
        came_from="203.0.113.9", resolved={"acme.test": []}, listeners={"53": "named", "443": "apache2"},
    )  # fmt: skip
    assert len(said) == 12


def test_an_address_is_found_in_any_spelling(inventory: Inventory) -> None:
    written_out = {"FD00:18:10:0:0:0:0:11": False, "198.18.10.11": False, "198.18.10.53": False}
    assert found(inventory, addresses=written_out) == []


def test_a_session_that_does_not_say_where_it_comes_from_is_no_finding(inventory: Inventory) -> None:
    assert found(inventory, came_from="") == []


def test_ports_of_our_own_services_are_no_finding_on_a_converged_host(inventory: Inventory) -> None:
    assert found(inventory, begun=True, listeners={"53": "pdns_server"}) == []


def test_a_taken_port_that_no_role_wants_is_no_finding(inventory: Inventory) -> None:
    assert found(inventory, listeners={"8080": "java"}) == []


def test_memory_is_held_against_the_hosts_roles(inventory: Inventory) -> None:
    assert preflight.MEMORY["clamav"] + preflight.MEMORY["base"] == 7 * GIB // 4
    small = real(inventory, "base", "clamav")
    assert found(small, memory=GIB) == ["een: has 1.0 GiB of memory; its roles need 1.8 GiB"]
    assert found(small, memory=2 * GIB) == []
    assert found(real(inventory, "base"), memory=GIB) == []


def test_room_is_needed_before_the_first_deployment_only(inventory: Inventory) -> None:
    full = {"/": GIB, "/var": 2 * GIB}
    assert found(real(inventory), disk=full) == [
        "een: has 1.0 GiB free on /; make room: 3 GiB are needed",
        "een: has 2.0 GiB free on /var; make room: 5 GiB are needed",
    ]
    assert found(real(inventory), disk=full, begun=True) == []


def test_a_lab_shares_one_machine_and_is_not_measured(inventory: Inventory) -> None:
    assert found(inventory, memory=1, disk={"/": 0, "/var": 0}) == []
