"""The lock: exactly which versions, by hash, in a form that people can compare."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.bundle.base import Base
from deploy.bundle.lock import Archive, Lock, Package, now
from deploy.errors import Refused

HASH = "0123456789abcdef" * 4
WEB = Package("web", "1:2.0~rc1-1", "amd64", HASH, 1000)
LOCK = Lock(
    "2025-11-21T21:30:00Z",
    "trixie",
    "amd64",
    HASH,
    ("web",),
    (Package("libweb+", "1", "all", HASH, 2), WEB),
    (Archive("element", "1.10", "element-v1.10.tar.gz", HASH, 5),),
)


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "bundle.lock").write_text(LOCK.text())
    assert Lock.read(tmp_path / "bundle.lock") == LOCK


def test_each_package_has_a_line_of_its_own() -> None:
    assert [line.split('"')[3] for line in LOCK.text().splitlines() if '"sha256"' in line] == [
        "libweb+",
        "web",
        "element",
    ]


def test_a_lock_holds_no_address() -> None:
    assert "://" not in LOCK.text()


def test_the_files_name_is_debians() -> None:
    assert WEB.file == "web_2.0~rc1-1_amd64.deb"


def test_what_has_not_changed_keeps_its_date() -> None:
    later = replace(LOCK, date="2026-01-01T00:00:00Z")
    assert later.dated_as(LOCK) == LOCK
    assert replace(later, wanted=("other",)).dated_as(LOCK).date == later.date
    assert later.dated_as(None) == later


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('"web",', '"web"', r"bundle\.lock:11: not a bundle's lock: Expecting ',' delimiter"),
        ('"date"', '"data"', "no field 'date'"),
        ('"2025-11-21T21:30:00Z"', '"yesterday"', "'yesterday' does not match"),
        ('"name": "web"', '"name": "../web"', "'../web' does not fit"),
        ('"name": "web"', '"name": "-o"', "'-o' does not fit"),
        ('"version": "1"', '"version": "1/../2"', "does not fit"),
        ("element-v1.10.tar.gz", "../../etc/passwd", "does not fit"),
        ('"size": 5', '"length": 5', "length"),
        ('"sha256": "0', '"sha256": "O', "does not fit"),
    ],
)
def test_a_damaged_lock_is_refused_with_its_place(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in LOCK.text()
    (tmp_path / "bundle.lock").write_text(LOCK.text().replace(old, new))
    with pytest.raises(Refused, match=complaint) as refusal:
        Lock.read(tmp_path / "bundle.lock")
    assert "--update" in refusal.value.findings[0].remedy


def test_the_base_is_what_is_installed(base_status: Path) -> None:
    base = Base.read(base_status)
    assert base.architecture == "amd64"
    base_status.write_text(base_status.read_text().replace("Version: 1\n", "Version: 2\n"))
    assert Base.read(base_status).digest == base.digest, "a removed package is not part of the base"
    base_status.write_text(base_status.read_text().replace("2.41-12", "2.41-13"))
    assert Base.read(base_status).digest != base.digest


def test_a_base_without_packages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        Base.read(tmp_path / "status")
    (tmp_path / "status").touch()
    with pytest.raises(Refused, match="no installed package"):
        Base.read(tmp_path / "status")


def test_without_a_base_the_architecture_is_the_machines() -> None:
    assert Base.read(None).architecture


def test_a_lock_is_never_dated_in_the_present_second() -> None:
    """Gpg would not freeze its clock then, and the same lock would not give the same bytes."""
    before = datetime.now(UTC)
    assert timedelta(seconds=1) <= before - datetime.fromisoformat(now()) < timedelta(seconds=3)
