"""The lab's life: up, status, down, and whatever a crash can leave behind.

A host is a process here that says READY=1 as systemd-nspawn does; the network and the control groups are a directory's.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import Finding, Refused
from deploy.lab import cgroup, image, lab, network
from deploy.lab.hosts import Keys, LabHost
from deploy.lab.lab import Status
from tests.conftest import Put

EEN, TWEE = (
    LabHost("een", "198.18.10.11", "fd00:18:10::11", ("198.18.10.53",)),
    LabHost("twee", "198.18.10.12", "fd00:18:10::12"),
)

READY = """
import socket, sys, time
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
    client.sendto(b"X_NSPAWN_LEADER_PID=7", sys.argv[1])
    client.sendto(b"READY=1\\nSTATUS=up", sys.argv[1])
time.sleep(300)
"""
BROKEN = "import sys; print('starting', flush=True); sys.exit('Failed to mount the base image')"


class Machine:
    """Starts and kills hosts, as the kernel and nspawn would."""

    def __init__(self) -> None:
        self.program = READY
        self.network: list[str] = []
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, host: LabHost, *, base: Path, directory: Path, keys: Keys, notify: Path) -> int:
        for kind in ("run", "seed"):
            (directory / kind / host.name).mkdir(parents=True, exist_ok=True)
        (cgroup.LAB / host.name).mkdir(parents=True, exist_ok=True)
        (cgroup.LAB / host.name / "cgroup.events").write_text("populated 1\nfrozen 0\n")
        with (directory / f"{host.name}.log").open("w") as log:
            command = [sys.executable, "-IS", "-c", self.program, str(notify)]
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self._running[host.name] = process
        return process.pid

    def kill(self, name: str, timeout: float = 0) -> None:
        self.crash(name)
        shutil.rmtree(cgroup.LAB / name, ignore_errors=True)

    def crash(self, name: str) -> None:
        """The supervisor dies; its control group stays."""
        if process := self._running.pop(name, None):
            os.kill(process.pid, signal.SIGKILL)
            process.wait()

    def end(self) -> None:
        for name in list(self._running):
            self.crash(name)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Put) -> Iterator[Machine]:
    monkeypatch.setattr(image, "base", lambda: tmp_path / "base")
    machine = Machine()
    for verb in ("up", "down", "forget_neighbours", "assert_isolated"):
        monkeypatch.setattr(network, verb, lambda verb=verb: machine.network.append(verb))
    monkeypatch.setattr(cgroup, "kill", machine.kill)
    monkeypatch.setattr(lab, "start", machine.start)
    program("ssh", f'echo "$@" >> {tmp_path}/ssh.log\n')
    yield machine
    machine.end()


def states() -> dict[str, str]:
    return {host.name: host.state for host in lab.status()}


# ---- up


def test_hosts_come_up_and_are_running(machine: Machine) -> None:
    assert lab.up([EEN, TWEE]) == ["een", "twee"]
    assert lab.status() == [
        Status("een", "198.18.10.11", "fd00:18:10::11", "running"),
        Status("twee", "198.18.10.12", "fd00:18:10::12", "running"),
    ]
    assert machine.network == ["up", "forget_neighbours"]


def test_hosts_that_run_are_left_alone(machine: Machine) -> None:
    lab.up([EEN])
    before = json.loads(lab._STATE.read_text())["een"]
    assert lab.up([EEN, TWEE]) == ["twee"]
    assert json.loads(lab._STATE.read_text())["een"] == before
    assert lab.up([EEN, TWEE]) == []


def test_a_host_that_does_not_boot_is_refused_with_its_last_words(machine: Machine) -> None:
    machine.program = BROKEN
    with pytest.raises(Refused) as refused:
        lab.up([EEN])
    assert refused.value.findings == [Finding("host een", "does not boot: Failed to mount the base image")]
    assert states() == {"een": "dead"}


def test_a_host_that_never_gets_ready_is_refused_in_time(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.program = "import time; time.sleep(300)"
    monkeypatch.setattr(lab, "_BOOT_SECONDS", 0)
    with pytest.raises(Refused, match="host een: does not boot: no message"):
        lab.up([EEN])
    assert states() == {"een": "starting"}


def test_after_a_boot_that_failed_the_next_up_starts_afresh(machine: Machine) -> None:
    machine.program = BROKEN
    with contextlib.suppress(Refused):
        lab.up([EEN])
    machine.program = READY
    assert lab.up([EEN]) == ["een"]
    assert states() == {"een": "running"}


# ---- what a crash leaves


def test_a_host_whose_supervisor_died_is_dead_and_replaced(machine: Machine, tmp_path: Path) -> None:
    lab.up([EEN, TWEE])
    machine.crash("een")
    assert states() == {"een": "dead", "twee": "running"}
    assert lab.up([EEN, TWEE]) == ["een"]
    assert states() == {"een": "running", "twee": "running"}
    assert "-O exit een" in (tmp_path / "ssh.log").read_text()


def test_a_supervisor_without_processes_of_its_host_is_dead(machine: Machine) -> None:
    lab.up([EEN])
    (cgroup.LAB / "een" / "cgroup.events").write_text("populated 0\nfrozen 0\n")
    assert states() == {"een": "dead"}


def test_a_process_id_that_was_used_again_is_not_taken_for_the_host(machine: Machine) -> None:
    lab.up([EEN])
    records = json.loads(lab._STATE.read_text())
    records["een"]["started"] += 1
    lab._STATE.write_text(json.dumps(records))
    assert states() == {"een": "dead"}


def test_an_absent_state_file_is_an_empty_lab(machine: Machine) -> None:
    assert lab.status() == []


@pytest.mark.parametrize("torn", ["", '{"een": {"name": "ee', '{"een": {"name": "een"}}', '{"een": 1}'])
def test_a_torn_state_file_is_recognised_and_its_hosts_are_replaced(machine: Machine, torn: str) -> None:
    lab.up([EEN])
    lab._STATE.write_text(torn)
    assert lab.status() == []
    assert lab.up([EEN]) == ["een"]
    assert states() == {"een": "running"}


def test_directories_of_hosts_that_are_gone_are_removed(machine: Machine) -> None:
    lab.up([EEN])
    machine.kill("een")
    lab.up([TWEE])
    assert [p.name for p in (lab.DIRECTORY / "run").iterdir()] == ["twee"]
    assert [p.name for p in (lab.DIRECTORY / "seed").iterdir()] == ["twee"]


# ---- down


def test_one_host_can_be_ended_alone(machine: Machine, tmp_path: Path) -> None:
    lab.up([EEN, TWEE])
    assert lab.down(["een"]) == ["een"]
    assert states() == {"twee": "running"}
    assert not (lab.DIRECTORY / "een.log").exists()
    assert (tmp_path / "ssh.log").read_text() == f"-F {lab.SSH_CONFIG} -O exit een\n"


def test_the_last_host_takes_the_whole_lab_with_it(machine: Machine, tmp_path: Path) -> None:
    lab.up([EEN, TWEE])
    assert lab.down() == ["een", "twee"]
    assert not (tmp_path / "run").exists()
    assert not cgroup.LAB.exists()
    assert machine.network[-1] == "down"
    assert lab.status() == []


def test_ending_what_is_not_there_leaves_nothing_behind(machine: Machine, tmp_path: Path) -> None:
    assert lab.down(["drie"]) == []
    assert lab.down() == []
    assert not (tmp_path / "run").exists()


# ---- clients


def test_ssh_is_told_how_to_reach_each_host_and_knows_its_key(machine: Machine) -> None:
    lab.up([EEN, TWEE])
    with_keys = (lab.DIRECTORY / "known_hosts").read_text().splitlines()
    assert [line.split()[:2] for line in with_keys] == [
        ["een,198.18.10.11,fd00:18:10::11", "ssh-ed25519"],
        ["twee,198.18.10.12,fd00:18:10::12", "ssh-ed25519"],
    ]
    for name in ("een", "198.18.10.11"):
        options = ssh_options(name)
        assert options["hostname"] == "198.18.10.11"
        assert (options["user"], options["stricthostkeychecking"]) == ("root", "true")
        assert options["identityfile"] == str(lab.DIRECTORY / "id")
        assert options["proxycommand"].endswith("netns-connect bsw %h %p")
        assert options["proxyusefdpass"] == "yes"
    assert "proxycommand" not in ssh_options("elsewhere.example")


def ssh_options(host: str) -> dict[str, str]:
    path = os.environ["PATH"].split(":", 1)[1]  # past the stand-in
    command = ["ssh", "-G", "-F", str(lab.SSH_CONFIG), host]
    said = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in said.splitlines() if " " in line)


def test_the_labs_own_resolver_is_written_down_for_clients(machine: Machine) -> None:
    lab.up([EEN])
    assert lab.RESOLV_CONF.read_text().splitlines()[0] == "nameserver 198.18.10.53"


def test_ssh_without_a_lab_says_what_to_do() -> None:
    connect = Path(lab.__file__).with_name("netns-connect")
    command = [sys.executable, "-IS", str(connect), "bsw-nowhere", "198.18.10.11", "22"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (1, "bsw: the lab is not up; run: ./bsw lab up\n")


# ---- running something inside


def test_nothing_runs_inside_a_lab_that_is_not_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "exists", lambda: False)
    with pytest.raises(Refused, match=r"lab: is not up; run: \./bsw lab up"):
        lab.exec_prefix()


def test_a_command_inside_the_lab_goes_by_its_network_namespace(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "exists", lambda: True)
    assert lab.exec_prefix() == ["nsenter", "--net=/run/netns/bsw", sys.executable, "-m", "deploy.lab.inside"]
    assert machine.network == ["assert_isolated"]


class Kernel:
    """Stands for libc; refuses if told to."""

    def __init__(self, result: int = 0) -> None:
        self.entered: list[int] = []
        self._result = result

    def __call__(self, *_: Any, **__: Any) -> Kernel:
        return self

    def setns(self, _descriptor: int, kind: int) -> int:
        self.entered.append(kind)
        return self._result


def test_a_process_enters_the_labs_network_for_good_or_not_at_all(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "namespace").touch()
    monkeypatch.setattr(network, "NAMESPACE", str(tmp_path / "namespace"))
    kernel = Kernel()
    monkeypatch.setattr(ctypes, "CDLL", kernel)
    assert lab.inside_lab() == "198.18.10.53"
    assert kernel.entered == [0x40000000]
    monkeypatch.setattr(ctypes, "CDLL", Kernel(result=-1))
    with pytest.raises(OSError, match="setns"):
        lab.inside_lab()
