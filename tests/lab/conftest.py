"""No test of the lab comes near a lab that runs on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.lab import cgroup, image, lab, network


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every place that the lab writes to lies in the test's own directory."""
    run = tmp_path / "run"
    directory = run / "lab"
    monkeypatch.setattr(lab, "RUN", run)
    monkeypatch.setattr(lab, "DIRECTORY", directory)
    files = {
        "_STATE": "hosts.json", "SSH_CONFIG": "ssh_config", "CA_BUNDLE": "ca.crt", "RESOLV_CONF": "resolv.conf"
    }  # fmt: skip
    for name, file in files.items():
        monkeypatch.setattr(lab, name, directory / file)
    monkeypatch.setattr(cgroup, "_MOUNT", tmp_path / "mount")
    monkeypatch.setattr(cgroup, "LAB", tmp_path / "cgroup")
    monkeypatch.setattr(image, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(network, "INOTIFY_LIMIT", tmp_path / "limit")
    monkeypatch.setattr(network, "_ip", forbidden)


def forbidden(*arguments: str, batch: str | None = None) -> str:
    raise AssertionError(f"a test would have run ip {' '.join(arguments)}")
