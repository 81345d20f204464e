"""The packages module: one transaction, services held back, and apt's own words when it fails."""

from __future__ import annotations

import stat
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.converge.engine import Answer, FakeModule, plugin, record, result_of

TAMPERED = """\
E: Failed to fetch http://127.0.0.1:8180/pool/postfix_3.10.4-1_amd64.deb  Hash Sum mismatch
   Hashes of expected file:
    - SHA256:aa
E: Unable to fetch some archives, maybe run apt-get update or try with --fix-missing?
"""
TAMPERED_INDEX = """\
Err:1 http://127.0.0.1:8180 bsw/main amd64 Packages
  File has unexpected size (75 != 74). Mirror sync in progress? [IP: 127.0.0.1 8180]
E: Failed to fetch http://127.0.0.1:8180/dists/bsw/main/binary-amd64/Packages
E: Some index files failed to download.
"""


DATABASE = """\
postfix\tlibc6 (>= 2.38), libssl3t64 (>= 3.0.0), netbase, \tmail-transport-agent
libssl3t64\topenssl-provider, \tlibssl3 (= 3.5.4-1)
perl-app\tperl:any | mail-transport-agent, \t
old-app\tlibssl3, \t
nginx\tlibc6, \t
nftables\tlibssl3t64, \t
"""
DAEMONS = {
    "postfix": ["postfix.service"], "nginx": ["nginx.service"], "nftables": ["nftables.service"],
    "perl-app": ["perl.service"], "old-app": ["old.service"],
}  # fmt: skip


class Apt:
    """Answers as apt-get and dpkg do; one of its commands may fail."""

    def __init__(self, policy: Path, fails: str = "", said: str = "") -> None:
        self.fails, self.said = fails, said
        self.held_back: list[bool] = []
        self._policy = policy

    def __call__(self, command: list[str]) -> Answer:
        if command[0] == "dpkg-query":
            return 0, DATABASE, ""
        if command[0] == "systemctl":
            return 0, "\n\n".join(f"MainPID={0 if unit == 'nftables.service' else 7}" for unit in command[4:]), ""
        self.held_back.append(self._policy.exists() and stat.S_IMODE(self._policy.stat().st_mode) == 0o755)
        return (100, "", self.said) if self.fails in command else (0, "", "")


@pytest.fixture
def packages(tmp_path: Path) -> ModuleType:
    module = plugin("modules", "packages")
    module.__dict__.update(
        SOURCE=str(tmp_path / "bsw.sources"), POLICY=str(tmp_path / "policy-rc.d"), LOCK=str(tmp_path / "lock")
    )
    return module


def install(packages: ModuleType, apt: Apt, **more: Any) -> tuple[dict[str, Any], list[list[str]]]:
    made = FakeModule(
        apt,
        **{"source": "Types: deb\n", "names": ["postfix", "nginx"], "outdated": [], "units": {}, "debconf": []} | more,
    )
    packages.__dict__["AnsibleModule"] = lambda _: made
    return result_of(lambda _: packages.main(), made), made.commands


def verbs(commands: list[list[str]]) -> list[str]:
    known = ("--configure", "update", "debconf-set-selections", "-W", "show", "install", "dist-upgrade", "clean")
    return [next(word for word in command if word in known) for command in commands]


def test_everything_is_installed_in_one_transaction_from_our_source_alone(packages: ModuleType, tmp_path: Path) -> None:
    said, commands = install(packages, Apt(tmp_path / "policy-rc.d"))
    assert said["changed"]
    assert verbs(commands) == ["--configure", "update", "install", "clean"]
    assert commands[2][-3:] == ["install", "postfix", "nginx"]
    assert all(set(packages.ONLY_OURS) <= set(command) for command in commands[1:3])
    assert (tmp_path / "bsw.sources").read_text() == "Types: deb\n"


def test_what_is_outdated_is_upgraded_in_the_same_transaction(packages: ModuleType, tmp_path: Path) -> None:
    _, commands = install(packages, Apt(tmp_path / "policy-rc.d"), outdated=["libssl3t64"])
    assert verbs(commands) == ["--configure", "update", "-W", "dist-upgrade", "clean"]
    assert commands[3][-3:] == ["dist-upgrade", "postfix", "nginx"], "a library is upgraded without being asked for"
    assert set(packages.ONLY_OURS) <= set(commands[3])


