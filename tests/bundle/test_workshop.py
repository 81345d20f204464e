"""Making the bundle: what is locked stays, what is there is not fetched again, what is interrupted harms nothing."""

from __future__ import annotations

import fcntl
import shutil
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from deploy import paths
from deploy.bundle import Mirror, build, index, serving, verify, workshop
from deploy.bundle.apt import Apt
from deploy.bundle.base import Base
from deploy.bundle.key import SigningKey
from deploy.bundle.lock import Lock
from deploy.bundle.source import apt_source
from deploy.errors import Refused
from tests.bundle.miniature import Archive, Maker


def versions(lock: Lock) -> dict[str, str]:
    return {package.name: package.version for package in lock.packages}


def contents(directory: Path) -> dict[str, bytes]:
    """Every file of a bundle, by its path."""
    root = directory.resolve()
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def without_network(archive: Archive) -> None:
    shutil.rmtree(archive.root)


def test_a_bundle_holds_what_is_wanted_and_what_that_needs_and_the_base_lacks(make: Maker) -> None:
    bundle = make("mailer", "web", "dpkg")
    assert bundle.changed
    assert versions(bundle.lock) == {"libmail": "1.0-1", "mailer": "3.1-1", "web": "1:2.0~rc1-1"}
    assert sorted(contents(make.directory)) == [
        "apt/dists/bsw/InRelease",
        "apt/dists/bsw/main/binary-amd64/Packages",
        "apt/pool/libmail_1.0-1_amd64.deb",
        "apt/pool/mailer_3.1-1_amd64.deb",
        "apt/pool/web_2.0~rc1-1_amd64.deb",
        "bsw-archive.asc",
        "bundle.lock",
    ]
    assert verify(make.directory) == []


def test_nothing_to_do_needs_no_network_and_less_than_a_second(make: Maker) -> None:
    made = make("mailer", "web")
    without_network(make.archive)
    before = contents(make.directory)
    start = time.monotonic()
    again = make("web", "mailer", "web")
    assert time.monotonic() - start < 1
    assert again == replace(made, changed=False)
    assert contents(make.directory) == before
    assert make.lines == []


def test_a_bundle_that_was_carried_here_needs_no_network(make: Maker, tmp_path: Path) -> None:
    make("mailer")
    carried = tmp_path / "elsewhere" / "bundle"
    shutil.copytree(make.directory, carried)
    without_network(make.archive)
    assert not make("mailer", directory=carried).changed
    assert make("libmail", directory=carried).changed
    assert verify(carried) == []


def test_the_same_lock_gives_the_same_bytes(make: Maker, tmp_path: Path) -> None:
    make("mailer", "web")
    make.archive.add("mailer", "3.2-1")
    make.archive.publish()
    other = tmp_path / "other" / "bundle"
    other.mkdir(parents=True)
    shutil.copy(make.directory / "bundle.lock", other)
    assert make("mailer", "web", directory=other).changed
    assert contents(other) == contents(make.directory)
    assert make("mailer", "web").changed is False


def test_locked_versions_stay_until_an_update(make: Maker) -> None:
    locked = make("mailer").lock
    make.archive.add("mailer", "3.2-1", depends="libmail")
    make.archive.publish()
    assert make("mailer").lock == locked
    updated = make("mailer", update=True)
    assert versions(updated.lock) == {"libmail": "1.0-1", "mailer": "3.2-1"}
    assert make.said("1 as locked, 0 new, 0 gone, 1 moved: mailer 3.1-1 -> 3.2-1")
    assert make.said("downloading 1 packages")
    assert verify(make.directory) == []


def test_an_update_that_finds_nothing_new_changes_nothing(make: Maker) -> None:
    made = make("mailer")
    assert make("mailer", update=True) == replace(made, changed=False)


