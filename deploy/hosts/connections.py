"""One ssh connection to each host for the time of a deployment: it brings the facts and carries the packages."""

from __future__ import annotations

import base64
import json
import shlex
import subprocess
import time
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from deploy.errors import Finding
from deploy.hosts import ssh
from deploy.inventory import Host

PACKAGES_PORT = 8180
"""Port on the host's loopback at which the controller's package source appears."""

_PROGRAM = Path(__file__).with_name("facts.py")


class Connections:
    """Open connections; a context manager that closes them all.

    Attributes:
        facts: what each reached host said of itself, with ``skew``: its clock against ours, in seconds.
        findings: a finding for each host that could not be reached.
    """

    def __init__(self, hosts: Iterable[Host], *, packages_port: int | None = None, names: Sequence[str] = ()) -> None:
        self.facts: dict[str, dict[str, Any]] = {}
        self.findings: list[Finding] = []
        self._hosts = list(hosts)
        self._options = _forward(packages_port)
        self._remote = _remote_command(names)
        self._open: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Connections:
        for host in self._hosts:
            self._open[host.name] = subprocess.Popen(
                [*ssh.command(host, *self._options), self._remote],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        for host in self._hosts:
            self._hear(host, self._open[host.name])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._open.values():
            process.terminate()
        for process in self._open.values():
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()

    def _hear(self, host: Host, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        if line:
            self._take(host, line)
            return
        said = process.stderr.read().strip().splitlines()[-1:] or ["no answer"]
        self.findings.append(Finding(host.name, f"not reachable by ssh: {said[0]}", _remedy(said[0])))

    def _take(self, host: Host, line: str) -> None:
        try:
            facts = json.loads(line)
        except ValueError:  # a cloud image that refuses root, or a shell that greets
            what = f"the login answers in its own words: {line.strip()}"
            remedy = "root must be able to log in with your key, and its shell must print nothing"
            self.findings.append(Finding(host.name, what, remedy))
        else:
            self.facts[host.name] = facts | {"skew": facts["clock"] - time.time()}


def _forward(port: int | None) -> list[str]:
    """A connection of its own, not shared: it must end when the deployment ends."""
    own = ["-o", "ControlMaster=no", "-o", "ControlPath=none"]
    if port is None:
        return own
    return [*own, "-o", "ExitOnForwardFailure=yes", "-R", f"127.0.0.1:{PACKAGES_PORT}:127.0.0.1:{port}"]


def _remote_command(names: Sequence[str]) -> str:
    packed = base64.b64encode(zlib.compress(_PROGRAM.read_bytes(), 9)).decode()
    program = f"import base64,zlib;exec(zlib.decompress(base64.b64decode('{packed}')))"
    return f"python3 -c {shlex.quote(program)} {shlex.quote(json.dumps(list(names)))}"


def _remedy(said: str) -> str:
    if "forwarding failed" in said:
        return "another deployment is running, or sshd there forbids forwarding (AllowTcpForwarding)"
    if "python3" in said:
        return "install python3-minimal there"
    return "is the host up, its address right, your key on it? try: ssh"
