"""One host through everything that happens to it: a look, a deployment, another, a hand, a mistake, its mending.

The engine is real, from preflight over Ansible to the modules; the host is this machine, and all its paths lie below a
directory of the test's own. Only systemd, dpkg and ssh are stand-ins.
"""

from __future__ import annotations

import base64
import contextlib
import grp
import json
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from deploy import bundle, paths
from deploy.converge import Outcome, declared, deploy, packages, playbook
from deploy.errors import Refused
from deploy.inventory import load, secrets
from tests.conftest import write_small

OWNER = pwd.getpwuid(os.geteuid()).pw_name
GROUP = grp.getgrgid(os.getegid()).gr_name

SYSTEMCTL = """\
echo "$@" >> "$BSW_TEST/systemctl.log"
verb=$1
case $verb in
show)
  shift
  while [ $# -gt 0 ]; do
    case $1 in -p) shift 2; continue ;; esac
    active=inactive; enabled=disabled
    [ -e "$BSW_TEST/active-$1" ] && active=active
    [ -e "$BSW_TEST/enabled-$1" ] && enabled=enabled
    [ -z "$more" ] || echo; more=yes
    printf 'Id=%s\\nLoadState=loaded\\nUnitFileState=%s\\nActiveState=%s\\n' "$1" $enabled $active
    printf 'Result=success\\nConditionResult=yes\\n'
    shift
  done ;;
start|restart|reload-or-restart) touch "$BSW_TEST/active-$2" ;;
enable) shift 2; for unit; do touch "$BSW_TEST/enabled-$unit"; done ;;
esac
"""
PROGRAMS = {
    "systemctl": SYSTEMCTL,
    "dpkg-query": 'echo "app $(cat "$BSW_TEST/version") install installed"\n',
    "dpkg": '[ "$2$3$4" = 1.0-1lt1.0-2 ]\n',
    "ssh": 'sed "s/CLOCK/$(date +%s)/" "$BSW_TEST/facts"; exec cat\n',
}
FACTS = (
    '{"user": 0, "release": "debian 13", "architecture": "amd64", "memory": 1, "disk": {}, "clock": CLOCK, '
    '"addresses": {"198.18.10.11": false, "fd00:18:10::11": false, "198.18.10.53": false}, "listeners": {}, '
    '"begun": false, "came_from": "198.18.10.1", "systemd": true, "resolved": {}}\n'
)


