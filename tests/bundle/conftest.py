"""What the tests of the bundle share."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.bundle.key import SigningKey
from tests.bundle.miniature import BASE_STATUS, Archive, Maker


@pytest.fixture(scope="session")
def key_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The signing key of the bundles that the tests make."""
    home = tmp_path_factory.mktemp("config") / "bundle-key"
    SigningKey(home)
    return home


@pytest.fixture(scope="session")
def debian_key(tmp_path_factory: pytest.TempPathFactory) -> SigningKey:
    """The key of the archive in miniature."""
    return SigningKey(tmp_path_factory.mktemp("debian") / "key")


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory, debian_key: SigningKey) -> Archive:
    """An archive with a mail server, its library and a web server; one of them from the security suite."""
    folder = tmp_path_factory.mktemp("archive")
    (folder / "debian.asc").write_text(debian_key.public)
    archive = Archive(folder / "debian", debian_key, folder / "debian.asc")
    archive.add("libmail", "1.0-1", depends="libc6")
    archive.add("mailer", "3.1-1", depends="libmail (>= 1.0)")
    archive.add("web", "1:2.0~rc1-1", suite="trixie-security")
    archive.publish()
    return archive


@pytest.fixture
def archive(tmp_path: Path, published: Archive) -> Archive:
    """The test's own copy of the archive."""
    shutil.copytree(published.root, tmp_path / "debian")
    packages = {
        suite: [tmp_path / "debian/pool" / deb.name for deb in debs] for suite, debs in published.packages.items()
    }
    return replace(published, root=tmp_path / "debian", packages=packages)


@pytest.fixture
def base_status(tmp_path: Path) -> Path:
    """The dpkg status file of a base image."""
    path = tmp_path / "status"
    path.write_text(BASE_STATUS)
    return path


@pytest.fixture
def make(tmp_path: Path, archive: Archive, base_status: Path, key_home: Path) -> Maker:
    """Make bundles from the archive in miniature."""
    sources = tmp_path / "sources.yml"
    sources.write_text("[]\n")
    return Maker(tmp_path / "cache" / "bundle", archive, base_status, key_home, sources)
