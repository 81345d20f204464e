"""The lab's network is made once, and refused as soon as it has a way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import Refused
from deploy.lab import network

REAL_IP = network._ip


class Ip:
    """Answers as ip(8) does."""

    def __init__(self) -> None:
        self.links = ["lo", "br0", "vb-een"]
        self.routes: dict[str, list[dict[str, Any]]] = {"-4": [], "-6": []}
        self.made: list[str] = []

    def __call__(self, *arguments: str, batch: str | None = None) -> str:
        if "link" in arguments:
            return json.dumps([{"ifname": name} for name in self.links])
        if "route" in arguments:
            return json.dumps(self.routes[arguments[2]]) if self.routes[arguments[2]] else ""
        self.made += [" ".join(arguments), *(batch or "").splitlines()]
        return ""


@pytest.fixture
def ip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ip:
    ip = Ip()
    monkeypatch.setattr(network, "_ip", ip)
    monkeypatch.setattr(network, "NAMESPACE", str(tmp_path / "namespace"))
    (tmp_path / "limit").write_text("128\n")
    return ip


def test_the_network_is_a_namespace_with_one_bridge_at_the_controllers_addresses(ip: Ip, tmp_path: Path) -> None:
    network.up()
    assert ip.made == [
        f"netns add {tmp_path}/namespace",
        f"-n {tmp_path}/namespace -batch -",
        "link add br0 type bridge stp_state 0 forward_delay 0",
        "addr add 198.18.10.1/24 dev br0",
        "addr add fd00:18:10::1/64 dev br0 nodad",
        "link set lo up",
        "link set br0 up",
    ]


def test_a_network_that_is_there_is_only_looked_at(ip: Ip, tmp_path: Path) -> None:
    (tmp_path / "namespace").touch()
    network.up()
    assert ip.made == []


def test_a_foreign_link_is_refused_by_name(ip: Ip) -> None:
    ip.links.append("eth0")
    with pytest.raises(Refused, match=r"the lab has a way out: link eth0; run: \./bsw lab down"):
        network.up()


@pytest.mark.parametrize("family", ["-4", "-6"])
def test_a_default_route_of_either_family_is_refused(ip: Ip, family: str) -> None:
    ip.routes[family] = [{"dst": "default", "dev": "br0"}]
    with pytest.raises(Refused, match="the lab has a way out: default route by br0"):
        network.assert_isolated()


def test_a_lab_of_many_hosts_gets_the_inotify_instances_it_needs(ip: Ip, tmp_path: Path) -> None:
    network.up()
    assert (tmp_path / "limit").read_text() == "1024"
    (tmp_path / "limit").write_text("8192\n")
    network.up()
    assert (tmp_path / "limit").read_text() == "8192\n"


def test_the_network_is_removed_if_it_is_there(ip: Ip, tmp_path: Path) -> None:
    network.down()
    assert ip.made == []
    (tmp_path / "namespace").touch()
    network.down()
    assert ip.made == [f"netns del {tmp_path}/namespace"]


def test_addresses_of_hosts_that_are_gone_are_forgotten(ip: Ip, tmp_path: Path) -> None:
    network.forget_neighbours()
    assert ip.made == [f"-n {tmp_path}/namespace neigh flush all"]


def test_ip_is_asked_with_its_batch_on_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "ip"
    program.write_text('#!/bin/sh\necho "$@"; cat\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert REAL_IP("-batch", "-", batch="link set lo up\n") == "-batch -\nlink set lo up\n"
