"""From Ansible's events to outcomes: who was changed, what failed, how long each stage took."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deploy import bundle
from deploy.converge import HostOutcome, Outcome, declared, deploy, packages, playbook, run
from deploy.errors import Finding, Refused
from deploy.inventory import Inventory, load
from deploy.lab import image
from tests.conftest import Put

FOUND: dict[str, Any] = {
    "changed": True, "missing": [], "outdated": {}, "files": {}, "unsettled": {}, "unfinished": False
}  # fmt: skip


class Told:
    """A listener, and the lines that it passes on."""

    def __init__(self, *hosts: str) -> None:
        self.lines: list[tuple[str, str, str]] = []
        self.listener = run._Listener(set(hosts), lambda *line: self.lines.append(line))

    def tell(self, event: str, task: str = "", host: str = "een", at: float = 0, **result: Any) -> None:
        role = "powerdns"
        self.listener({"event": event, "task": task, "host": host, "at": at, "role": role, "result": result})

    @property
    def een(self) -> HostOutcome:
        return self.listener.hosts["een"]


@pytest.fixture
def told() -> Told:
    return Told("een", "twee")


def test_what_differs_becomes_the_hosts_outcome(told: Told) -> None:
    differing = {"/etc/b": ["content"], "/etc/a": ["mode"]}
    found = FOUND | {"missing": ["postfix"], "files": differing, "unsettled": {"x.service": "failed"}}
    told.tell("ok", "Compare", **found)
    assert (told.een.packages, told.een.files, told.een.units) == (
        ["postfix"], ["/etc/a", "/etc/b"], ["x.service: failed"]
    )  # fmt: skip
    assert told.een.changed == 4
    assert told.listener.hosts["twee"].changed == 0
    assert told.lines == [("een", "compare", "1 packages, 2 files, 1 units")]


def test_packages_that_are_outdated_say_from_which_version_to_which(told: Told) -> None:
    told.tell("ok", "Compare", **FOUND | {"missing": ["nginx"], "outdated": {"postfix": ["3.10.4-1", "3.10.5-1"]}})
    assert told.een.packages == ["nginx", "postfix 3.10.4-1 -> 3.10.5-1"]
    assert told.lines == [("een", "compare", "2 packages")]


@pytest.mark.parametrize(
    ("found", "line"), [({}, "nothing to do"), ({"unfinished": True}, "an earlier run did not finish")]
)
def test_a_host_without_differences_says_why_it_is_visited(told: Told, found: dict[str, Any], line: str) -> None:
    told.tell("ok", "Compare", **FOUND | found)
    assert told.lines == [("een", "compare", line)]
    assert told.een.changed == 0


def test_units_are_those_that_were_acted_on_in_both_passes(told: Told) -> None:
    told.tell("ok", "Compare", **FOUND | {"unsettled": {"a.service": "inactive"}})
    told.tell("ok", "Activate", changed=True, units=["start a.service"])
    told.tell("ok", "Activate what needs the other hosts", changed=True, units=["restart b.service"])
    assert told.een.units == ["start a.service", "restart b.service"]
    assert [stage for _, stage, _ in told.lines] == ["compare", "activate", "activate"]


def test_installing_and_configuring_are_heard_when_they_changed_something(told: Told) -> None:
    told.tell("ok", "Compare", **FOUND | {"missing": ["a", "b"]})
    told.tell("ok", "Install", changed=True, seconds=4.2)
    told.tell("ok", "Configure", changed=True, files=["/etc/a"])
    told.tell("ok", "Install", host="twee", changed=False)
    told.tell("ok", "What files cannot say", changed=True)
    assert told.lines[1:] == [("een", "install", "2 packages in 4.2 s"), ("een", "configure", "1 files")]


def test_a_failure_says_host_stage_and_the_daemons_last_words(told: Told) -> None:
    journal = "\n".join(f"line {number}" for number in range(20))
    told.tell("failed", "Activate", msg="app.service: failed", journal=journal)
    (finding,) = told.listener.failures
    assert finding.where == "een, activate"
    assert finding.what.splitlines()[0] == "app.service: failed"
    assert [line.strip() for line in finding.what.splitlines()[1:]] == [f"line {number}" for number in range(12, 20)]
    assert finding.remedy
    assert told.lines == [("een", "failed", finding.what)]


def test_a_failure_in_a_roles_own_task_names_the_role_and_the_task(told: Told) -> None:
    told.tell("failed", "Load the zones", msg="pdnsutil: no such backend")
    assert told.listener.failures[0].where == "een, role powerdns: Load the zones"


def test_a_host_that_went_away_is_a_failure_and_an_ignored_one_is_none(told: Told) -> None:
    told.tell("unreachable", "Compare", msg="ssh: connection reset")
    told.tell("ignored", "Compare", msg="never mind")
    assert [finding.what for finding in told.listener.failures] == ["ssh: connection reset"]


def test_stages_take_from_one_task_to_the_next(told: Told) -> None:
    for task, at in (("Compare", 10), ("Install", 11), ("Activate", 15), ("Load the zones", 16)):
        told.tell("task", task, at=at)
    told.tell("task", "Activate what needs the other hosts", at=18)
    told.tell("end", at=21)
    assert told.listener.stages() == {"compare": 1, "install": 4, "activate": 4, "role tasks": 2}


def test_an_outcome_in_json_has_exactly_its_promised_shape() -> None:
    host = HostOutcome(["postfix"], ["/etc/a"], ["start a.service"], {"/etc/a": ["mode"]}, [{"before": "x"}])
    outcome = Outcome({"een": host}, [Finding("een", "no", "yes")], {"compare": 1.234}, 5.678)
    assert outcome.as_json() == {
        "hosts": {"een": {"changed": 3, "files": ["/etc/a"], "units": ["start a.service"], "packages": ["postfix"]}},
        "seconds": 5.68,
        "stages": {"compare": 1.23},
        "failures": [{"where": "een", "what": "no", "remedy": "yes"}],
    }


# ---- what a deployment refuses


@pytest.fixture
def inventory(small: Path) -> Inventory:
    return load(small)


def test_an_unknown_host_is_refused_with_those_that_there_are(inventory: Inventory) -> None:
    with pytest.raises(Refused, match="--host: no host named twee; there are een"):
        deploy(inventory, hosts=["een", "twee"])


def test_an_unknown_role_is_refused_with_those_that_there_are(inventory: Inventory) -> None:
    with pytest.raises(Refused, match="--only: no host has a role postfix; there are base, powerdns, unbound"):
        deploy(inventory, only=["postfix"])


@pytest.fixture
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A deployment in which all but the playbook is well; gives what the playbook was given."""
    given: dict[str, Any] = {"code": 0}

    def playbook_run(path: Path, inventory: Inventory, **options: Any) -> int:
        given.update(options, playbook=path.name)
        return int(given["code"])

    monkeypatch.setattr(run, "declared", lambda *_: {})
    lock = SimpleNamespace(packages=[SimpleNamespace(name="app", version="1.0-2")])
    monkeypatch.setattr(packages, "build", lambda *_, **__: SimpleNamespace(directory=Path("bundle"), lock=lock))
    monkeypatch.setattr(bundle, "serving", lambda _: contextlib.nullcontext(4711))
    monkeypatch.setattr(bundle, "apt_source", lambda _, uri: f"URIs: {uri}\n")
    monkeypatch.setattr(
        run, "Connections", lambda *_, **__: contextlib.nullcontext(SimpleNamespace(facts={}, findings=[]))
    )
    monkeypatch.setattr(playbook, "run", playbook_run)
    return given


