"""Whoever changes a byte anywhere in a bundle is found out, by the file's name."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from deploy.bundle import serving, verify
from deploy.bundle.key import SigningKey
from tests.bundle.miniature import BASE_STATUS, Archive, Maker

FILES = [
    "apt/dists/bsw/InRelease",
    "apt/dists/bsw/main/binary-amd64/Packages",
    "apt/pool/libmail_1.0-1_amd64.deb",
    "apt/pool/mailer_3.1-1_amd64.deb",
    "bsw-archive.asc",
    "bundle.lock",
    "files/app.zip",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, published: Archive, key_home: Path) -> Path:
    """A bundle with one file of each kind."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "status").write_text(BASE_STATUS)
    make = Maker(folder / "bundle", published, folder / "status", key_home, folder / "sources.yml")
    origin = folder / "origin"
    origin.mkdir()
    (origin / "app.zip").write_bytes(b"PK app")
    digest = hashlib.sha256(b"PK app").hexdigest()
    with serving(origin) as port:
        make.sources.write_text(
            f"- {{name: app, version: '1', address: 'http://127.0.0.1:{port}/app.zip', sha256: {digest},\n"
            "   licence: MIT, steward: A, country: NL}\n"
        )
        make("mailer")
    return make.directory


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    """The test's own copy of it."""
    return Path(shutil.copytree(made, tmp_path / "bundle"))


def names(bundle: Path) -> set[str]:
    return {finding.where for finding in verify(bundle)}


def test_a_bundle_as_it_was_made_is_fine(bundle: Path) -> None:
    assert sorted(str(path.relative_to(bundle)) for path in bundle.rglob("*") if path.is_file()) == FILES
    assert verify(bundle) == []


@pytest.mark.parametrize("file", FILES)
def test_a_flipped_byte_is_found(bundle: Path, file: str) -> None:
    data = (bundle / file).read_bytes()
    for position in {0, 1, len(data) // 3, len(data) // 2, 2 * len(data) // 3, len(data) - 2, len(data) - 1}:
        changed = bytearray(data)
        changed[position] ^= 1
        (bundle / file).write_bytes(changed)
        assert file in names(bundle), f"byte {position} of {len(data)}"
    (bundle / file).write_bytes(data)
    assert verify(bundle) == []


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_found(bundle: Path, file: str) -> None:
    (bundle / file).unlink()
    assert file in names(bundle)


@pytest.mark.parametrize("file", ["apt/pool/mailer_3.2-1_amd64.deb", "files/more", "apt/dists/bsw/Release", "x"])
def test_a_file_that_does_not_belong_is_found(bundle: Path, file: str) -> None:
    (bundle / file).touch()
    assert names(bundle) == {file}


def test_a_bundle_that_somebody_else_signed_is_found_by_the_key_that_is_known(
    bundle: Path, key_home: Path, debian_key: SigningKey
) -> None:
    assert verify(bundle, SigningKey(key_home).public) == []
    assert [finding.where for finding in verify(bundle, debian_key.public)] == ["apt/dists/bsw/InRelease"]


def test_a_folder_that_is_no_bundle_is_found(tmp_path: Path) -> None:
    assert names(tmp_path / "nothing") == {"apt/dists/bsw/InRelease"}


def test_every_finding_says_what_to_do(bundle: Path) -> None:
    (bundle / "bundle.lock").unlink()
    assert all("bsw bundle build" in finding.remedy for finding in verify(bundle))
