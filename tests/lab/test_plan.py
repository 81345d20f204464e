"""Which hosts, at which addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.lab import LabHost, Status, plan

EEN = LabHost("een", "198.18.10.11", "fd00:18:10::11", ("198.18.10.53",))


@pytest.fixture
def running(small: Path, monkeypatch: pytest.MonkeyPatch) -> list[Status]:
    """The hosts that run already; none unless a test adds some."""
    hosts: list[Status] = []
    monkeypatch.setattr(plan, "INVENTORY", small)
    monkeypatch.setattr(plan, "status", lambda: hosts)
    return hosts


def bare(name: str, number: int) -> LabHost:
    return LabHost(name, f"198.18.10.{number}", f"fd00:18:10::{number}")


def test_without_names_all_of_the_inventory_is_meant(running: list[Status]) -> None:
    assert plan.hosts([]) == [EEN]


def test_a_name_that_the_inventory_does_not_know_is_a_bare_host(running: list[Status]) -> None:
    assert plan.hosts(["een", "los", "vast"]) == [EEN, bare("los", 101), bare("vast", 102)]


def test_a_bare_host_that_runs_keeps_its_address(running: list[Status]) -> None:
    running.append(Status("los", "198.18.10.102", "fd00:18:10::102", "running"))
    assert plan.hosts(["vast", "los", "nieuw"]) == [bare("vast", 101), bare("los", 102), bare("nieuw", 103)]
    assert plan.bare("los") == bare("los", 102)


def test_a_bare_host_takes_no_address_in_use(running: list[Status]) -> None:
    running.append(Status("los", "198.18.10.101", "fd00:18:10::101", "running"))
    assert plan.bare("vast") == bare("vast", 102)
