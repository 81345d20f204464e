"""`bsw up`: every step in its order, none after one that failed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy import converge, lab, people, report, run
from deploy.converge import Outcome
from deploy.errors import Finding, Refused
from deploy.inventory import secrets
from deploy.lab import plan, trust
from deploy.people import Imported

RESULT = {"failed": 0}


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The steps as they are taken; each does nothing."""
    taken: list[Any] = []

    def step(name: str, answer: Any = None) -> Callable[..., Any]:
        def take(*_: Any, **options: Any) -> Any:
            taken.append((name, options) if name == "smoke" else name)
            return answer

        return take

    monkeypatch.setattr(secrets, "ensure", step("secrets"))
    monkeypatch.setattr(plan, "hosts", lambda _: [])
    monkeypatch.setattr(lab, "up", step("lab", ["een"]))
    monkeypatch.setattr(converge, "deploy", step("deploy", Outcome({}, [], {"install": 3.0}, 4.0)))
    monkeypatch.setattr(trust, "take_from", lambda host: taken.append(f"trust {host}"))
    monkeypatch.setattr(people, "import_file", step("people", Imported(("jan",), (), (), Path("passwords.csv"))))
    monkeypatch.setattr(run, "flows", step("flows", ["flow"]))
    monkeypatch.setattr(run, "audit", step("audit", ["observation"]))
    monkeypatch.setattr(run, "memory", step("memory", ["held"]))
    monkeypatch.setattr(report, "smoke", step("smoke", RESULT))
    return taken


@pytest.fixture
def inventory(small: Path) -> Path:
    """One that has certificates, and people."""
    for file, old, new in (
        ("hosts.yml", "[dns]", "[dns, certificates]"),
        ("group_vars/proef/main.yml", "dns: powerdns", "dns: powerdns\n  certificates: acme"),
    ):
        path = small / file
        path.write_text(path.read_text().replace(old, new))
    (small / "people").mkdir()
    (small / "people/proef.csv").touch()
    return small


def names(steps: list[Any]) -> list[str]:
    return [step if isinstance(step, str) else step[0] for step in steps]


def test_the_whole_path_is_taken_in_its_order(inventory: Path, steps: list[Any]) -> None:
    heard: list[tuple[str, str, str]] = []
    assert run.up(inventory, hear=lambda *line: heard.append(line)) == RESULT
    assert names(steps) == ["secrets", "lab", "deploy", "trust een", "people", "trust een", "flows", "smoke"]
    assert ("lab", "up", "started een") in heard
    assert ("controller", "people", "proef: 1 added, 0 changed, 0 as they were") in heard
    assert ("controller", "people", "initial passwords, to be handed over once: passwords.csv") in heard


def test_the_report_is_told_how_long_each_step_took(inventory: Path, steps: list[Any]) -> None:
    run.up(inventory)
    _, options = steps[-1]
    assert [what for what, _ in options["timings"]] == ["hosts up", "deployment: install", "deployment", "people"]
    assert dict(options["timings"])["deployment: install"] == 3.0
    assert options["flows"] == ["flow"]
    assert options["audit"]() == ["observation"]
    assert options["memory"]() == ["held"]


def test_a_lab_that_is_up_already_is_said_so(
    inventory: Path, steps: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab, "up", lambda _: [])
    heard: list[tuple[str, str, str]] = []
    run.up(inventory, hear=lambda *line: heard.append(line))
    assert ("lab", "up", "everything is up already") in heard


def test_a_platform_that_is_no_lab_has_no_lab_started_and_no_authority_of_its_own(
    inventory: Path, steps: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = SimpleNamespace(environment="production", organisations={}, path=inventory)
    monkeypatch.setattr(run, "load", lambda _: real)
    run.up(inventory)
    assert names(steps) == ["secrets", "deploy", "flows", "smoke"]


def test_nothing_is_done_after_a_deployment_that_failed(
    inventory: Path, steps: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Outcome({}, [Finding("een, activate", "app.service: failed")], {}, 4.0)
    monkeypatch.setattr(converge, "deploy", lambda *_, **__: failed)
    with pytest.raises(Refused, match=r"een, activate: app\.service: failed"):
        run.up(inventory)
    assert names(steps) == ["secrets", "lab"]


def test_an_organisation_without_a_sheet_has_its_people_left_alone(inventory: Path, steps: list[Any]) -> None:
    (inventory / "people/proef.csv").unlink()
    run.up(inventory)
    assert "people" not in names(steps)


def test_people_who_are_all_known_get_no_passwords(
    inventory: Path, steps: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "import_file", lambda *_, **__: Imported((), (), ("jan",), None))
    heard: list[tuple[str, str, str]] = []
    run.up(inventory, hear=lambda *line: heard.append(line))
    assert [line for _, stage, line in heard if stage == "people"] == ["proef: 0 added, 0 changed, 1 as they were"]
