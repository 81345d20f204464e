"""What a secretary can get wrong in a spreadsheet, and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.errors import Refused
from deploy.people.entries import Entry, Group, Mailbox, Person
from deploy.people.sheet import Taken, read

HEADER = "kind,uid,given_name,surname,mail,aliases,groups,quota"
EMPTY = Taken({}, {}, ())


def entries(tmp_path: Path, text: str | bytes, taken: Taken = EMPTY) -> list[Entry]:
    file = tmp_path / "people.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return [row.entry for row in read(file, "rijk.test", taken)]


def complaints(tmp_path: Path, text: str | bytes, taken: Taken = EMPTY) -> list[str]:
    with pytest.raises(Refused) as refused:
        entries(tmp_path, text, taken)
    return [str(finding).replace(f"{tmp_path}/", "") for finding in refused.value.findings]


def test_a_person_gets_the_first_address_from_the_uid(tmp_path: Path) -> None:
    assert entries(tmp_path, f"{HEADER}\nperson,anna,Anna,de Vries,,,,\n") == [
        Person("anna", "Anna", "de Vries", "anna@rijk.test")
    ]


def test_every_cell_arrives(tmp_path: Path) -> None:
    text = (
        f"{HEADER}\n"
        "group,team,,Team,team@rijk.test,,,\n"
        "person,bram,Bram,Jansen,Bram@rijk.test,b.jansen@rijk.test;jansen@rijk.test,team,5G\n"
        "mailbox,postkamer,,Postkamer,,post@rijk.test,team,500MB\n"
        "room,zaal,,Grote zaal,,,team,\n"
    )
    assert entries(tmp_path, text) == [
        Group("team", "Team", "team@rijk.test"),
        Person("bram", "Bram", "Jansen", "bram@rijk.test", ("b.jansen@rijk.test", "jansen@rijk.test"), ("team",), 5120),
        Mailbox("postkamer", "Postkamer", "postkamer@rijk.test", ("post@rijk.test",), ("team",), 500),
        Mailbox("zaal", "Grote zaal", "zaal@rijk.test", groups=("team",), kind="room"),
    ]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_a_dutch_office_program_saves_is_read(tmp_path: Path, bom: bytes, end: str) -> None:
    lines = ["kind;uid;given_name;surname;aliases", 'person;zoe;Zoë;van Öl;"z@rijk.test;ö@rijk.test"', ""]
    assert entries(tmp_path, bom + end.join(lines).encode()) == [
        Person("zoe", "Zoë", "van Öl", "zoe@rijk.test", ("z@rijk.test", "ö@rijk.test"))
    ]


def test_a_group_may_come_after_its_members_and_empty_lines_count_for_nothing(tmp_path: Path) -> None:
    text = f"{HEADER}\n\nperson,anna,Anna,A,,,team,\n,,,,,,,\ngroup,team,,Team,,,,\n"
    assert [entry.uid for entry in entries(tmp_path, text)] == ["anna", "team"]


def test_all_bad_lines_are_named_at_once_in_the_order_of_the_sheet(tmp_path: Path) -> None:
    text = "\n".join([
        HEADER,
        "person,Anna,Anna,A,,,,",
        "person,bram,Bram,B,bram@elders.test,,,",
        "persoon,carla,Carla,C,,,,",
        "person,dirk,Dirk,D,,,",
        "person,bram,Bram,B,b2@rijk.test,,,",
        "person,els,Els,E,b2@rijk.test,,,",
        "person,fien,Fien,F,,,tem,",
        "person,gijs,Gijs,,,,,",
        "person,hans,Hans,H,,geen adres,,",
        "person,ids,Ids,I,,,,veel",
        "group,team,,Team,,,andere,",
        "mailbox,post,,,,,team,",
        "person,jan,Jan,J,ján@rijk.test,,,",
    ])  # fmt: skip
    assert [line.split(";")[0] for line in complaints(tmp_path, text)] == [
        "people.csv:2: uid 'Anna' is not one",
        "people.csv:3: 'bram@elders.test' is not in the domain rijk.test",
        "people.csv:4: unknown kind 'persoon'",
        "people.csv:5: 7 columns where the first line has 8",
        "people.csv:6: uid 'bram' stands on line 3 already",
        "people.csv:7: b2@rijk.test stands on line 6 already",
        "people.csv:8: unknown group 'tem'",
        "people.csv:9: given_name and surname are both needed for a person",
        "people.csv:10: 'adres' is not a mail address",
        "people.csv:10: 'geen' is not a mail address",
        "people.csv:11: quota 'veel' is not a size",
        "people.csv:12: a group has neither groups nor a quota",
        "people.csv:13: a mailbox needs a name",
        "people.csv:14: 'ján@rijk.test' cannot be the first address",
    ]


def test_a_typing_error_gets_a_suggestion(tmp_path: Path) -> None:
    text = f"{HEADER}\nperson,anna,Anna,A,,,teem,\npersn,bram,Bram,B,,,,\ngroup,team,,Team,,,,\n"
    assert [line.partition("; ")[2] for line in complaints(tmp_path, text)] == [
        "did you mean 'team'?",
        "did you mean 'person'?",
    ]


def test_what_the_directory_has_already_is_not_given_away(tmp_path: Path) -> None:
    taken = Taken({"anna": "person", "post": "mailbox"}, {"anna@rijk.test": "anna", "a@rijk.test": "anna"}, {"oud"})
    text = f"{HEADER}\nperson,bram,Bram,B,,A@rijk.test,oud,\nperson,post,Piet,Ost,,p@rijk.test,,\n"
    assert complaints(tmp_path, text, taken) == [
        "people.csv:2: a@rijk.test belongs to 'anna' in the directory; choose another, or take it away there first",
        "people.csv:3: 'post' is a mailbox in the directory; choose another uid for this person",
    ]


def test_lines_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    text = f"{HEADER}\nperson,anna,Anna,A,,,,\n".encode() + b"person,zoe,Zo\xeb,Z,,,,\n"
    assert complaints(tmp_path, text) == [
        "people.csv:3: not UTF-8 (byte 14 of the line is 0xeb); save the sheet as 'CSV UTF-8'"
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "people.csv:1: the sheet is empty"),
        ("uid,given_name,surname\n", "people.csv:1: missing column kind"),
        ("kind,name\n", "people.csv:1: missing columns uid, given_name, surname"),
        (f"{HEADER},phone\n", "people.csv:1: unknown column 'phone'"),
        (f"{HEADER},uid\n", "people.csv:1: column 'uid' stands there twice"),
        (f'{HEADER}\nperson,"anna,Anna,A\n', "people.csv:2: not a line of CSV"),
    ],
)
def test_a_sheet_without_sense_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    assert any(line.startswith(complaint) for line in complaints(tmp_path, text))


def test_a_sheet_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be read"):
        read(tmp_path / "none.csv", "rijk.test", EMPTY)


def test_a_line_number_is_that_of_the_first_line_of_a_cell_with_a_break(tmp_path: Path) -> None:
    text = f'{HEADER}\nperson,anna,"Anna\nMaria",A,,,,\nperson,B,Bram,B,,,,\n'
    assert complaints(tmp_path, text)[0].startswith("people.csv:4: uid 'B'")