class Stage:
    """The host, its roles, and what Ansible says."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.host = directory / "host"
        self.events: list[playbook.Event] = []
        self.heard: list[tuple[str, str, str]] = []
        self.inventory = write_small(directory / "small")
        self._put("small/group_vars/all/local.yml", "ansible_connection: local\n")
        self._roles()

    @property
    def app(self) -> Path:
        return self.host / "etc/app"

    def write_main(self, setting: str) -> None:
        self._put(f"roles/base/rootfs{self.app}/main.conf.j2", f"{setting} = {{{{ bsw_host.name }}}}\n")

    def deploy(self, **options: Any) -> Outcome:
        self.heard.clear()
        return deploy(load(self.inventory), hear=lambda *line: self.heard.append(line), **options)

    def tree(self) -> dict[str, str]:
        return {str(p.relative_to(self.host)): p.read_text() for p in sorted(self.host.rglob("*")) if p.is_file()}

    def systemctl(self) -> list[str]:
        """What was asked of systemd since the last time, but for looks."""
        log = self.directory / "systemctl.log"
        said = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line for line in said if not line.startswith(("show", "daemon-reload", "reset-failed"))]

    def state(self, name: str) -> Any:
        file = self.directory / "state" / name
        return json.loads(file.read_text()) if file.exists() else None

    def _put(self, path: str, content: str, mode: int = 0o644) -> None:
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(mode)

    def _roles(self) -> None:
        rules: list[dict[str, Any]] = [
            {"match": "**", "owner": OWNER, "group": GROUP},
            {"match": "**/etc/app/*", "reload": ["app.service"]},
            {"match": "**/etc/app/main.conf", "restart": ["app.service"], "validate": "grep -q ^good %s"},
            {"match": "**/etc/app/key", "mode": "0600", "secret": True},
        ]
        units = [{"name": "app.service", "ready": {"command": "true"}}, {"name": "late.service", "last": True}]
        listens = [{"protocol": "tcp", "port": 53, "from": ["any"], "reason": "DNS"}]
        variables = {
            "base_packages": ["app"], "base_rootfs": rules, "base_units": units, "base_listens": listens
        }  # fmt: skip
        self._put("roles/base/vars/main.yml", yaml.safe_dump(variables))
        self._put(f"roles/base/rootfs{self.app}/key.j2", "{{ powerdns_api_secret }}\n")
        self._put(f"roles/base/rootfs{self.host}/usr/lib/run", "#!/bin/sh\n", 0o755)
        self.write_main("good")
        rules = [
            {"match": "**", "owner": OWNER, "group": GROUP},
            {"match": "**/late.conf", "restart": ["late.service"]},
        ]
        self._put("roles/unbound/vars/main.yml", yaml.safe_dump({"unbound_rootfs": rules}))
        self._put(f"roles/unbound/rootfs{self.host}/etc/late.conf", "late\n")
        task = {"name": "Mark", "ansible.builtin.command": f"sh -c 'echo ran >> {self.directory}/marks'"}
        self._put("roles/powerdns/tasks/main.yml", yaml.safe_dump([task]))

    def marks(self) -> int:
        file = self.directory / "marks"
        return len(file.read_text().splitlines()) if file.exists() else 0


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    directory = tmp_path_factory.mktemp("stage")
    with pytest.MonkeyPatch.context() as patch:
        for name, text in PROGRAMS.items():
            program = directory / "bin" / name
            program.parent.mkdir(exist_ok=True)
            program.write_text(f"#!/bin/sh\n{text}")
            program.chmod(0o755)
        (directory / "facts").write_text(FACTS)
        environment = {
            "PATH": f"{directory}/bin:{os.environ['PATH']}", "BSW_TEST": str(directory), "HOME": str(directory),
            "ANSIBLE_REMOTE_TEMP": str(directory / "tmp"),
            "BSW_STATE": str(directory / "state"), "ANSIBLE_ROLES_PATH": str(directory / "roles"),
        }  # fmt: skip
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(paths, "CONFIG", directory / "config")
        patch.setattr(paths, "ROLES", directory / "roles")
        patch.setattr(declared, "ROLES", directory / "roles")
        patch.setattr(declared, "CACHE", directory / "cache")
        (directory / "version").write_text("1.0-2")
        lock = SimpleNamespace(packages=[SimpleNamespace(name="app", version="1.0-2")])
        patch.setattr(packages, "build", lambda *_, **__: SimpleNamespace(directory=directory, lock=lock))
        patch.setattr(bundle, "serving", lambda _: contextlib.nullcontext(8180))
        patch.setattr(bundle, "apt_source", lambda *_: "Types: deb\n")
        stage = Stage(directory)
        follow = playbook._follow

        def recorded(*arguments: Any) -> Iterator[playbook.Event]:
            for event in follow(*arguments):
                stage.events.append(event)
                yield event

        patch.setattr(playbook, "_follow", recorded)
        secrets.ensure(stage.inventory)
        umask = os.umask(0o077)
        try:
            yield stage
        finally:
            os.umask(umask)


@dataclass
class Act:
    """A deployment, and how things stood after it."""

    outcome: Outcome
    tree: dict[str, str]
    systemctl: list[str]
    heard: list[tuple[str, str, str]]
    pending: Any
    marks: int

    @property
    def een(self) -> Any:
        return self.outcome.hosts["een"]


def act(stage: Stage, **options: Any) -> Act:
    outcome = stage.deploy(**options)
    pending = stage.state("pending.json")
    return Act(outcome, stage.tree(), stage.systemctl(), list(stage.heard), pending, stage.marks())


@pytest.fixture(scope="module")
def look(stage: Stage) -> Act:
    return act(stage, check=True)


@pytest.fixture(scope="module")
def first(stage: Stage, look: Act) -> Act:
    return act(stage)


@pytest.fixture(scope="module")
def second(stage: Stage, first: Act) -> Act:
    return act(stage)


@pytest.fixture(scope="module")
def by_hand(stage: Stage, second: Act) -> Act:
    """Somebody edits a file and a secret, and opens a program to everybody; then a look."""
    with (stage.app / "main.conf").open("a") as file:
        file.write("# by hand\n")
    (stage.app / "key").write_text("a secret by hand\n")
    (stage.host / "usr/lib/run").chmod(0o777)
    return act(stage, check=True)


@pytest.fixture(scope="module")
def behind(stage: Stage, by_hand: Act) -> Act:
    """The host has a package in an older version than the source; a look."""
    (stage.directory / "version").write_text("1.0-1")
    try:
        return act(stage, check=True)
    finally:
        (stage.directory / "version").write_text("1.0-2")


@pytest.fixture(scope="module")
def mistaken(stage: Stage, behind: Act) -> Act:
    """The declaration itself is wrong."""
    stage.write_main("bad")
    return act(stage)


@pytest.fixture(scope="module")
def mended(stage: Stage, mistaken: Act) -> Act:
    stage.write_main("good")
    return act(stage)


# ---- a look at a bare host


def test_a_look_changes_nothing_at_all(look: Act) -> None:
    assert (look.tree, look.systemctl, look.pending, look.marks) == ({}, [], None, 0)
    assert look.outcome.failures == []


def test_a_look_says_what_would_change(stage: Stage, look: Act) -> None:
    files = [stage.app / "key", stage.app / "main.conf", stage.host / "etc/late.conf", stage.host / "usr/lib/run"]
    assert look.een.files == list(map(str, files))
    assert look.een.reasons[str(stage.app / "main.conf")] == ["content", "new"]
    assert look.een.units == ["app.service: disabled", "late.service: disabled"]


def test_a_look_shows_the_content_of_new_files_but_of_no_secret(stage: Stage, look: Act) -> None:
    shown = {difference["before_header"]: difference for difference in look.een.diff}
    assert shown[str(stage.app / "main.conf")]["after"] == "good = een\n"
    assert shown[str(stage.app / "key")]["prepared"] == f"{stage.app / 'key'}: content, new\n"


# ---- the first deployment


def test_the_first_deployment_writes_every_file_as_declared(stage: Stage, first: Act) -> None:
    key = secrets.read(load(stage.inventory))["proef"]["powerdns_api_secret"]
    assert first.tree == {
        "etc/app/key": f"{key}\n", "etc/app/main.conf": "good = een\n", "etc/late.conf": "late\n",
        "usr/lib/run": "#!/bin/sh\n",
    }  # fmt: skip


def test_modes_are_as_declared_under_any_umask(stage: Stage, first: Act) -> None:
    paths = ("etc/app/key", "etc/app/main.conf", "usr/lib/run", "etc/app", "usr")
    modes = {path: stat.S_IMODE((stage.host / path).stat().st_mode) for path in paths}
    assert modes == {
        "etc/app/key": 0o600, "etc/app/main.conf": 0o644, "usr/lib/run": 0o755, "etc/app": 0o755, "usr": 0o755
    }  # fmt: skip


def test_each_unit_is_enabled_and_brought_up_once_the_last_ones_at_the_end(first: Act) -> None:
    assert first.systemctl == ["enable -q app.service late.service", "restart app.service", "restart late.service"]
    assert first.een.units == [
        "enable app.service", "enable late.service", "restart app.service", "restart late.service"
    ]  # fmt: skip


def test_what_files_cannot_say_is_done_when_the_host_differs(first: Act, second: Act) -> None:
    assert (first.marks, second.marks) == (1, 1)


def test_the_host_records_which_commit_converged_it(stage: Stage, first: Act) -> None:
    assert first.pending is None
    assert set(stage.state("converged.json")) == {"commit", "declared", "at"}


def test_every_stage_has_its_seconds(first: Act) -> None:
    assert {"compare", "configure", "activate"} <= set(first.outcome.stages)
    assert 0 < sum(first.outcome.stages.values()) < first.outcome.seconds


def test_progress_is_heard_by_host_and_stage(first: Act) -> None:
    assert ("een", "compare", "4 files, 2 units") in first.heard
    assert ("een", "configure", "4 files") in first.heard
    assert ("een", "activate", "restart late.service") in first.heard


# ---- the second


def test_the_second_deployment_finds_nothing_to_do(first: Act, second: Act) -> None:
    assert second.een.changed == 0
    assert second.een.reasons == {}
    assert (second.systemctl, second.tree) == ([], first.tree)
    assert second.heard == [("een", "compare", "nothing to do")]


# ---- an older package


def test_a_look_finds_a_package_that_is_older_than_the_sources(second: Act, behind: Act) -> None:
    assert second.een.packages == []
    assert behind.een.packages == ["app 1.0-1 -> 1.0-2"]
    assert (behind.systemctl, behind.pending) == ([], None)


# ---- changes by hand


def test_a_look_finds_exactly_what_was_changed_by_hand(stage: Stage, by_hand: Act) -> None:
    assert by_hand.een.reasons == {
        str(stage.app / "main.conf"): ["content"],
        str(stage.app / "key"): ["content"],
        str(stage.host / "usr/lib/run"): ["mode"],
    }
    assert by_hand.een.units == []
    assert (by_hand.systemctl, by_hand.pending) == ([], None)


def test_the_difference_is_honest(stage: Stage, by_hand: Act) -> None:
    shown = {difference["before_header"]: difference for difference in by_hand.een.diff}
    main = shown[str(stage.app / "main.conf")]
    assert (main["before"], main["after"]) == ("good = een\n# by hand\n", "good = een\n")
    assert shown[str(stage.host / "usr/lib/run")]["prepared"].endswith("run: mode\n")


def test_a_file_that_is_not_valid_leaves_every_file_as_it_was(stage: Stage, by_hand: Act, mistaken: Act) -> None:
    assert mistaken.tree == by_hand.tree
    assert list(stage.host.rglob(".rootfs*")) == []
    (failure,) = mistaken.outcome.failures
    assert failure.where == "een, configure"
    assert failure.what.startswith(f"{stage.app / 'main.conf'}: not valid")
    assert mistaken.systemctl == []


def test_what_is_to_be_notified_outlives_a_run_that_failed(mistaken: Act) -> None:
    assert mistaken.pending["restart"] == ["app.service"]


def test_the_next_run_goes_on_where_that_one_stopped(stage: Stage, first: Act, mended: Act) -> None:
    assert mended.outcome.failures == []
    assert mended.tree == first.tree
    assert mended.systemctl == ["restart app.service"]
    assert mended.pending is None
    assert stat.S_IMODE((stage.host / "usr/lib/run").stat().st_mode) == 0o755


def test_the_outcome_has_its_promised_shape(mended: Act) -> None:
    shown = mended.outcome.as_json()
    assert set(shown) == {"hosts", "seconds", "stages", "failures"}
    assert set(shown["hosts"]["een"]) == {"changed", "files", "units", "packages"}
    assert shown["hosts"]["een"]["changed"] == 4
    assert json.loads(json.dumps(shown)) == shown


# ---- over all of it


def test_no_secret_is_ever_in_what_ansible_says_or_in_an_outcome(
    stage: Stage, look: Act, by_hand: Act, mistaken: Act, mended: Act
) -> None:
    said = json.dumps(stage.events) + json.dumps([act.outcome.as_json() for act in (look, by_hand, mistaken, mended)])
    said += json.dumps([act.een.diff for act in (look, by_hand, mended)])
    assert len(stage.events) > 20
    for secret in (*secrets.read(load(stage.inventory))["proef"].values(), "a secret by hand"):
        assert secret.strip() not in said
        assert base64.b64encode(f"{secret}\n".encode()).decode() not in said


def test_what_a_host_declares_is_known_without_asking_it(stage: Stage, mended: Act) -> None:
    found = declared.declared(load(stage.inventory))["een"]
    assert found.packages == ["app"]
    assert found.ports() == [53]
    assert [unit["name"] for unit in found.units] == ["app.service", "late.service"]
    assert found.listens[0]["role"] == "base"


def test_a_role_that_does_not_render_is_named_before_any_host_is_asked(stage: Stage, mended: Act) -> None:
    stage.write_main("{{ nowhere }}")
    with pytest.raises(Refused, match=r"een: .*main.conf.j2: .*'nowhere' is undefined"):
        declared.render(load(stage.inventory), stage.directory / "rendered", {})


def test_preflight_stops_before_anything_is_done(stage: Stage, mended: Act) -> None:
    (stage.directory / "facts").write_text(FACTS.replace("debian 13", "debian 12").replace('"user": 0', '"user": 1000'))
    stage.events.clear()
    with pytest.raises(Refused) as refused:
        stage.deploy()
    assert [str(finding) for finding in refused.value.findings] == [
        "een: runs debian 12; reinstall it with Debian 13",
        "een: the ssh login is not root; set ansible_user: root",
    ]
    assert stage.events == []
