"""Third-party files: what is not in the list is not fetched, and what differs is not used."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.bundle import serving
from deploy.bundle.key import SigningKey
from deploy.bundle.lock import Archive
from deploy.bundle.thirdparty import SOURCES, fetch, read
from deploy.errors import Refused

DATA = b"an archive"
HASH = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """The makers' web site."""
    (tmp_path / "origin").mkdir()
    (tmp_path / "origin/element-v1.10.tar.gz").write_bytes(DATA)
    return tmp_path / "origin"


@pytest.fixture
def address(origin: Path) -> Iterator[str]:
    with serving(origin) as port:
        yield f"http://127.0.0.1:{port}/element-v1.10.tar.gz"


def entry(address: str = "https://host.example.test/element-v1.10.tar.gz", **other: str) -> str:
    """One entry; a field given as "" is left out."""
    fields = {
        "name": "element",
        "version": "1.10",
        "address": address,
        "sha256": HASH,
        "licence": "AGPL-3.0-only",
        "steward": "Element",
        "country": "GB",
    }
    lines = [f"{name}: {value}" for name, value in (fields | other).items() if value]
    return "- " + "\n  ".join(lines) + "\n"


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    return tmp_path / "sources.yml"


def refusal(path: Path) -> list[str]:
    with pytest.raises(Refused) as caught:
        read(path)
    return [str(finding).removeprefix(f"{path}:") for finding in caught.value.findings]


def test_the_repositorys_own_list_is_valid() -> None:
    read(SOURCES)


def test_an_entry_is_read_as_it_stands(listed: Path) -> None:
    listed.write_text("# a comment\n" + entry())
    [source] = read(listed)
    assert source.version == "1.10", "not the number 1.1"
    assert source.file == "element-v1.10.tar.gz"
    assert source.where == f"{listed}:2"


@pytest.mark.parametrize("text", ["", "# nothing\n", "[]\n"])
def test_an_empty_list_is_valid(listed: Path, text: str) -> None:
    listed.write_text(text)
    assert read(listed) == []


def test_every_bad_entry_is_named_with_its_line(listed: Path) -> None:
    listed.write_text(
        "\n"
        + entry(sha256="ABC", licence="")
        + entry(licence="", license="MIT", country="Nederland", file="b")
        + "- just text\n"
        + entry(address="ftp://host/file", zzz="1")
    )
    found = refusal(listed)
    assert "2: no field 'licence'; add licence: an SPDX expression, such as AGPL-3.0-or-later" in found
    assert "5: sha256 'ABC' is not valid; write 64 hexadecimal digits in lower case, as sha256sum prints them" in found
    assert "14: unknown field 'license'; did you mean 'licence'?" in found
    assert any(line.startswith("13: country 'Nederland' is not valid; write") for line in found)
    assert sum(line.startswith("16: no field") for line in found) == 7
    assert any(line.startswith("19: address 'ftp://host/file' is not valid") for line in found)
    assert any(line.startswith("24: unknown field 'zzz'; known are: name, ") for line in found)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: b\n", "1: not a list; see the comment"),
        ("- a: [\n- b\n", "2: not YAML"),
        (entry() + entry(version="1.11"), "8: element-v1.10.tar.gz stands in line 1 already; give another 'file'"),
        (entry(file="../x"), "8: file '../x' is not valid"),
        (entry(address="https://host.example.test/x/?download"), "3: '' cannot be a file's name; give one as 'file'"),
        (entry(signature="https://host.example.test/x.asc"), "8: signature and key go together; give both, or neither"),
        (
            entry(signature="https://host.example.test/x.asc", key="k.asc"),
            "9: no file k.asc; put the makers' public key",
        ),
    ],
)
def test_a_bad_list_is_refused(listed: Path, text: str, complaint: str) -> None:
    listed.write_text(text)
    assert any(line.startswith(complaint) for line in refusal(listed)), refusal(listed)


def test_a_list_that_is_not_there_is_refused(listed: Path) -> None:
    with pytest.raises(Refused, match="No such file"):
        read(listed)


def test_a_file_is_fetched_once(tmp_path: Path, listed: Path, origin: Path, address: str) -> None:
    listed.write_text(entry(address))
    said: list[str] = []
    [archive] = fetch(read(listed), tmp_path / "files", said.append)
    assert archive == Archive("element", "1.10", "element-v1.10.tar.gz", HASH, len(DATA))
    assert (tmp_path / "files" / archive.file).read_bytes() == DATA
    (origin / "element-v1.10.tar.gz").unlink()
    assert fetch(read(listed), tmp_path / "files", said.append) == [archive]
    assert said == ["fetching element 1.10"]


def test_a_file_whose_hash_differs_is_not_kept(tmp_path: Path, listed: Path, origin: Path, address: str) -> None:
    (origin / "element-v1.10.tar.gz").write_bytes(b"something else")
    listed.write_text(entry(address))
    with pytest.raises(
        Refused, match=rf"sources\.yml:1: element-v1\.10\.tar\.gz has the hash .*, not {HASH}; do not use"
    ):
        fetch(read(listed), tmp_path / "files", print)
    assert list((tmp_path / "files").iterdir()) == []


def test_every_file_that_cannot_be_had_is_named(tmp_path: Path, listed: Path, address: str) -> None:
    listed.write_text(entry(f"{address}.old") + entry(f"{address}.new"))
    with pytest.raises(Refused) as caught:
        fetch(read(listed), tmp_path / "files", print)
    assert [finding.where for finding in caught.value.findings] == [f"{listed}:1", f"{listed}:8"]
    assert all("404" in finding.what for finding in caught.value.findings)


@pytest.fixture
def makers(tmp_path: Path) -> SigningKey:
    key = SigningKey(tmp_path / "makers")
    (tmp_path / "makers.asc").write_text(key.public)
    return key


def sign(home: Path, file: Path) -> None:
    """Make a detached signature beside a file, as its makers would."""
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--armor", "--detach-sign", str(file)]
    subprocess.run(command, check=True)
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], check=True)


@pytest.mark.usefixtures("makers")
def test_a_signed_file_is_taken(tmp_path: Path, listed: Path, origin: Path, address: str) -> None:
    sign(tmp_path / "makers", origin / "element-v1.10.tar.gz")
    listed.write_text(entry(address, signature=f"{address}.asc", key="makers.asc"))
    assert fetch(read(listed), tmp_path / "files", print)


@pytest.mark.usefixtures("makers")
def test_a_file_that_its_makers_did_not_sign_is_not_kept(
    tmp_path: Path, listed: Path, origin: Path, address: str, key_home: Path
) -> None:
    sign(key_home, origin / "element-v1.10.tar.gz")
    listed.write_text(entry(address, signature=f"{address}.asc", key="makers.asc"))
    with pytest.raises(Refused, match=r"element-v1\.10\.tar\.gz is not signed by makers\.asc"):
        fetch(read(listed), tmp_path / "files", print)
    assert list((tmp_path / "files").iterdir()) == []
