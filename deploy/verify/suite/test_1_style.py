"""The code as it stands: style, types, the roles' form."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.paths import REPOSITORY

BIN = Path(sys.executable).parent
SHELL = ["bsw", ".ci/run"]

TOOLS: dict[str, list[str | Path]] = {
    "ruff": [BIN / "ruff", "check", "--no-cache", "."],
    "ruff format": [BIN / "ruff", "format", "--no-cache", "--check", "."],
    "mypy": [BIN / "mypy"],
    "yamllint": [BIN / "yamllint", "--strict", "."],
    "ansible-lint": [BIN / "ansible-lint", "--offline", "-q"],
}


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"), "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        list(map(str, command)), cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("tool", TOOLS)
def test_style(tool: str) -> None:
    result = run(*TOOLS[tool])
    assert result.returncode == 0, result.stdout + result.stderr


def test_shell_programs() -> None:
    tracked = run("git", "ls-files", "roles/*/rootfs/*", *SHELL).stdout.splitlines()
    programs = [file for file in tracked if _is_shell(REPOSITORY / file)]
    assert set(SHELL) <= set(programs)
    result = run("shellcheck", *programs)
    assert result.returncode == 0, result.stdout + result.stderr


def _is_shell(file: Path) -> bool:
    if file.is_symlink() or file.suffix == ".j2" or not file.is_file():
        return False
    first = file.read_bytes().split(b"\n", 1)[0]
    return first.startswith(b"#!") and first.rstrip().endswith((b"sh", b"bash"))


def test_units_of_the_code_cover_it() -> None:
    result = run(
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests",
        "--cov",
        "--cov-fail-under=85",
        "--cov-report=term",
    )
    print(result.stdout[-4000:])
    assert result.returncode == 0, result.stdout + result.stderr
