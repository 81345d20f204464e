from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy.hosts import ssh
from deploy.report.results import Memory
from deploy.sovereignty import memory, processes
from tests.sovereignty.world import host, inventory


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(processes, "PROC", tmp_path)
    return tmp_path


def runs(proc: Path, number: int, group: str, kilobytes: int | None) -> None:
    """Add a process; without a size it is one of the kernel's."""
    directory = proc / str(number)
    directory.mkdir()
    (directory / "cgroup").write_text(f"9:name=systemd:/\n0::{group}\n")
    rollup = "" if kilobytes is None else f"55c8-7ffc ---p 0 00:00 0 [rollup]\nRss: 99999 kB\nPss: {kilobytes:>10} kB\n"
    (directory / "smaps_rollup").write_text(rollup + "Pss_Dirty: 1 kB\n" * bool(rollup))


def test_processes_add_up_by_unit(proc: Path) -> None:
    runs(proc, 1, "/init.scope", 4)
    runs(proc, 20, "/system.slice/system-postgresql.slice/postgresql@17-main.service", 30)
    runs(proc, 21, "/system.slice/system-postgresql.slice/postgresql@17-main.service", 3)
    runs(proc, 22, "/system.slice/app.service/worker.scope", 2)
    assert processes.units() == {"init.scope": 4096, "postgresql@17-main.service": 33792, "app.service": 2048}


def test_sessions_and_the_kernels_threads_do_not_count(proc: Path) -> None:
    runs(proc, 2, "/", None)
    runs(proc, 30, "/user.slice/user-0.slice/session-c7.scope", 5000)
    runs(proc, 31, "/user.slice/user-0.slice/user@0.service/init.scope", 5000)
    assert processes.units() == {}


def test_a_process_that_ends_meanwhile_is_left_out(proc: Path) -> None:
    runs(proc, 40, "/system.slice/app.service", 7)
    (proc / "41").mkdir()
    assert processes.units() == {"app.service": 7168}


def test_a_process_outside_every_unit_is_counted_too(proc: Path) -> None:
    runs(proc, 50, "/", 1)
    runs(proc, 51, "", 2)
    assert processes.units() == {"/": 1024, "no unit": 2048}


def test_every_host_says_what_its_units_hold_the_largest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    said = '{"small.service": 1048576, "big.service": 3145728}'
    monkeypatch.setattr(ssh, "command", lambda _host: ["sh", "-c", f"echo '{said}'"])
    found = memory(inventory(host("stack"), host("reserve")))
    units = (("big.service", 3.0), ("small.service", 1.0))
    assert found == [Memory("stack", units), Memory("reserve", units)]
    assert found[0].total == 4.0


def test_a_host_that_does_not_answer_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 255, "", "ssh: No route to host\n")

    monkeypatch.setattr(subprocess, "run", run)
    assert memory(inventory(host("stack"))) == [Memory("stack", (), "ssh: No route to host")]
