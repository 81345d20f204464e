"""What the module writes to a directory and reads back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ldap3
import pytest

from deploy.errors import Refused
from deploy.people.directory import Applied, Directory, new_password
from deploy.people.entries import Entry, Group, Mailbox, Person
from tests.people.conftest import BASE

TEAM = Group("team", "Team", "team@rijk.test")
ANNA = Person("anna", "Anna", "de Vries", "anna@rijk.test", ("a.devries@rijk.test",), ("team",), 5120)
ZOE = Person("zoe", "Zoë", "van Öl", "zoe@rijk.test", ("zoë@rijk.test",))
POST = Mailbox("postkamer", "Postkamer", "postkamer@rijk.test", (), ("team",), 500)
ROOM = Mailbox("zaal", "Grote zaal", "zaal@rijk.test", kind="room")
SHEET: list[Entry] = [ANNA, POST, TEAM, ZOE]


def password_for(person: Person) -> str:
    return f"secret of {person.uid}"


def raw(connection: Any, dn: str) -> dict[str, Any]:
    """What the server holds, attribute names in lower case."""
    connection.search(dn, "(objectClass=*)", ldap3.BASE, attributes=["*"])
    return {name.lower(): values for name, values in connection.response[0]["raw_attributes"].items()}


@pytest.fixture
def filled(directory: Directory) -> Directory:
    directory.apply(SHEET, password_for)
    return directory


def test_what_is_applied_is_read_back(directory: Directory) -> None:
    assert directory.apply(SHEET, password_for) == Applied(("anna", "postkamer", "team", "zoe"), (), ())
    team = Group("team", "Team", "team@rijk.test", (), ("anna",))
    assert directory.entries() == [team, POST, ANNA, ZOE]


def test_a_second_time_changes_nothing(filled: Directory, connection: Any) -> None:
    before = {dn: raw(connection, dn) for dn in (f"uid=anna,ou=people,{BASE}", f"cn=team,ou=groups,{BASE}")}
    asked: list[Person] = []

    def never(person: Person) -> str:
        asked.append(person)
        return "another"

    assert filled.apply(SHEET, never) == Applied((), (), ("anna", "postkamer", "team", "zoe"))
    assert asked == []
    assert {dn: raw(connection, dn) for dn in before} == before


def test_only_what_differs_is_changed(filled: Directory) -> None:
    anna = Person("anna", "Anna", "Jansen", "anna@rijk.test", (), (), None)
    team = Group("team", "Team", "", ())
    assert filled.apply([anna, team, POST], password_for) == Applied((), ("anna", "team"), ("postkamer",))
    assert filled.entry("anna") == anna
    assert filled.entry("team") == Group("team", "Team")
    assert filled.apply([TEAM], password_for).changed == ("team",)
    assert filled.entry("team") == TEAM


def test_an_entry_has_the_classes_and_attributes_of_the_schema(filled: Directory, connection: Any) -> None:
    anna = raw(connection, f"uid=anna,ou=people,{BASE}")
    assert anna["objectclass"] == [b"inetOrgPerson", b"bswPerson"]
    assert anna["bswmailquota"] == [b"5120"]
    assert anna["bswstatus"] == [b"active"]
    assert anna["cn"] == anna["displayname"] == [b"Anna de Vries"]
    post = raw(connection, f"uid=postkamer,ou=mailboxes,{BASE}")
    assert post["objectclass"] == [b"bswSharedMailbox"]
    assert post["bswmailboxgroup"] == [f"cn=team,ou=groups,{BASE}".encode()]
    assert raw(connection, f"cn=team,ou=groups,{BASE}")["objectclass"] == [b"groupOfNames", b"bswMailGroup"]


def test_a_room_is_a_mailbox_that_can_be_booked(filled: Directory, connection: Any) -> None:
    filled.add(ROOM)
    room = raw(connection, f"uid=zaal,ou=rooms,{BASE}")
    assert room["objectclass"] == [b"bswSharedMailbox", b"bswRoom"]
    assert (room["bswkind"], room["bswbookings"]) == ([b"location"], [b"1"])
    assert filled.entry("zaal") == ROOM
    assert filled.apply([ROOM], password_for).unchanged == ("zaal",)
    assert filled.disable("zaal") == replace(ROOM, disabled=True)
    filled.remove("zaal")
    assert "zaal" not in {entry.uid for entry in filled.entries()}


def test_a_group_is_never_without_a_member_for_the_server(filled: Directory, connection: Any) -> None:
    nobody = f"cn=nobody,ou=services,{BASE}".encode()
    filled.set_members("team", remove=["anna"])
    assert raw(connection, f"cn=team,ou=groups,{BASE}")["member"] == [nobody]
    assert filled.set_members("team", add=["zoe", "anna"]).members == ("anna", "zoe")
    filled.set_members("team", remove=["anna"])
    assert nobody in raw(connection, f"cn=team,ou=groups,{BASE}")["member"]
    assert filled.entry("team") == Group("team", "Team", "team@rijk.test", (), ("zoe",))


def test_somebody_disabled_is_locked_and_comes_back_with_everything(filled: Directory, connection: Any) -> None:
    dn = f"uid=anna,ou=people,{BASE}"
    filled.disable("anna")
    assert raw(connection, dn)["bswstatus"] == [b"disabled"]
    assert raw(connection, dn)["pwdaccountlockedtime"] == [b"000001010000Z"]
    assert filled.entry("anna") == replace(ANNA, disabled=True)
    filled.apply([ANNA], password_for)
    assert raw(connection, dn)["bswstatus"] == [b"disabled"], "an import does not let anybody back in"
    filled.enable("anna")
    assert "pwdaccountlockedtime" not in raw(connection, dn)
    assert filled.entry("anna") == ANNA


def test_a_mailbox_can_be_disabled_and_a_group_cannot(filled: Directory) -> None:
    filled.disable("postkamer")
    assert filled.entry("postkamer") == replace(POST, disabled=True)
    with pytest.raises(Refused, match="a group cannot be disabled"):
        filled.disable("team")


def test_somebody_removed_is_gone(filled: Directory) -> None:
    assert filled.remove("zoe") == ZOE
    with pytest.raises(Refused, match="nobody in the directory has this name"):
        filled.entry("zoe")


def test_the_team_of_a_mailbox_stays_as_long_as_the_mailbox(filled: Directory) -> None:
    with pytest.raises(Refused, match="is the team of postkamer"):
        filled.remove("team")
    filled.remove("postkamer")
    filled.remove("team")


def test_a_person_is_added_with_a_password_and_joins_groups(filled: Directory, connection: Any) -> None:
    filled.add(Person("bram", "Bram", "Jansen", "bram@rijk.test", groups=("team",)), lambda: "a password")
    assert filled.entry("team") == Group("team", "Team", "team@rijk.test", (), ("anna", "bram"))
    assert raw(connection, f"uid=bram,ou=people,{BASE}")["userpassword"] == [b"a password"]


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (Person("anna", "Anna", "Ander", "andere@rijk.test"), "anna: there is a person of that name"),
        (Person("bram", "Bram", "B", "a.devries@rijk.test"), "a.devries@rijk.test belongs to 'anna'"),
        (Person("bram", "Bram", "B", "bram@rijk.test", groups=("geen",)), "unknown group 'geen'"),
        (Mailbox("balie", "Balie", "balie@elders.test"), "is not in the domain rijk.test"),
    ],
)
def test_what_cannot_be_added_is_refused(filled: Directory, entry: Entry, complaint: str) -> None:
    before = filled.entries()
    with pytest.raises(Refused, match=complaint):
        filled.add(entry, lambda: "a password")
    assert filled.entries() == before


def test_a_new_password_unlocks(filled: Directory, connection: Any) -> None:
    dn = f"uid=anna,ou=people,{BASE}"
    connection.modify(dn, {"pwdAccountLockedTime": [(ldap3.MODIFY_REPLACE, ["20261121120000Z"])]})
    filled.set_password("anna", "another one")
    assert raw(connection, dn)["userpassword"] == [b"another one"]
    assert "pwdaccountlockedtime" not in raw(connection, dn)
    with pytest.raises(Refused, match="has no password"):
        filled.set_password("postkamer", "x")


def test_aliases_come_and_go(filled: Directory) -> None:
    after = filled.set_aliases("anna", add=["Vries@rijk.test", "ánna@rijk.test"], remove=["a.devries@rijk.test"])
    assert after.aliases == ("vries@rijk.test", "ánna@rijk.test")
    assert filled.entry("anna").aliases == after.aliases
    with pytest.raises(Refused) as refused:
        filled.set_aliases("zoe", add=["anna@rijk.test", "x@elders.test"], remove=["niet@rijk.test"])
    assert len(refused.value.findings) == 3


def test_membership_of_nobody_is_refused(filled: Directory) -> None:
    with pytest.raises(Refused, match="there is no such group"):
        filled.set_members("anna", add=["zoe"])
    with pytest.raises(Refused) as refused:
        filled.set_members("team", add=["niemand"], remove=["zoe"])
    assert [finding.where for finding in refused.value.findings] == ["niemand", "zoe"]


def test_a_directory_that_says_no_is_an_answer_for_people(connection: Any) -> None:
    with pytest.raises(Refused, match="is not in the directory"):
        Directory(connection, "dc=elders,dc=test", "elders.test").entries()


def test_passwords_are_long_and_never_the_same() -> None:
    passwords = {new_password() for _ in range(100)}
    assert len(passwords) == 100
    assert all(len(password.replace("-", "")) == 20 for password in passwords)
