"""One lab host: what it finds on its disk at its first boot, and how it is started."""

from __future__ import annotations

import stat
import subprocess
import time
from pathlib import Path

import pytest

from deploy.lab import cgroup, hosts
from deploy.lab.hosts import Keys, LabHost, seed, start
from tests.conftest import Put

EEN = LabHost("een", "198.18.10.11", "fd00:18:10::11", ("198.18.10.53", "fd00:18:10::53"))


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "lab")


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_a_host_knows_its_name(keys: Keys, tmp_path: Path) -> None:
    seed(EEN, tmp_path, keys)
    assert (tmp_path / "etc/hostname").read_text() == "een\n"
    assert "127.0.1.1 een" in (tmp_path / "etc/hosts").read_text().splitlines()


def test_a_host_has_all_its_addresses_and_no_way_out(keys: Keys, tmp_path: Path) -> None:
    seed(EEN, tmp_path, keys)
    lines = (tmp_path / "etc/systemd/network/10-host0.network").read_text().splitlines()
    assert [line for line in lines if line.startswith("Address=")] == [
        "Address=198.18.10.11/24", "Address=fd00:18:10::11/64", "Address=198.18.10.53/24", "Address=fd00:18:10::53/64"
    ]  # fmt: skip
    assert "IPv6AcceptRA=no" in lines
    assert not [line for line in lines if line.startswith("Gateway")]


def test_a_host_lets_the_labs_own_key_in_and_nobody_elses(keys: Keys, tmp_path: Path) -> None:
    seed(EEN, tmp_path, keys)
    authorized = tmp_path / "root/.ssh/authorized_keys"
    assert authorized.read_text() == (tmp_path / "lab/id.pub").read_text()
    assert (mode(authorized), mode(authorized.parent), mode(tmp_path / "root")) == (0o600, 0o700, 0o700)


def test_a_host_has_the_key_that_clients_know_it_by(keys: Keys, tmp_path: Path) -> None:
    seed(EEN, tmp_path, keys)
    private = tmp_path / "etc/ssh/ssh_host_ed25519_key"
    assert mode(private) == 0o600
    public = subprocess.run(["ssh-keygen", "-y", "-f", str(private)], capture_output=True, text=True, check=True).stdout
    assert keys.known_hosts([EEN]).startswith("een,198.18.10.11,fd00:18:10::11 " + " ".join(public.split()[:2]))


def test_a_rebuilt_host_keeps_its_key_and_its_machine_id(keys: Keys, tmp_path: Path) -> None:
    for once in ("first", "second"):
        seed(EEN, tmp_path / once, keys)
    seed(LabHost("twee", "198.18.10.12", "fd00:18:10::12"), tmp_path / "other", keys)
    for file in ("etc/ssh/ssh_host_ed25519_key", "etc/machine-id"):
        first, second, other = ((tmp_path / which / file).read_text() for which in ("first", "second", "other"))
        assert first == second != other
    assert len((tmp_path / "first/etc/machine-id").read_text().strip()) == 32


def test_a_host_starts_in_its_own_control_group_inside_the_labs_network(
    keys: Keys, tmp_path: Path, program: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cgroup, "LAB", tmp_path / "cgroup")
    monkeypatch.setenv("A_SECRET_OF_THE_CALLER", "hunter2")
    said = tmp_path / "said"
    program(
        "nsenter", f'{{ for word; do echo "$word"; done; env; }} > {said}.new; mv {said}.new {said}; echo booting >&2\n'
    )
    stale = tmp_path / "lab/run/een/left-over"
    stale.mkdir(parents=True)
    pid = start(EEN, base=tmp_path / "base", directory=tmp_path / "lab", keys=keys, notify=tmp_path / "notify")
    wait_for(said)
    assert pid > 1
    words = said.read_text()
    lines = words.splitlines()
    assert lines[:5] == ["--net=/run/netns/bsw", "unshare", "--mount", "--propagation", "private"]
    for wanted in ("--boot", "--notify-ready=yes", "--network-bridge=br0", f"NOTIFY_SOCKET={tmp_path / 'notify'}"):
        assert wanted in lines
    assert lines[lines.index("-M") + 1] == "een"
    assert f"BASE={tmp_path / 'base'}" in lines
    assert "hunter2" not in words
    assert (tmp_path / "cgroup/een/cgroup.procs").read_text() == "0"
    assert not stale.exists()
    assert (tmp_path / "lab/seed/een/etc/hostname").exists()


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 10
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_boot_script_is_sound_shell(tmp_path: Path) -> None:
    script = tmp_path / "boot.sh"
    script.write_text("#!/bin/sh\n" + hosts._BOOT)
    subprocess.run(["sh", "-n", str(script)], check=True)
