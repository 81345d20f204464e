"""Control groups: who is alive, and how a host ends. A directory stands for the kernel's file system."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from deploy.lab import cgroup


class Kernel:
    """Does, while somebody sleeps, what the kernel does in the meantime."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.obeys = True
        self.slept, self.lets_go_after = 0, 0

    def host(self, name: str) -> Path:
        group = self.tree / name
        (group / "payload" / "init.scope").mkdir(parents=True)
        (group / "cgroup.events").write_text("populated 1\n")
        (group / "cgroup.kill").write_text("")
        return group

    def sleep(self, _seconds: float) -> None:
        self.slept += 1
        if self.slept == self.lets_go_after:
            for held in self.tree.rglob("zombie"):
                held.unlink()
        for group in (p for p in self.tree.iterdir() if self.obeys and (p / "cgroup.kill").exists()):
            if (group / "cgroup.kill").read_text() == "1":
                (group / "cgroup.events").write_text("populated 0\n")
                for control in ("cgroup.events", "cgroup.kill", "cgroup.procs"):
                    (group / control).unlink(missing_ok=True)


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel(tmp_path / "bsw")
    monkeypatch.setattr(cgroup, "LAB", kernel.tree)
    monkeypatch.setattr(time, "sleep", kernel.sleep)
    return kernel


def test_without_a_lab_there_are_no_hosts(kernel: Kernel) -> None:
    assert list(cgroup.hosts()) == []
    assert not cgroup.populated("een")
    cgroup.remove_empty()


def test_a_process_enters_the_hosts_own_group(kernel: Kernel) -> None:
    cgroup.enter("een")
    assert (kernel.tree / "een" / "cgroup.procs").read_text() == "0"
    assert list(cgroup.hosts()) == ["een"]


def test_a_host_is_alive_while_its_group_has_a_process(kernel: Kernel) -> None:
    group = kernel.host("een")
    assert cgroup.populated("een")
    (group / "cgroup.events").write_text("populated 0\n")
    assert not cgroup.populated("een")


def test_a_host_ends_with_all_its_groups_and_no_other_does(kernel: Kernel) -> None:
    kernel.host("een")
    kernel.host("twee")
    cgroup.kill("een")
    assert list(cgroup.hosts()) == ["twee"]
    assert cgroup.populated("twee")


def test_ending_a_host_that_is_gone_is_no_error(kernel: Kernel) -> None:
    cgroup.kill("een")


def test_the_groups_of_older_hierarchies_go_too(kernel: Kernel, tmp_path: Path) -> None:
    kernel.host("een")
    shadow = tmp_path / "mount/systemd/bsw/een/payload"
    shadow.mkdir(parents=True)
    cgroup.kill("een")
    assert not shadow.parent.exists()
    cgroup.remove_empty()
    assert not (tmp_path / "mount/systemd/bsw").exists()
    assert not kernel.tree.exists()


def test_the_labs_own_group_stays_while_a_host_is_in_it(kernel: Kernel) -> None:
    kernel.host("een")
    cgroup.remove_empty()
    assert list(cgroup.hosts()) == ["een"]


def test_a_group_that_the_kernel_holds_a_moment_longer_is_removed_then(kernel: Kernel) -> None:
    (kernel.host("een") / "payload" / "zombie").touch()
    kernel.lets_go_after = 5
    cgroup.kill("een")
    assert list(cgroup.hosts()) == []


def test_a_group_that_the_kernel_never_lets_go_does_not_hold_us_forever(kernel: Kernel) -> None:
    (kernel.host("een") / "payload" / "zombie").touch()
    cgroup.kill("een")
    assert list(cgroup.hosts()) == ["een"]
    assert kernel.slept < 1000


def test_a_process_that_cannot_be_ended_is_named(kernel: Kernel) -> None:
    kernel.host("een")
    kernel.obeys = False
    with pytest.raises(TimeoutError, match="een: processes did not end"):
        cgroup.kill("een", timeout=0)