def test_a_locked_version_that_is_gone_is_refused(make: Maker) -> None:
    make("mailer")
    make.archive.withdraw("mailer")
    make.archive.add("mailer", "3.2-1", depends="libmail")
    make.archive.publish()
    lock = (make.directory / "bundle.lock").read_text()
    shutil.rmtree(make.directory.parent)
    make.directory.mkdir(parents=True)
    (make.directory / "bundle.lock").write_text(lock)
    with pytest.raises(Refused) as caught:
        make("mailer")
    assert [str(finding) for finding in caught.value.findings] == [
        "bundle.lock: mailer 3.1-1 (amd64) is locked, but is not in the pool, and the mirror has 3.2-1; "
        "take the mirror's versions: `bsw bundle build --update`"
    ]
    assert versions(make("mailer", update=True).lock)["mailer"] == "3.2-1"


def test_a_locked_hash_that_the_mirror_does_not_have_is_refused(make: Maker) -> None:
    lock = make("web").lock
    shutil.rmtree(make.directory.parent)
    make.directory.mkdir(parents=True)
    forged = replace(lock, packages=(replace(lock.packages[0], sha256="0" * 64),))
    (make.directory / "bundle.lock").write_text(forged.text())
    with pytest.raises(Refused, match=r"web 1:2\.0~rc1-1 \(amd64\) is locked.*--update"):
        make("web")


def test_what_is_new_is_added_and_the_rest_stays_as_locked(make: Maker) -> None:
    make("mailer")
    make.archive.withdraw("mailer")  # the old version is in the old bundle alone
    make.archive.add("mailer", "3.2-1", depends="libmail")
    make.archive.add("libmail", "1.1-1")
    make.archive.publish()
    assert versions(make("mailer", "web").lock) == {"libmail": "1.0-1", "mailer": "3.1-1", "web": "1:2.0~rc1-1"}
    assert make.said("2 as locked, 1 new, 0 gone")
    assert make.said("downloading 1 packages")
    assert verify(make.directory) == []


def test_versions_move_where_the_new_package_does_not_fit_the_locked_ones(make: Maker) -> None:
    make("mailer")
    make.archive.add("libmail", "1.1-1")
    make.archive.add("reader", "1", depends="libmail (>= 1.1)")
    make.archive.publish()
    assert versions(make("mailer", "reader").lock) == {"libmail": "1.1-1", "mailer": "3.1-1", "reader": "1"}
    assert make.said("not possible with the locked versions")
    assert make.said("moved: libmail 1.0-1 -> 1.1-1")


def test_what_is_no_longer_wanted_goes_without_a_network(make: Maker) -> None:
    make("mailer", "web")
    without_network(make.archive)
    assert versions(make("web").lock) == {"web": "1:2.0~rc1-1"}
    assert verify(make.directory) == []


def test_what_was_downloaded_once_is_not_downloaded_again(make: Maker) -> None:
    make("mailer", "web")
    make("web")
    for deb in (make.archive.root / "pool").iterdir():
        deb.unlink()
    assert make("mailer", "web").changed
    assert not make.said("downloading")


def test_another_base_image_is_resolved_anew(make: Maker) -> None:
    make("mailer")
    status = make.base_status.read_text()
    make.base_status.write_text(status + status.split("\n\n", maxsplit=1)[0].replace("dpkg", "libmail"))
    assert versions(make("mailer").lock) == {"mailer": "3.1-1"}
    make.base_status.write_text(status)
    assert versions(make("mailer").lock) == {"libmail": "1.0-1", "mailer": "3.1-1"}


