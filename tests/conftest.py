"""What the tests of the toolkit share: programs of their own on the path, and an inventory of one host."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from deploy import paths

Put = Callable[[str, str], Path]

SMALL = {
    "hosts.yml": """\
        all:
          children:
            proef:
              hosts:
                een:
                  ipv4: 198.18.10.11
                  ipv6: "fd00:18:10::11"
                  extra_addresses: [198.18.10.53]
                  runs: [dns]
        """,
    "group_vars/all/main.yml": """\
        platform:
          environment: lab
          primary: proef
          management: [198.18.10.1]
          acme: {directory: "https://acme.test:14000/dir"}
        """,
    "group_vars/proef/main.yml": """\
        organisation:
          name: Proef
          domain: proef.test
          contact: security@proef.test
        components:
          dns: powerdns
        """,
}


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Puts a shell script in front of the machine's program of that name."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")

    def put(name: str, text: str) -> Path:
        file = directory / name
        file.write_text("#!/bin/sh\n" + dedent(text))
        file.chmod(0o755)
        return file

    return put


def write_small(directory: Path) -> Path:
    """An inventory of one host that runs dns: roles base, unbound and powerdns."""
    for name, content in SMALL.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(content))
    return directory


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the small inventory; its vault key and its roles are the test's own."""
    monkeypatch.setattr(paths, "CONFIG", tmp_path / "config")
    monkeypatch.setattr(paths, "ROLES", tmp_path / "roles")
    return write_small(tmp_path / "small")
