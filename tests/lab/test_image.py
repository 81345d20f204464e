"""The base image is made once, holds no identity, and is made anew when its recipe changes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.errors import Refused
from deploy.lab import image
from tests.conftest import Put

MMDEBSTRAP = """\
for word; do
  case $word in --*) ;; *) [ -n "$suite" ] && [ -z "$target" ] && target=$word; [ -z "$suite" ] && suite=$word ;; esac
done
mkdir -p "$target/etc/ssh/sshd_config.d" "$target/etc/apt/sources.list.d"
echo "$@" > "$target/asked"
for file in hostname resolv.conf machine-id ssh/ssh_host_ed25519_key apt/sources.list apt/sources.list.d/a.sources; do
  echo debian > "$target/etc/$file"
done
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Put) -> Path:
    monkeypatch.setattr(image, "discover", lambda: SimpleNamespace(archive="http://mirror.test/debian"))
    program("mmdebstrap", MMDEBSTRAP)
    program("chroot", 'shift_root=$1; shift; echo "$@" >> "$shift_root/asked"\n')
    return tmp_path / "cache"


def test_the_image_is_a_minimal_debian_from_the_mirror(cache: Path) -> None:
    debian, enabled, masked = (image.base() / "asked").read_text().splitlines()
    assert debian.endswith(f"trixie {image.base().with_suffix('.new')} http://mirror.test/debian")
    assert "--variant=minbase" in debian
    assert "openssh-server" in debian
    assert enabled == "systemctl -q enable systemd-networkd ssh"
    assert "apt-daily.timer" in masked


def test_the_image_holds_no_identity_and_no_package_source(cache: Path) -> None:
    etc = image.base() / "etc"
    left = sorted(str(p.relative_to(etc)) for p in etc.rglob("*") if p.is_file())
    assert left == ["machine-id", "ssh/sshd_config.d/lab.conf"]
    assert (etc / "machine-id").read_text() == ""


def test_the_image_is_made_once(cache: Path, program: Put) -> None:
    made = image.base()
    program("mmdebstrap", "exit 1\n")
    assert image.base() == made


def test_the_image_changes_with_its_recipe_and_the_old_one_goes(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = image.base()
    recipe = tmp_path / "image.py"
    recipe.write_text("another")
    monkeypatch.setattr(image, "__file__", str(recipe))
    new = image.base()
    assert new != old
    assert [p.name for p in cache.iterdir()] == [new.name]


def test_what_a_run_left_unfinished_does_not_count(cache: Path) -> None:
    unfinished = cache / f"base-{image._key()}.new" / "half"
    unfinished.mkdir(parents=True)
    assert not (image.base() / "half").exists()


def test_a_mirror_that_cannot_be_used_is_refused_in_mmdebstraps_words(cache: Path, program: Put) -> None:
    program("mmdebstrap", "echo 'I: trying' >&2; echo 'E: cannot fetch InRelease' >&2; exit 1\n")
    with pytest.raises(Refused, match="mmdebstrap failed: E: cannot fetch InRelease; check the package mirror"):
        image.base()
    assert list(cache.iterdir()) == []