@pytest.mark.parametrize(
    ("outdated", "restarted"),
    [
        ("nginx", ["nginx.service"]),
        ("postfix", ["perl.service", "postfix.service"]),
        ("libssl3t64", ["old.service", "perl.service", "postfix.service"]),
    ],
)
def test_daemons_are_restarted_whose_package_or_anything_below_it_changes(
    packages: ModuleType, tmp_path: Path, outdated: str, restarted: list[str]
) -> None:
    install(packages, Apt(tmp_path / "policy-rc.d"), outdated=[outdated], units=DAEMONS)
    assert record.pending()["restart"] == restarted, "nftables has no process"


def test_restarts_are_not_lost_when_the_upgrade_fails(packages: ModuleType, tmp_path: Path) -> None:
    install(packages, Apt(tmp_path / "policy-rc.d", "dist-upgrade"), outdated=["nginx"], units=DAEMONS)
    assert record.pending()["restart"] == ["nginx.service"]


def test_where_nothing_is_outdated_nothing_is_restarted(packages: ModuleType, tmp_path: Path) -> None:
    install(packages, Apt(tmp_path / "policy-rc.d"), units=DAEMONS)
    assert not record.is_pending()


def test_questions_are_answered_before_the_packages_ask_them(packages: ModuleType, tmp_path: Path) -> None:
    _, commands = install(
        packages, Apt(tmp_path / "policy-rc.d"), debconf=["slapd slapd/no_configuration boolean true"]
    )
    assert verbs(commands) == ["--configure", "update", "debconf-set-selections", "install", "clean"]


def test_no_service_starts_while_packages_are_installed(packages: ModuleType, tmp_path: Path) -> None:
    apt = Apt(tmp_path / "policy-rc.d")
    install(packages, apt)
    assert apt.held_back == [True] * 4
    assert "exit 101" in packages.POLICY_TEXT
    assert not (tmp_path / "policy-rc.d").exists()


@pytest.mark.parametrize("step", ["update", "install"])
def test_services_are_no_longer_held_back_after_a_failure(packages: ModuleType, tmp_path: Path, step: str) -> None:
    said, _ = install(packages, Apt(tmp_path / "policy-rc.d", step, "E: broken"))
    assert said["failed"]
    assert not (tmp_path / "policy-rc.d").exists()


def test_a_tampered_package_is_said_in_apts_own_words_with_the_files_name(packages: ModuleType, tmp_path: Path) -> None:
    said, _ = install(packages, Apt(tmp_path / "policy-rc.d", "install", TAMPERED))
    assert said["failed"]
    assert "pool/postfix_3.10.4-1_amd64.deb" in said["msg"]
    assert said["msg"].count("Hash Sum mismatch") == 1


def test_a_tampered_index_is_said_with_the_files_name_and_the_reason(packages: ModuleType, tmp_path: Path) -> None:
    said, _ = install(packages, Apt(tmp_path / "policy-rc.d", "update", TAMPERED_INDEX))
    assert "binary-amd64/Packages" in said["msg"]
    assert "unexpected size (75 != 74)" in said["msg"]


def test_a_failure_in_other_words_is_said_by_its_last_lines(packages: ModuleType, tmp_path: Path) -> None:
    said, _ = install(packages, Apt(tmp_path / "policy-rc.d", "install", "one\ntwo\nthree\nno space left on device\n"))
    assert said["msg"] == "two three no space left on device"


def test_a_dpkg_run_that_was_interrupted_is_finished_first_as_soon_as_it_lets_go(
    packages: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apt = Apt(tmp_path / "policy-rc.d", "--configure")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        apt.fails = "nothing" if len(waits) == 2 else apt.fails

    monkeypatch.setattr(packages.time, "sleep", wait)
    _, commands = install(packages, apt)
    assert verbs(commands) == ["--configure"] * 3 + ["update", "install", "clean"]
