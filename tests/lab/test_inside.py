"""A command inside the lab sees the lab's resolver and trusts the lab's authority, for itself alone."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import Refused
from deploy.lab import inside, trust
from tests.conftest import Put


class Libc:
    """Keeps what was asked of the kernel."""

    def __init__(self, result: int = 0) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.result = result
        self.mount = self._Mount(self)

    class _Mount:
        argtypes: Any = None

        def __init__(self, libc: Libc) -> None:
            self._libc = libc

        def __call__(self, source: bytes, target: bytes, _kind: None, flags: int, _data: None) -> int:
            self._libc.calls.append(("mount", source.decode(), target.decode(), hex(flags)))
            return 0

    def unshare(self, flags: int) -> int:
        self.calls.append(("unshare", hex(flags)))
        return self.result


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("RESOLV_CONF", "CA_BUNDLE", "_TRUST_STORE"):
        monkeypatch.setattr(inside, name, tmp_path / name)
        (tmp_path / name).touch()
    for variable in inside._TRUST_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.fixture
def libc(monkeypatch: pytest.MonkeyPatch) -> Libc:
    libc = Libc()
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: libc)
    return libc


class Became(Exception):  # noqa: N818  (what happened, not an error)
    """The process would be another program now."""


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> None:
    def execvp(_program: str, command: list[str]) -> None:
        raise Became(*command)

    monkeypatch.setattr(os, "execvp", execvp)


@pytest.mark.usefixtures("become")
def test_the_labs_files_lie_over_the_machines_in_a_mount_namespace_of_its_own(files: Path, libc: Libc) -> None:
    with pytest.raises(Became, match="curl"):
        inside.main(["curl", "https://www.rijk.test"])
    assert libc.calls[:2] == [("unshare", "0x20000"), ("mount", "none", "/", "0x44000")]
    resolver, trusted = libc.calls[2:]
    assert resolver == ("mount", f"{files}/RESOLV_CONF", str(Path("/etc/resolv.conf").resolve()), "0x1000")
    assert trusted == ("mount", f"{files}/CA_BUNDLE", f"{files}/_TRUST_STORE", "0x1000")
    assert os.environ["SSL_CERT_FILE"] == f"{files}/_TRUST_STORE"


@pytest.mark.usefixtures("become")
def test_before_the_first_deployment_there_is_no_authority_to_trust(files: Path, libc: Libc) -> None:
    (files / "CA_BUNDLE").unlink()
    with pytest.raises(Became):
        inside.main(["true"])
    assert len(libc.calls) == 3
    assert "SSL_CERT_FILE" not in os.environ


def test_a_command_that_is_not_there_ends_as_in_a_shell(
    files: Path, libc: Libc, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(files))
    with pytest.raises(SystemExit) as ended:
        inside.main(["no-such-command-anywhere"])
    assert ended.value.code == 127
    assert capsys.readouterr().err == "bsw: no such command: no-such-command-anywhere\n"


@pytest.mark.usefixtures("become")
def test_without_the_right_to_do_so_nothing_is_run(files: Path, libc: Libc) -> None:
    libc.result = -1
    with pytest.raises(OSError, match=r"\[Errno"):
        inside.main(["true"])


# ---- the authority


def test_the_machine_trusts_what_a_host_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Put) -> None:
    monkeypatch.setattr(trust, "CA_BUNDLE", tmp_path / "ca.crt")
    monkeypatch.setattr(trust, "SSH_CONFIG", tmp_path / "ssh_config")
    program("ssh", f'[ "$*" = "-F {tmp_path}/ssh_config stack cat /etc/ssl/certs/ca-certificates.crt" ] && echo PEM\n')
    trust.take_from("stack")
    assert (tmp_path / "ca.crt").read_text() == "PEM\n"


def test_a_host_that_does_not_answer_leaves_the_trust_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Put
) -> None:
    monkeypatch.setattr(trust, "CA_BUNDLE", tmp_path / "ca.crt")
    (tmp_path / "ca.crt").write_text("PEM\n")
    program("ssh", "echo half; echo 'Connection refused' >&2; exit 255\n")
    with pytest.raises(Refused, match="stack: does not give its trust store: Connection refused"):
        trust.take_from("stack")
    assert (tmp_path / "ca.crt").read_text() == "PEM\n"