def test_a_check_is_passed_on_to_ansible_with_its_hosts(inventory: Inventory, nothing_else: dict[str, Any]) -> None:
    deploy(inventory, check=True, only=["base"], variables={"app_port": 25})
    assert nothing_else["playbook"] == "site.yml"
    assert nothing_else["options"] == ["--limit", "een", "--check", "--diff"]
    assert nothing_else["variables"] == {
        "bsw_package_source": "URIs: http://127.0.0.1:8180\n", "bsw_package_versions": {"app": "1.0-2"},
        "bsw_only": ["base"], "app_port": 25,
    }  # fmt: skip


def test_a_run_that_ended_badly_without_a_failed_task_is_not_called_a_success(
    inventory: Inventory, nothing_else: dict[str, Any]
) -> None:
    nothing_else["code"] = 4
    with pytest.raises(Refused, match="ansible-playbook: ended with exit code 4"):
        deploy(inventory)


# ---- what is declared, and the packages that follow


def test_what_is_declared_is_kept_until_a_role_or_the_inventory_changes(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[dict[str, Any]] = []

    def render(inventory: Inventory, to: Path, variables: dict[str, Any]) -> None:
        rendered.append(variables)
        (to / "een").mkdir()
        empty: dict[str, Any] = {"packages": [], "units": [], "flows": [], "listens": []}
        (to / "een" / "declared.json").write_text(json.dumps(empty))

    monkeypatch.setattr(declared, "render", render)
    monkeypatch.setattr(declared, "ROLES", tmp_path / "roles")
    monkeypatch.setattr(declared, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(declared, "REPOSITORY", tmp_path)

    def renderings(variables: dict[str, Any] | None = None) -> int:
        declared.declared(load(small), variables)
        return len(rendered)

    assert (renderings(), renderings()) == (1, 1)
    assert (renderings({"x": 1}), renderings({"x": 1}), renderings()) == (2, 2, 2)
    (tmp_path / "roles/base/vars").mkdir(parents=True)
    (tmp_path / "roles/base/vars/main.yml").write_text("base_packages: [app]\n")
    assert renderings() == 3
    with (small / "group_vars/all/main.yml").open("a") as file:
        file.write("ansible_user: root\n")
    assert (renderings(), renderings()) == (4, 4)
    (tmp_path / "deploy/inventory").mkdir(parents=True)
    (tmp_path / "deploy/inventory/components.py").write_text("another table\n")
    assert (renderings(), renderings()) == (5, 5)


def test_ports_are_the_tcp_ports_that_a_host_listens_on() -> None:
    listens: list[dict[str, Any]] = [
        {"protocol": "tcp", "port": "993"}, {"protocol": "udp", "port": 53}, {"protocol": "tcp", "port": 53}
    ]  # fmt: skip
    assert declared.Declared([], [], [], listens).ports() == [53, 993]


def test_the_bundle_holds_the_packages_of_every_host_of_every_inventory(
    inventory: Inventory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Put
) -> None:
    asked: list[Any] = []
    given: list[Any] = []

    def of(_: Inventory, variables: dict[str, Any] | None) -> dict[str, declared.Declared]:
        asked.append(variables)
        return {"een": declared.Declared(["unbound", "app" if variables else "pdns-server"], [], [], [])}

    def build(names: list[str], status: Path, **options: Any) -> str:
        options["progress"]("42 packages")
        given.extend([names, status, options["update"]])
        return "built"

    heard: list[tuple[str, str, str]] = []
    monkeypatch.setattr(packages, "declared", of)
    monkeypatch.setattr(image, "base", lambda: tmp_path / "base")
    monkeypatch.setattr(bundle, "build", build)
    made: Any = packages.build(inventory, inventory, variables={"x": 1}, hear=lambda *line: heard.append(line))
    assert made == "built"
    assert asked == [{"x": 1}, None]
    assert given == [["app", "pdns-server", "unbound"], tmp_path / "base/var/lib/dpkg/status", False]
    assert heard == [("controller", "bundle", "42 packages")]
