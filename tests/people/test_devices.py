"""Application passwords: what is written, what is read back, what is refused."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date
from typing import Any

import pytest

from deploy.errors import Refused
from deploy.paths import ROLES
from deploy.people.devices import USES, Device
from deploy.people.directory import Directory
from deploy.people.entries import Mailbox, Person
from tests.people.conftest import BASE
from tests.people.test_directory import raw

ANNA = Person("anna", "Anna", "de Vries", "anna@rijk.test")


@pytest.fixture
def anna(directory: Directory) -> Directory:
    directory.add(ANNA, lambda: "her own password")
    return directory


def test_a_device_gets_a_password_for_what_it_needs(anna: Directory, connection: Any) -> None:
    made = anna.add_device("anna", "  Laptop  van   het werk ", ["mail"], "random")
    digest = hashlib.sha256(b"random").hexdigest()
    assert made == Device("Laptop van het werk", ("imap", "smtp", "sieve"), date.today(), digest)
    held = raw(connection, f"uid=anna,ou=people,{BASE}")
    assert sorted(held["bswapppassword"]) == sorted(f"{p}:{digest}".encode() for p in ("imap", "smtp", "sieve"))
    assert anna.devices("anna") == [made]
    assert b"random" not in b" ".join(held["bswapppassword"] + held["bswdevice"])


def test_one_is_withdrawn_and_the_others_stay(anna: Directory, connection: Any) -> None:
    anna.add_device("anna", "Laptop", ["mail", "calendar"], "one")
    stays = anna.add_device("anna", "Telefoon", ["mobile"], "two")
    assert anna.remove_device("anna", "laptop").name == "Laptop"
    assert anna.devices("anna") == [stays]
    assert raw(connection, f"uid=anna,ou=people,{BASE}")["bswapppassword"] == [f"activesync:{stays.digest}".encode()]


def test_a_device_has_one_password(anna: Directory) -> None:
    anna.add_device("anna", "Laptop", ["mail"], "one")
    with pytest.raises(Refused, match="has a password already"):
        anna.add_device("anna", "LAPTOP", ["calendar"], "two")
    assert len(anna.devices("anna")) == 1


@pytest.mark.parametrize(
    ("name", "uses", "why"),
    [
        ("", ["mail"], "needs a name"),
        ("a\nb", ["mail"], "needs a name"),
        ("x" * 61, ["mail"], "needs a name"),
        ("Laptop", [], "nothing is said"),
        ("Laptop", ["mail", "ftp"], "cannot be for ftp"),
    ],
)
def test_a_wrong_wish_changes_nothing(anna: Directory, name: str, uses: list[str], why: str) -> None:
    with pytest.raises(Refused, match=why):
        anna.add_device("anna", name, uses, "random")
    assert anna.devices("anna") == []


def test_what_is_not_there_cannot_be_withdrawn(anna: Directory) -> None:
    with pytest.raises(Refused, match="no device 'Laptop'"):
        anna.remove_device("anna", "Laptop")


def test_only_a_person_has_devices(anna: Directory) -> None:
    anna.add(Mailbox("post", "Post", "post@rijk.test"))
    with pytest.raises(Refused, match="a mailbox has no password"):
        anna.devices("post")
    with pytest.raises(Refused, match="nobody in the directory"):
        anna.add_device("zoe", "Laptop", ["mail"], "random")


def test_the_portal_the_directory_and_the_door_know_the_same_protocols() -> None:
    """Three programs in three languages write and judge the same values; none can call another."""
    [plugin] = (ROLES / "lemonldap/rootfs").rglob("BswDevices.pm")
    [table] = re.findall(r"%PROTOCOLS = \( (.*) \);", plugin.read_text())
    uses = re.findall(r"(\w+) *=> \[(.*?)\]", table)
    assert {use: tuple(re.findall("[a-z]+", its.replace("qw", ""))) for use, its in uses} == USES
    schema = (ROLES / "openldap/rootfs/etc/ldap/slapd.ldif.j2").read_text()
    [allowed] = re.findall(r"bswAppPassword regex \^\(([a-z|]+)\):", schema)
    assert sorted(allowed.split("|")) == sorted(protocol for its in USES.values() for protocol in its)
    door = (ROLES / "sogo/rootfs/usr/local/lib/bsw/groupware-door").read_text()
    [judged] = re.findall(r"^PROTOCOLS = \((.*)\)$", door, re.MULTILINE)
    assert json.loads(f"[{judged}]") == [*USES["calendar"], *USES["mobile"]]
