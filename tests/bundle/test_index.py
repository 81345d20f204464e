"""The indexes of the repository, from stanzas."""

from __future__ import annotations

from deploy.bundle import index
from deploy.bundle.stanza import render, stanzas
from tests.bundle.test_lock import HASH, LOCK, WEB

CONTROL = """\
Package: web
Version: 1:2.0~rc1-1
Architecture: amd64
Filename: pool/main/w/web/web.deb
Description: serves pages
 In two
 .
 paragraphs.
"""


def test_a_stanza_is_written_as_it_was_read() -> None:
    [stanza] = stanzas(f"# comment\n\n{CONTROL}\n\n\n")
    assert render(stanza) == CONTROL


def test_packages_points_into_our_pool_with_our_hash() -> None:
    [stanza] = stanzas(CONTROL)
    [written] = stanzas(index.packages([(WEB, stanza)]))
    assert written["Filename"] == "pool/web_2.0~rc1-1_amd64.deb"
    assert (written["SHA256"], written["Size"]) == (HASH, "1000")
    assert written["Description"] == stanza["Description"]


def test_packages_keeps_stanzas_apart() -> None:
    [stanza] = stanzas(CONTROL)
    assert len(list(stanzas(index.packages([(WEB, stanza)] * 3)))) == 3


def test_release_binds_indexes_lock_and_key() -> None:
    [release] = stanzas(index.release(LOCK, {"main/binary-amd64/Packages": b"abc"}, b"key"))
    assert release["Date"] == "Fri, 21 Nov 2025 21:30:00 UTC"
    assert release["Suite"] == release["Codename"] == "bsw"
    assert release["SHA256"].split()[1:] == ["3", "main/binary-amd64/Packages"]
    assert release[index.LOCK_FIELD] == LOCK.digest()
    assert index.KEY_FIELD in release
    assert "Valid-Until" not in release, "a bundle without a network must not expire"
