"""The door: it says in one line what it lacks, and touches nothing then."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.paths import REPOSITORY

ROOT = os.geteuid() == 0


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A copy of the script, in a checkout without an environment that everybody may read."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        for name in ("bsw", "requirements.lock"):
            shutil.copy(REPOSITORY / name, directory)
        yield Path(directory, "bsw")


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


def test_without_root_it_says_how_to_go_on(elsewhere: Path) -> None:
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if ROOT else []
    said = run(*as_nobody, elsewhere, "lab", "up")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == (f"bsw: this needs root (the lab makes hosts and networks); run: sudo {elsewhere} lab up\n")


@pytest.mark.skipif(not ROOT, reason="only root can lay another os-release over the machine's")
@pytest.mark.parametrize(
    ("release", "here"),
    [
        ('ID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04 LTS"\n', "Ubuntu 24.04 LTS"),
        (
            'ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n',
            "Debian GNU/Linux 11 (bullseye)",
        ),
        ("", "unknown"),
    ],
)
def test_on_another_system_it_says_so_in_one_line_and_installs_nothing(
    elsewhere: Path, release: str, here: str
) -> None:
    other = elsewhere.with_name("os-release")
    other.write_text(release)
    lay_over = f"mount --bind '{other}' /etc/os-release && exec '{elsewhere}' lab up"
    said = run("unshare", "--mount", "--propagation", "private", "sh", "-c", lay_over)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith(f"bsw: this needs Debian 12 or 13 (here: {here}); ")
    assert said.stderr.count("\n") == 1
    assert not elsewhere.with_name(".venv").exists()
    assert not elsewhere.with_name(".venv.new").exists()


@pytest.mark.skipif(not ROOT, reason="the door is for root")
def test_an_environment_that_fits_its_lock_is_used_as_it_is(elsewhere: Path) -> None:
    venv = elsewhere.with_name(".venv")
    (venv / "bin").mkdir(parents=True)
    shutil.copy(elsewhere.with_name("requirements.lock"), venv / "requirements.lock")
    python = venv / "bin/python"
    python.write_text('#!/bin/sh\necho "$@"; echo "$PYTHONPATH $ANSIBLE_CONFIG"; exit 7\n')
    python.chmod(0o755)
    said = run(elsewhere, "lab", "exec", "--", "echo", "two  words")
    here = elsewhere.parent
    assert said.stdout == f"-m deploy lab exec -- echo two  words\n{here} {here}/ansible.cfg\n"
    assert said.returncode == 7


@pytest.mark.skipif(not ROOT, reason="the door is for root")
def test_the_door_can_be_entered_by_a_link(elsewhere: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    link = tmp_path / "bin/bsw"
    link.symlink_to(elsewhere)
    test_an_environment_that_fits_its_lock_is_used_as_it_is(elsewhere)
    assert run(link).stdout.splitlines()[0] == "-m deploy"


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="needs shellcheck")
def test_the_script_is_clean() -> None:
    said = run("shellcheck", REPOSITORY / "bsw")
    assert said.returncode == 0, said.stdout
