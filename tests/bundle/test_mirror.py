"""Where Debian comes from: read from the machine's own apt sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.bundle.mirror import Mirror, discover
from deploy.bundle.stanza import stanzas
from deploy.errors import Refused

DEB822 = """\
# Debian's own
Types: deb deb-src
URIs: https://mirror.example.test/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: https://security.example.test/debian-security
Suites: bookworm-security
Components: main
"""


@pytest.fixture
def etc_apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def found(etc_apt: Path, **environ: str) -> Mirror:
    return discover(etc_apt=etc_apt, environ=environ)


def test_the_mirror_is_read_from_deb822_sources(etc_apt: Path) -> None:
    (etc_apt / "sources.list.d/debian.sources").write_text(DEB822)
    assert found(etc_apt) == Mirror(
        "https://mirror.example.test/debian", "https://security.example.test/debian-security"
    )


def test_the_mirror_is_read_from_one_line_sources(etc_apt: Path) -> None:
    (etc_apt / "sources.list").write_text(
        "# comment\n"
        "deb cdrom:[Debian GNU/Linux 13 _Trixie_]/ trixie main\n"
        "deb-src http://sources.example.test/debian trixie main\n"
        "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]  http://a.test/debian trixie main\n"
        "deb http://s.example.test/debian-security trixie-security main contrib # nightly\n"
    )
    assert found(etc_apt) == Mirror("http://a.test/debian", "http://s.example.test/debian-security")


def test_one_address_may_hold_both_trees(etc_apt: Path) -> None:
    (etc_apt / "sources.list").write_text("deb file:/srv/d trixie main\ndeb file:/srv/d trixie-security main\n")
    assert found(etc_apt) == Mirror("file:/srv/d", "file:/srv/d")


@pytest.mark.parametrize(
    "line",
    [
        "deb [signed-by=/usr/share/keyrings/vendor.gpg] http://vendor.example.test/debian trixie main",
        "deb http://vendor.example.test/debian trixie stable",
        "deb http://vendor.example.test/debian trixie-vendor main",
        "deb http://vendor.example.test/ubuntu noble main",
    ],
)
def test_the_sources_of_others_are_not_debian(etc_apt: Path, line: str) -> None:
    (etc_apt / "sources.list").write_text(line + "\n")
    with pytest.raises(Refused) as refusal:
        found(etc_apt)
    assert [finding.remedy for finding in refusal.value.findings] == [
        "set BSW_MIRROR to a mirror's address",
        "set BSW_SECURITY_MIRROR to a mirror's address",
    ]


def test_a_disabled_source_does_not_count(etc_apt: Path) -> None:
    (etc_apt / "sources.list.d/debian.sources").write_text(DEB822.replace("Types: deb\n", "Types: deb\nEnabled: no\n"))
    with pytest.raises(Refused, match=r"security archive.*BSW_SECURITY_MIRROR"):
        found(etc_apt)


def test_the_environment_wins_over_the_sources_and_an_option_over_both(etc_apt: Path) -> None:
    (etc_apt / "sources.list.d/debian.sources").write_text(DEB822)
    (etc_apt / "sources.list.d/debian.sources.save").write_text("Types: deb\nURIs: http://old\n")
    environ = {"BSW_MIRROR": "http://e/debian/", "BSW_SECURITY_MIRROR": "http://e/security"}
    assert found(etc_apt, **environ) == Mirror("http://e/debian", "http://e/security")
    assert discover("http://o", etc_apt=etc_apt, environ=environ) == Mirror("http://o", "http://e/security")


def test_both_forms_of_the_mirror_say_the_same() -> None:
    mirror = Mirror("http://a/debian", "http://s/debian-security")
    assert mirror.lines() == [
        "deb http://a/debian trixie main",
        "deb http://a/debian trixie-updates main",
        "deb http://s/debian-security trixie-security main",
    ]
    assert [(s["URIs"], s["Suites"]) for s in stanzas(mirror.sources())] == [
        ("http://a/debian", "trixie trixie-updates"),
        ("http://s/debian-security", "trixie-security"),
    ]