@pytest.mark.parametrize("moment", ["download", "controls", "sign", "replace"])
def test_an_interrupted_build_leaves_the_old_bundle_valid(
    make: Maker, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    make("web")
    before = contents(make.directory)

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    place = {"download": Apt, "controls": index, "sign": SigningKey, "replace": Path}[moment]
    with monkeypatch.context() as patch:
        patch.setattr(place, moment, interrupt)
        with pytest.raises(KeyboardInterrupt):
            make("mailer", "web")
    assert contents(make.directory) == before
    assert verify(make.directory) == []
    assert len(list(make.directory.parent.glob("bundle.d/tree-*"))) == 1, "what was half made is gone"
    assert make("mailer", "web").changed
    assert verify(make.directory) == []


def test_an_interrupted_build_keeps_what_it_has_downloaded(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(index, "controls", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            make("mailer", "web")
    for deb in (make.archive.root / "pool").iterdir():
        deb.unlink()
    assert make("mailer", "web").changed
    assert not make.said("downloading")


def test_what_a_killed_build_had_fetched_is_not_fetched_again(make: Maker) -> None:
    make("web")
    landing = make.directory.parent / "bundle.d/store/landing"
    (make.archive.root / "pool/mailer_3.1-1_amd64.deb").rename(landing / "mailer_3.1-1_amd64.deb")
    (landing / "libmail_1.0-1_amd64.deb").write_bytes(b"half a pack")
    assert make("web", "mailer").changed
    assert make.said("downloading 1 packages")
    assert verify(make.directory) == []


def test_a_damaged_file_is_replaced(make: Maker) -> None:
    make("mailer", "web")
    deb = make.directory / "apt/pool/mailer_3.1-1_amd64.deb"
    deb.write_bytes(b"not a package")
    (make.directory / "apt/pool/extra.deb").touch()
    assert make("mailer", "web").changed
    assert make.said("downloading 1 packages")
    assert verify(make.directory) == []


def test_a_file_that_is_damaged_on_the_mirror_is_refused(make: Maker) -> None:
    deb = make.archive.root / "pool/mailer_3.1-1_amd64.deb"
    deb.write_bytes(deb.read_bytes()[::-1])
    with pytest.raises(Refused, match="mailer"):
        make("mailer")
    assert not make.directory.exists()


def test_a_damaged_lock_is_refused_until_an_update(make: Maker) -> None:
    make("web")
    (make.directory / "bundle.lock").write_text("{")
    with pytest.raises(Refused, match=r"bundle\.lock:1: not a bundle's lock.*--update"):
        make("web")
    assert make("web", update=True).changed
    assert verify(make.directory) == []


def test_an_update_forgets_what_is_no_longer_wanted(make: Maker) -> None:
    make("mailer", "web")
    make("web", update=True)
    assert [path.name for path in (make.directory.parent / "bundle.d/store/pool").iterdir()] == [
        "web_2.0~rc1-1_amd64.deb"
    ]


def test_a_new_key_signs_the_same_bundle_anew(make: Maker, tmp_path: Path) -> None:
    lock = make("web").lock
    make.key_home = tmp_path / "config" / "bundle-key"
    again = make("web")
    assert (again.lock, again.changed) == (lock, True)
    assert not make.said("downloading")
    assert verify(make.directory) == []


@pytest.mark.parametrize("name", ["-o", "mailer=3.1-1", "Mailer", "../mailer", "mailer mailer", ""])
def test_what_is_not_a_name_is_refused(make: Maker, name: str) -> None:
    with pytest.raises(Refused, match="not the name of a package"):
        make(name)


def test_every_unknown_package_is_named(make: Maker) -> None:
    with pytest.raises(Refused) as caught:
        make("mailer", "mialer", "wbe")
    assert [finding.where for finding in caught.value.findings] == ["mialer", "wbe"]


def test_packages_that_do_not_fit_together_are_refused_with_the_reason(make: Maker) -> None:
    make.archive.add("reader", "1", depends="libmail (>= 2)")
    make.archive.publish()
    with pytest.raises(Refused, match=r"reader : Depends: libmail \(>= 2\)"):
        make("reader")


def test_a_mirror_that_cannot_be_reached_is_refused(make: Maker) -> None:
    without_network(make.archive)
    with pytest.raises(Refused, match=r"the Debian mirror: .*BSW_MIRROR"):
        make("web")


def test_a_mirror_with_another_key_is_refused(make: Maker, key_home: Path) -> None:
    make.archive.keyring = key_home / "bsw-archive.asc"
    with pytest.raises(Refused, match=r"the Debian mirror: .*not signed|signature"):
        make("web")


def test_the_mirror_is_found_when_it_is_needed(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "discover", lambda: make.archive.mirror)
    monkeypatch.setattr(paths, "CACHE", make.directory.parent)
    bundle = build(["web"], make.base_status, key_home=make.key_home)
    assert bundle.directory == make.directory
    monkeypatch.setattr(workshop, "discover", lambda: Mirror("file:/nowhere", "file:/nowhere"))
    assert not build(["web"], make.base_status, key_home=make.key_home).changed


def test_a_second_build_waits_for_the_first(make: Maker) -> None:
    make("web")
    with (make.directory.parent / "bundle.d/busy").open("w") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        second = threading.Thread(target=make, args=("web",))
        second.start()
        while not make.said("another build of this bundle is under way"):
            assert second.is_alive()
            time.sleep(0.001)
    second.join(timeout=10)
    assert not second.is_alive()


def test_third_party_files_come_with_the_bundle(make: Maker, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    (origin / "app-1.0.zip").write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    with serving(origin) as port:
        make.sources.write_text(
            f"- {{name: app, version: '1.0', address: 'http://127.0.0.1:{port}/app-1.0.zip', sha256: {empty},\n"
            "   licence: MIT, steward: A, country: NL}\n"
        )
        bundle = make("web")
    assert [str(archive) for archive in bundle.lock.files] == ["app 1.0 (app-1.0.zip)"]
    assert (make.directory / "files/app-1.0.zip").read_bytes() == b""
    assert verify(make.directory) == []
    assert not make("web").changed, "its makers are not asked again"
    (make.directory / "files/app-1.0.zip").unlink()
    assert make("web").changed, "nor if it is in the store"
    make.sources.write_text("[]\n")
    assert make("web").lock.files == ()
    assert verify(make.directory) == []


def test_a_file_system_without_hard_links_will_do(make: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    make("mailer")
    make("libmail")
    assert verify(make.directory) == []


def host(make: Maker, state: Path, url: str) -> Apt:
    """An apt as a host has it, that knows the bundle and nothing else."""
    return Apt(state, Base.read(make.base_status), apt_source(make.directory, url))


def test_apt_takes_packages_from_the_served_bundle(make: Maker, tmp_path: Path) -> None:
    lock = make("mailer", "web").lock
    with serving(make.directory) as port:
        apt = host(make, tmp_path / "host", f"http://127.0.0.1:{port}/")
        apt.update()
        assert apt.resolve(["mailer", "web"]) == lock.packages
        (tmp_path / "got").mkdir()
        apt.download(lock.packages, tmp_path / "got")
    assert len(list((tmp_path / "got").iterdir())) == 3


def test_apt_refuses_a_package_that_was_changed(make: Maker, tmp_path: Path) -> None:
    lock = make("mailer").lock
    (tmp_path / "got").mkdir()
    with serving(make.directory) as port:
        apt = host(make, tmp_path / "host", f"http://127.0.0.1:{port}/")
        apt.update()
        deb = make.directory / "apt/pool/mailer_3.1-1_amd64.deb"
        deb.write_bytes(deb.read_bytes()[::-1])
        with pytest.raises(Refused, match="mailer"):
            apt.download(lock.packages, tmp_path / "got")


def test_apt_refuses_an_index_that_was_changed(make: Maker, tmp_path: Path) -> None:
    make("mailer")
    release = make.directory / "apt/dists/bsw/InRelease"
    release.write_bytes(release.read_bytes().replace(b"main", b"mine"))
    with serving(make.directory) as port, pytest.raises(Refused):
        host(make, tmp_path / "host", f"http://127.0.0.1:{port}/").update()


def test_the_hosts_source_carries_the_key(make: Maker) -> None:
    make("web")
    text = apt_source(make.directory, "http://127.0.0.1:8180/")
    assert text.startswith(
        "Types: deb\nURIs: http://127.0.0.1:8180/apt\nSuites: bsw\nComponents: main\n"
        "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n "
    )
    assert text.endswith("\n -----END PGP PUBLIC KEY BLOCK-----\n")
