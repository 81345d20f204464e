"""The command line: what each command hands on, what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import deploy
import deploy.run
from deploy import bundle, cli, converge, dns, lab, paths, people, sovereignty
from deploy.converge import HostOutcome, Outcome, packages
from deploy.errors import Finding, Refused
from deploy.inventory import secrets
from deploy.lab import LabHost, Status, plan
from deploy.people import Group, Imported, Person
from deploy.report import Observation
from deploy.verify import alone

Run = Callable[..., SimpleNamespace]


@pytest.fixture
def bsw(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process: its exit code, what it printed, what it complained of."""

    def run(*arguments: str | Path) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["bsw", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return SimpleNamespace(code=ended.value.code or 0, out=said.out, err=said.err)

    return run


class Calls(list[Any]):
    """Stands for a function: keeps what it was given, and answers."""

    def __init__(self, answer: Any = None) -> None:
        super().__init__()
        self.answer = answer

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.append((*arguments, options) if options else arguments)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


# ---- the whole


def test_every_command_explains_itself(bsw: Run) -> None:
    for command in ((), ("lab",), ("inventory",), ("bundle",), ("dns",), ("people",)):
        shown = bsw(*command, "--help")
        assert shown.code == 0
        undescribed = [line for line in shown.out.split("Commands:")[1].splitlines() if len(line.split()) == 1]
        assert undescribed == []


def test_an_unknown_command_ends_with_two(bsw: Run) -> None:
    assert bsw("lab", "sideways").code == 2


def test_what_is_refused_is_a_line_each_and_ends_with_two(bsw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Refused([Finding("een", "is down", "start it"), Finding("a.yml:3", "is wrong")])
    monkeypatch.setattr(lab, "status", Calls(refused))
    said = bsw("lab", "status")
    assert (said.code, said.out) == (2, "")
    assert said.err == "bsw: a.yml:3: is wrong\nbsw: een: is down; start it\n"


def test_the_door_is_a_module_of_its_own(small: Path) -> None:
    command = [sys.executable, "-m", "deploy", "inventory", "show", "--json", str(small)]
    said = subprocess.run(command, capture_output=True, text=True, check=False, cwd=paths.REPOSITORY)
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["hosts"]["een"]["fqdn"] == "een.proef.test"


# ---- inventory


def test_an_inventory_is_shown_to_programs(bsw: Run, small: Path) -> None:
    shown = json.loads(bsw("inventory", "show", small, "--json").out)
    assert shown["domain"] == "proef.test"
    assert shown["components"] == {"dns": "powerdns"}
    assert shown["hosts"]["een"]["roles"] == ["base", "unbound", "powerdns"]
    assert shown["hosts"]["een"]["ipv4"] == "198.18.10.11"


def test_an_inventory_is_shown_to_people(bsw: Run, small: Path) -> None:
    first, host = bsw("inventory", "show", small).out.splitlines()
    assert first == "proef.test: dns=powerdns"
    assert host.split() == ["een", "198.18.10.11", "fd00:18:10::11", "base", "unbound", "powerdns"]


def test_a_bad_inventory_is_refused_with_a_line_for_each_mistake(bsw: Run, small: Path) -> None:
    hosts = small / "hosts.yml"
    hosts.write_text(hosts.read_text().replace("198.18.10.11", "198.18.10.311").replace("[dns]", "[dsn]"))
    said = bsw("inventory", "check", small)
    lines = said.err.splitlines()
    assert said.code == 2
    assert len(lines) >= 2
    assert all(line.startswith(f"bsw: {small}/") for line in lines)
    assert any("hosts.yml:6: " in line and "198.18.10.311" in line for line in lines)
    assert any("hosts.yml:9: " in line and "dsn" in line for line in lines)


def test_secrets_are_made_once_and_then_the_inventory_is_in_order(bsw: Run, small: Path) -> None:
    assert bsw("inventory", "check", small).code == 2
    assert "proef/powerdns_api_secret" in bsw("inventory", "secrets", small).out
    assert bsw("inventory", "secrets", small).out == f"{small}: all secrets are there\n"
    assert bsw("inventory", "check", small).out == f"{small}: 1 hosts, 1 organisations: in order\n"


# ---- lab


def test_no_lab_is_an_empty_list_for_programs_and_a_word_for_people(
    bsw: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab.lab, "_STATE", tmp_path / "hosts.json")
    assert json.loads(bsw("lab", "status", "--json").out) == {"hosts": []}
    assert bsw("lab", "status").out == "lab: not up\n"


def test_hosts_of_a_lab_are_shown_with_their_state(bsw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "status", Calls([Status("een", "198.18.10.11", "fd00:18:10::11", "running")]))
    (host,) = json.loads(bsw("lab", "status", "--json").out)["hosts"]
    assert host == {"name": "een", "ipv4": "198.18.10.11", "ipv6": "fd00:18:10::11", "state": "running"}
    assert bsw("lab", "status").out.split() == ["een", "198.18.10.11", "fd00:18:10::11", "running"]


def test_a_lab_goes_up_and_down_by_name(bsw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    een = LabHost("een", "198.18.10.11", "fd00:18:10::11")
    named, up, down = Calls([een]), Calls(["een"]), Calls(["een"])
    monkeypatch.setattr(plan, "hosts", named)
    monkeypatch.setattr(lab, "up", up)
    monkeypatch.setattr(lab, "down", down)
    assert bsw("lab", "up", "een").out == "lab: started een\n"
    assert bsw("lab", "down", "een").out == "lab: ended een\n"
    up.answer = down.answer = []
    assert bsw("lab", "up").out == "lab: everything is up already\n"
    assert bsw("lab", "down").out == "lab: nothing to end\n"
    assert (named, up, down) == ([(["een"],), ([],)], [([een],), ([een],)], [(["een"],), ([],)])


def test_a_command_runs_inside_the_lab_as_it_was_written(bsw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[tuple[str, list[str]]] = []

    def execvp(program: str, command: list[str]) -> None:
        became.append((program, command))
        sys.exit(0)

    monkeypatch.setattr(os, "execvp", execvp)
    monkeypatch.setattr(lab, "exec_prefix", Calls(["nsenter", "--net=x"]))
    bsw("lab", "exec", "--", "curl", "--json", "{}", "https://www.rijk.test")
    bsw("lab", "exec", "dig", "-x", "198.18.10.11")
    bsw("lab", "ssh", "stack", "systemctl", "--failed")
    assert became == [
        ("nsenter", ["nsenter", "--net=x", "curl", "--json", "{}", "https://www.rijk.test"]),
        ("nsenter", ["nsenter", "--net=x", "dig", "-x", "198.18.10.11"]),
        ("ssh", ["ssh", "-F", str(lab.SSH_CONFIG), "stack", "systemctl", "--failed"]),
    ]


# ---- deploy


def outcome(**more: Any) -> Outcome:
    host = HostOutcome(files=["/etc/app.conf"], units=["restart app.service"])
    given: dict[str, Any] = {"hosts": {"een": host}, "failures": [], "stages": {"compare": 1.0}, "seconds": 2.0}
    return Outcome(**given | more)


def test_a_deployment_is_handed_its_options_and_ends_well(
    bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed = Calls(outcome())
    monkeypatch.setattr(converge, "deploy", deployed)
    said = bsw("deploy", "-i", small, "--only", "base", "--only", "unbound", "--host", "een", "--check", "--json")
    (inventory, options) = deployed[0]
    assert inventory.path == small
    assert options | {"hear": 0} == {"only": ["base", "unbound"], "hosts": ["een"], "check": True, "hear": 0}
    assert said.code == 0
    assert json.loads(said.out)["hosts"]["een"]["changed"] == 2
    assert bsw("deploy", "-i", small).out == "1 hosts, 2 changed, 2.0 s\n"


def test_a_deployment_that_failed_ends_with_one_and_says_where(
    bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = outcome(failures=[Finding("een, activate", "app.service: failed", "mend it")])
    monkeypatch.setattr(converge, "deploy", Calls(failed))
    said = bsw("deploy", "-i", small)
    assert (said.code, said.err) == (1, "bsw: een, activate: app.service: failed; mend it\n")
    as_json = bsw("deploy", "-i", small, "--json")
    assert as_json.code == 1
    assert json.loads(as_json.out)["failures"][0]["where"] == "een, activate"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--host", "bsw: --host: no host named nobody; there are een\n"),
        ("--only", "bsw: --only: no host has a role nobody; there are base, powerdns, unbound\n"),
    ],
)
def test_a_deployment_to_what_is_unknown_is_refused(bsw: Run, small: Path, option: str, said: str) -> None:
    refused = bsw("deploy", "-i", small, option, "nobody")
    assert (refused.code, refused.err) == (2, said)


# ---- bundle


def test_a_bundle_is_built_and_counted(bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = Calls(SimpleNamespace(directory="/bundle", lock=SimpleNamespace(packages=["a", "b"])))
    monkeypatch.setattr(packages, "build", built)
    assert bsw("bundle", "build", "-i", small, "--update").out == "/bundle: 2 packages\n"
    assert built[0][1]["update"] is True


def test_a_bundle_is_verified_and_every_bad_file_is_named(bsw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    verified = Calls([Finding("pool/a.deb", "its hash is wrong"), Finding("pool/b.deb", "is missing")])
    monkeypatch.setattr(bundle, "verify", verified)
    said = bsw("bundle", "verify")
    assert (said.code, said.out) == (1, "pool/a.deb: its hash is wrong\npool/b.deb: is missing\n")
    verified.answer = []
    said = bsw("bundle", "verify")
    assert (said.code, said.out) == (0, f"{packages.DIRECTORY}: every file is as signed\n")


def test_a_bundle_is_served_at_an_address_of_either_family(bsw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    served = Calls()
    monkeypatch.setattr(bundle, "serve", served)
    bsw("bundle", "serve")
    bsw("bundle", "serve", "--listen", "[::1]:8080")
    assert [address for _, address in served] == [("127.0.0.1", 8180), ("::1", 8080)]


@pytest.mark.parametrize("listen", ["8180", "localhost:", "localhost:http"])
def test_an_address_that_is_none_is_refused(bsw: Run, monkeypatch: pytest.MonkeyPatch, listen: str) -> None:
    monkeypatch.setattr(bundle, "serve", Calls())
    said = bsw("bundle", "serve", "--listen", listen)
    assert said.code == 2
    assert said.err == f"bsw: --listen: is {listen!r}; write address:port, such as 127.0.0.1:8180\n"


# ---- dns


def test_the_records_of_a_domain_are_printed(bsw: Run, small: Path) -> None:
    secrets.ensure(small)
    said = bsw("dns", "show", "-i", small)
    assert said.code == 0
    assert "SOA" in said.out
    assert said.out == bsw("dns", "show", "proef.test", "-i", small).out


def test_dns_is_looked_at_from_inside_a_lab(bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets.ensure(small)
    looked = Calls([Finding("proef.test", "has no DS", "put it there")])
    monkeypatch.setattr(dns, "check", looked)
    monkeypatch.setattr(lab, "inside_lab", Calls("198.18.10.53"))
    said = bsw("dns", "check", "-i", small)
    assert (said.code, said.out) == (1, "proef.test: has no DS; put it there\n")
    assert looked[0][-1] == "198.18.10.53"
    (finding,) = json.loads(bsw("dns", "check", "-i", small, "--json").out)
    assert finding == {"where": "proef.test", "what": "has no DS", "remedy": "put it there"}
    looked.answer = []
    said = bsw("dns", "check", "-i", small)
    assert (said.code, said.out) == (0, "dns: as it should be\n")
    assert json.loads(bsw("dns", "check", "-i", small, "--json").out) == []


# ---- people


def test_a_sheet_is_imported_and_counted(
    bsw: Run, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = Calls(Imported(("a", "b"), ("c",), (), tmp_path / "passwords.csv"))
    monkeypatch.setattr(people, "import_file", imported)
    said = bsw("people", "import", "people.csv", "-i", small, "--organisation", "proef")
    assert said.out.splitlines() == [
        "2 added, 1 changed, 0 as they were", f"initial passwords, to be handed over once: {tmp_path / 'passwords.csv'}"
    ]  # fmt: skip
    assert imported[0][1:] == (Path("people.csv"), {"organisation": "proef"})
    imported.answer = Imported((), (), ("a",), None)
    assert bsw("people", "import", "people.csv", "-i", small).out == "0 added, 0 changed, 1 as they were\n"


def test_a_person_is_added_at_the_organisations_domain(bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added = Calls(Path("passwords.csv"))
    monkeypatch.setattr(people, "add", added)
    words = ("people", "add", "jan", "--given-name", "Jan", "--surname", "Jansen", "-i", small)
    assert bsw(*words, "--group", "team", "--group", "all").out == (
        "initial password, to be handed over once: passwords.csv\n"
    )
    bsw(*words, "--mail", "j.jansen@elders.test")
    assert added[0][1] == Person("jan", "Jan", "Jansen", "jan@proef.test", groups=("all", "team"))
    assert added[1][1].mail == "j.jansen@elders.test"


def test_a_person_of_an_unknown_organisation_is_refused(bsw: Run, small: Path) -> None:
    words = ("people", "add", "jan", "--given-name", "Jan", "--surname", "Jansen", "-i", small)
    said = bsw(*words, "--organisation", "nergens")
    assert (said.code, said.err) == (2, "bsw: nergens: there is no such organisation in the inventory; one of: proef\n")


@pytest.mark.parametrize(("verb", "done"), [("disable", "disabled"), ("enable", "enabled"), ("remove", "removed")])
def test_a_person_is_disabled_enabled_and_removed_by_name(
    bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch, verb: str, done: str
) -> None:
    asked = Calls()
    monkeypatch.setattr(people, verb, asked)
    assert bsw("people", verb, "jan", "-i", small).out == f"jan: {done}\n"
    assert asked[0][1:] == ("jan", {"organisation": None})


def test_a_functional_mailbox_gets_the_organisations_address(
    bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added = Calls(None)
    monkeypatch.setattr(people, "add", added)
    words = ("people", "add-mailbox", "balie", "--name", "De balie", "--group", "team", "-i", small)
    assert bsw(*words).out == "balie: added, balie@proef.test\n"
    assert added[0][1] == people.Mailbox("balie", "De balie", "balie@proef.test", groups=("team",))


def test_a_room_needs_nothing_but_a_name(bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added = Calls(None)
    monkeypatch.setattr(people, "add", added)
    assert (
        bsw("people", "add-room", "zaal", "--name", "Grote zaal", "-i", small).out == "zaal: added, zaal@proef.test\n"
    )
    assert added[0][1] == people.Mailbox("zaal", "Grote zaal", "zaal@proef.test", kind="room")


def test_a_group_with_an_address_is_a_list(bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added = Calls(None)
    monkeypatch.setattr(people, "add", added)
    words = (
        "people",
        "add-group",
        "team",
        "--mail",
        "team@proef.test",
        "--member",
        "jan",
        "--member",
        "eva",
        "-i",
        small,
    )
    assert bsw(*words).out == "team: added\n"
    assert added[0][1] == Group("team", "", "team@proef.test", members=("eva", "jan"))


def test_who_joins_and_leaves_a_group_is_told(bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = Calls(Group("team", members=("eva",)))
    monkeypatch.setattr(people, "members", changed)
    said = bsw("people", "members", "team", "--add", "eva", "--remove", "jan", "-i", small)
    assert said.out == "team: eva\n"
    assert changed[0][2] == {"add": ["eva"], "remove": ["jan"], "organisation": None}


def test_aliases_are_given_and_taken(bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jan = Person("jan", "Jan", "Jansen", "jan@proef.test", aliases=("j@proef.test",))
    monkeypatch.setattr(people, "aliases", Calls(jan))
    assert bsw("people", "aliases", "jan", "--add", "j@proef.test", "-i", small).out == "jan: j@proef.test\n"


def test_a_new_password_is_in_a_file_and_not_on_the_screen(
    bsw: Run, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "reset_password", Calls(tmp_path / "new.csv"))
    said = bsw("people", "password", "jan", "-i", small)
    assert said.out == f"new password, to be handed over once: {tmp_path}/new.csv\n"


def test_people_are_listed(bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jan = Person("jan", "Jan", "Jansen", "jan@proef.test", disabled=True)
    monkeypatch.setattr(people, "entries", Calls([Group("team", "Het team"), jan]))
    team, person = bsw("people", "list", "-i", small).out.splitlines()
    assert team.split() == ["group", "team", "Het", "team"]
    assert person.split() == ["person", "jan", "jan@proef.test", "Jan", "Jansen", "(disabled)"]
    listed = json.loads(bsw("people", "list", "-i", small, "--json").out)
    assert [entry["uid"] for entry in listed] == ["team", "jan"]


# ---- smoke, audit, up

RESULT = {
    "passed": 40, "failed": 0, "skipped": 1, "seconds": 12.3, "report": "report/index.html",
    "requirements": {"A": "proven", "B": "not covered", "C": "proven"},
}  # fmt: skip


def test_the_smoke_suite_says_its_verdict_in_a_sentence(bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = Calls(RESULT)
    monkeypatch.setattr(deploy.run, "smoke", tried)
    said = bsw("smoke", "-i", small, "-k", "imap")
    assert (said.code, said.out) == (0, (
        "40 passed, 0 failed, 1 skipped in 12 s; requirements: 2 proven, 0 failed, 1 not covered\n"
        "report: report/index.html\n"
    ))  # fmt: skip
    assert tried[0][1] == {"keyword": "imap"}
    tried.answer = RESULT | {"failed": 1}
    said = bsw("smoke", "-i", small, "--json")
    assert said.code == 1
    assert json.loads(said.out)["failed"] == 1


def test_an_audit_names_what_is_not_in_order_and_what_cannot_be_known(
    bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = [
        Observation("A", "een", "no undeclared flow", True, "counters"),
        Observation("B", "een", "talks to elsewhere", False, "nft"),
        Observation("C", "een", "stands in NL", None),
    ]
    looked = Calls(seen)
    monkeypatch.setattr(sovereignty, "audit", looked)
    said = bsw("audit", "-i", small)
    assert said.code == 1
    assert said.out.splitlines() == [
        "een: talks to elsewhere (nft)", "een: stands in NL", "audit: 3 looked at, 2 not in order"
    ]  # fmt: skip
    assert [one["ok"] for one in json.loads(bsw("audit", "-i", small, "--json").out)] == [True, False, None]
    looked.answer = seen[:1]
    assert bsw("audit", "-i", small).code == 0


def test_the_whole_path_ends_with_the_smoke_suites_verdict(
    bsw: Run, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    went = Calls(RESULT)
    monkeypatch.setattr(deploy.run, "up", went)
    said = bsw("up", "-i", small)
    assert said.code == 0
    assert "40 passed" in said.out
    assert went[0][0] == small
    went.answer = RESULT | {"failed": 2}
    assert bsw("up", "-i", small).code == 1


# ---- test


def test_roles_are_tried_one_by_one_and_every_problem_is_printed(bsw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[str, bool]] = []

    def verify(role: str, *, keep: bool, hear: object) -> alone.Verdict:
        tried.append((role, keep))
        return alone.Verdict(role, 3.2, ["no port 53", "no zone"] if role == "powerdns" else [])

    monkeypatch.setattr(alone, "verify", verify)
    said = bsw("test", "roles", "powerdns", "unbound", "--keep")
    assert tried == [("powerdns", True), ("unbound", True)]
    assert said.code == 1
    assert said.err == "no port 53\nno zone\n"
    assert "role powerdns alone, 3 s" in said.out
    assert bsw("test", "roles", "unbound").code == 0


def test_without_names_every_role_is_tried(bsw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone, "names", lambda: ["base", "unbound"])
    tried = Calls(alone.Verdict("", 0, []))
    monkeypatch.setattr(alone, "verify", tried)
    assert bsw("test", "roles").code == 0
    assert [role for role, _ in tried] == ["base", "unbound"]


def test_molecule_takes_the_steps_of_a_role_one_by_one(bsw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {step: Calls() for step in ("prepare", "discard")}
    for step, calls in steps.items():
        monkeypatch.setattr(alone, step, calls)
        assert bsw("test", "role-step", step, "powerdns").code == 0
    assert steps == {"prepare": [("powerdns",)], "discard": [("powerdns",)]}
    monkeypatch.setattr(alone, "run", Calls(outcome()))
    said = bsw("test", "role-step", "converge", "powerdns")
    assert (said.code, json.loads(said.out)["hosts"]["een"]["changed"]) == (0, 2)
    monkeypatch.setattr(alone, "run", Calls(outcome(failures=[Finding("een", "failed")])))
    assert bsw("test", "role-step", "converge", "powerdns").code == 1


def test_the_whole_test_suite_is_what_ci_runs(bsw: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    became: list[list[str]] = []

    def execv(_program: str, command: list[str]) -> None:
        became.append(command)
        sys.exit(0)

    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.chdir(tmp_path)
    assert bsw("test").code == 0
    assert became[0][:3] == [sys.executable, "-m", "pytest"]
    assert became[0][-1] == str(paths.REPOSITORY / "deploy/verify/suite")
    assert Path.cwd() == paths.REPOSITORY


def test_the_benchmark_is_run(bsw: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = Calls()
    monkeypatch.setitem(sys.modules, "bench.measure", SimpleNamespace(main=measured))
    assert bsw("bench").code == 0
    assert measured == [()]
