"""Run ansible-playbook over an inventory with the variables that the controller computes, and hear what happens."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.errors import Finding, Refused
from deploy.inventory import Inventory, secrets
from deploy.inventory.variables import host_variables
from deploy.inventory.vault import key_path
from deploy.paths import REPOSITORY

Event = dict[str, Any]
_PR_SET_PDEATHSIG = 1


def run(
    playbook: Path,
    inventory: Inventory,
    *,
    variables: Mapping[str, Any] | None = None,
    options: Sequence[str] = (),
    hear: Callable[[Event], None] = lambda _: None,
) -> int:
    """Run a playbook; every event (see the callback ``bsw.core.events``) goes to ``hear`` as it happens.

    Args:
        variables: further variables for every host.

    Returns:
        ansible-playbook's exit code.

    Raises:
        Refused: if ansible-playbook could not start its work at all; its own words are in the finding.
    """
    with _computed(inventory, variables or {}) as computed:
        events = computed.with_name("events")
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i", str(computed), "-i", str(inventory.path / "hosts.yml"),
            "--vault-password-file", str(key_path(inventory.name)), *options, str(playbook),
        ]  # fmt: skip
        environment = os.environ | {
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "bsw.core.events",
            "BSW_EVENTS": str(events), "LC_ALL": "C.UTF-8", "ANSIBLE_SSH_CONTROL_PATH_DIR": str(computed.parent),
        }  # fmt: skip
        events.touch()
        with tempfile.TemporaryFile("w+") as said, events.open() as stream:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=REPOSITORY,
                preexec_fn=_end_with_parent,  # noqa: PLW1509  (no threads here)
            )  # fmt: skip
            heard = 0
            try:
                for event in _follow(stream, process):
                    heard += 1
                    hear(event)
            finally:
                _end(process)
            if process.returncode and not heard:
                said.seek(0)
                words = [line for line in said.read().splitlines() if line.strip()]
                told = " ".join(words[-3:])[:600] or f"exit code {process.returncode}"
                raise Refused(Finding("ansible-playbook", told))
            return process.returncode


@contextlib.contextmanager
def _computed(inventory: Inventory, variables: Mapping[str, Any]) -> Iterator[Path]:
    """An inventory file with the computed variables; it holds keys, so it is ours alone and goes when we go."""
    per_host = host_variables(inventory, secrets.read(inventory))
    hosts = {name: dict(own) | dict(variables) for name, own in per_host.items()}
    with volatile_directory() as directory:
        file = directory / "computed.json"
        file.touch(0o600)
        file.write_text(json.dumps({"all": {"hosts": hosts}}))
        try:
            yield file
        finally:
            _close_connections(directory)


@contextlib.contextmanager
def volatile_directory() -> Iterator[Path]:
    """A directory in memory for what may hold keys; those of runs that were killed are swept first."""
    parent = Path("/dev/shm")  # noqa: S108
    for left in parent.glob("bsw-*-*"):
        if not Path("/proc", left.name.split("-")[1]).exists():
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"bsw-{os.getpid()}-", dir=parent) as directory:
        yield Path(directory)


def _close_connections(directory: Path) -> None:
    """End the ssh masters that Ansible would keep for its next run."""
    for control in directory.iterdir():
        if control.is_socket():
            subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={control}", "-"], capture_output=True, check=False)


def _end_with_parent() -> None:
    """Ansible must not go on alone if this process is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _follow(stream: Any, process: subprocess.Popen[bytes]) -> Iterator[Event]:
    """Lines of a growing file until its writer has ended."""
    rest = ""
    while True:
        ended = process.poll() is not None
        while chunk := stream.readline():
            rest += chunk
            if rest.endswith("\n"):
                yield json.loads(rest)
                rest = ""
        if ended:
            return
        time.sleep(0.02)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
