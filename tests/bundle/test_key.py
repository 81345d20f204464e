"""The signing key, and what counts as signed."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.bundle.key import ForgedError, SigningKey, signed_text
from deploy.errors import Refused

WHEN = datetime(2025, 11, 21, 21, 30, tzinfo=UTC)
TEXT = "Origin: bsw\nSuite: bsw\n"


@pytest.fixture
def key(key_home: Path) -> SigningKey:
    return SigningKey(key_home)


def agents(folder: Path) -> list[str]:
    """Command lines of the agents that run below a folder; one that has ended has none."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_text()
        except OSError:
            continue
        if "gpg-agent" in line and str(folder) in line:
            lines.append(line)
    return lines


def test_the_key_is_made_once_and_for_its_owner_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = tmp_path / "t"
    short.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(short))
    key = SigningKey(tmp_path / "config" / "key")
    signed = key.sign(TEXT, WHEN)
    assert agents(short) == []
    assert list(short.iterdir()) == []
    assert (tmp_path / "config" / "key").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in (tmp_path / "config").iterdir()] == ["key"]
    again = SigningKey(tmp_path / "config" / "key")
    assert again.public == key.public
    assert again.sign(TEXT, WHEN) == signed


def test_a_path_longer_than_a_socket_may_have_will_do(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 20) / ("longer" * 20) / "key"
    assert signed_text(SigningKey(home).sign(TEXT, WHEN), SigningKey(home).public.encode()) == TEXT


def test_a_signature_depends_on_text_and_date_only(key: SigningKey) -> None:
    assert key.sign(TEXT, WHEN) == key.sign(TEXT, WHEN)
    assert key.sign(TEXT, WHEN) != key.sign(TEXT, WHEN.replace(hour=22))


def test_signed_text_is_what_was_signed(key: SigningKey) -> None:
    assert signed_text(key.sign(TEXT, WHEN), key.public.encode()) == TEXT


def test_another_key_does_not_count(key: SigningKey, debian_key: SigningKey) -> None:
    with pytest.raises(ForgedError):
        signed_text(key.sign(TEXT, WHEN), debian_key.public.encode())


def test_what_is_no_key_does_not_count(key: SigningKey) -> None:
    with pytest.raises(ForgedError):
        signed_text(key.sign(TEXT, WHEN), b"no key")


@pytest.mark.parametrize("position", ["before", "after"])
def test_text_beside_the_signed_text_does_not_count(key: SigningKey, position: str) -> None:
    message = key.sign(TEXT, WHEN)
    forged = b"Suite: other\n" + message if position == "before" else message + b"Suite: other\n"
    with pytest.raises(ForgedError):
        signed_text(forged, key.public.encode())


def test_every_changed_byte_of_the_message_is_noticed(key: SigningKey) -> None:
    message = key.sign(TEXT, WHEN)
    for position in range(0, len(message), 5):
        forged = bytearray(message)
        forged[position] ^= 1
        with pytest.raises(ForgedError):
            print(position, signed_text(bytes(forged), key.public.encode()))


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "key"
    SigningKey(home)
    home.chmod(0o750)
    with pytest.raises(Refused, match=r"others may read.*chmod 700"):
        SigningKey(home)


def test_a_folder_without_a_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").mkdir(mode=0o700)
    with pytest.raises(Refused, match="no signing key in it"):
        SigningKey(tmp_path / "key")


def test_a_key_whose_secret_is_lost_is_refused(tmp_path: Path) -> None:
    key = SigningKey(tmp_path / "key")
    for secret in (tmp_path / "key" / "private-keys-v1.d").iterdir():
        secret.unlink()
    with pytest.raises(Refused, match="gpg"):
        key.sign(TEXT, WHEN)
