"""A program of another maker: vdirsyncer keeps calendars and contacts in folders, both ways."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.report.evidence import Evidence
from smoke_tests.clients.dav import Dav
from smoke_tests.groupware import CalendarOf, event
from smoke_tests.people import Account

pytestmark = pytest.mark.requirement("MBGROUPWARE-01")

CONFIGURATION = """
[general]
status_path = "{here}/status"

[pair agenda]
a = "agenda_hier"
b = "agenda_daar"
collections = ["from b"]
implicit = "create"

[pair contacten]
a = "contacten_hier"
b = "contacten_daar"
collections = ["from b"]
implicit = "create"

[storage agenda_hier]
type = "filesystem"
path = "{here}/agenda"
fileext = ".ics"

[storage agenda_daar]
type = "caldav"
url = "https://{host}/"
username = "{user}"
password = "{password}"

[storage contacten_hier]
type = "filesystem"
path = "{here}/contacten"
fileext = ".vcf"

[storage contacten_daar]
type = "carddav"
url = "https://{host}/"
username = "{user}"
password = "{password}"
"""


class Folders:
    """Somebody's calendars and contacts in folders; `vdirsyncer` is told nothing but the host and who it is for."""

    def __init__(self, here: Path, account: Account) -> None:
        self.here = here
        host = account.organisation.served("groupware")
        text = CONFIGURATION.format(here=here, host=host, user=account.uid, password=account.app_password)
        (here / "config").write_text(text)

    def run(self, command: str) -> str:
        """One command of the program; what it said."""
        program = Path(sys.executable).with_name("vdirsyncer")
        done = subprocess.run(
            [program, "-c", self.here / "config", command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"vdirsyncer {command}: {done.stderr[-1000:] or done.stdout[-1000:]}"
        return done.stdout + done.stderr

    def file(self, kind: str, words: str) -> Path | None:
        """The file in which the words stand."""
        return next((path for path in (self.here / kind).glob("*/*") if words in path.read_text()), None)


@pytest.fixture
def folders(tmp_path: Path, anna: Account, evidence: Evidence) -> Folders:
    """Anna's, found from the well-known addresses."""
    made = Folders(tmp_path, anna)
    evidence.keep("discover.txt", made.run("discover"))
    return made


def test_calendars_are_synced_both_ways(calendar_of: CalendarOf, folders: Folders, anna: Account) -> None:
    calendar = calendar_of(anna)
    there, here = secrets.token_hex(8), secrets.token_hex(8)
    assert calendar.put(there, event(there, "Op de server gemaakt")).status == 201
    (folders.here / "agenda" / "personal" / f"{here}.ics").write_text(event(here, "In de map gemaakt"))
    folders.run("sync")
    file = folders.file("agenda", there)
    assert file
    assert "SUMMARY:Op de server gemaakt" in file.read_text()
    found = calendar.find(here)
    assert found
    assert "SUMMARY:In de map gemaakt" in found[1]

    file.unlink()
    calendar.remove(here)
    folders.run("sync")
    assert not calendar.find(there), "what was removed in the folder"
    assert not folders.file("agenda", here), "what was removed on the server"


@pytest.fixture
def book(anna: Account) -> Iterator[tuple[Dav, str]]:
    """Anna's address book: the connection and its path."""
    dav = Dav(anna.organisation.served("groupware"), anna.uid, anna.app_password)
    [path] = [path for path in dav.collections(dav.addressbook_home(), "card:addressbook") if "/personal" in path]
    yield dav, path
    for card in dav.properties(path, "d:getetag", depth="1"):
        if card.endswith(".vcf"):
            dav.ask("DELETE", card)


def card(uid: str, name: str) -> str:
    return "\r\n".join((
        "BEGIN:VCARD", "VERSION:3.0", f"UID:{uid}", f"N:Burger;{name};;;", f"FN:{name} Burger",
        "EMAIL;TYPE=work:burger@voorbeeld.example", "END:VCARD", "",
    ))  # fmt: skip


def test_contacts_are_synced_both_ways(book: tuple[Dav, str], folders: Folders) -> None:
    dav, path = book
    there, here = secrets.token_hex(8), secrets.token_hex(8)
    on_server = f"{path}{there}.vcf"
    assert dav.ask("PUT", on_server, card(there, "Bea"), kind="text/vcard; charset=utf-8").status == 201
    (folders.here / "contacten" / "personal" / f"{here}.vcf").write_text(card(here, "Carel"))
    folders.run("sync")
    file = folders.file("contacten", there)
    assert file
    assert "FN:Bea Burger" in file.read_text()
    found = [one for one in dav.properties(path, "d:getetag", depth="1") if here in one]
    assert found
    assert "FN:Carel Burger" in dav.ask("GET", found[0]).text

    file.unlink()
    folders.run("sync")
    assert dav.ask("GET", on_server).status == 404, "what was removed in the folder"
