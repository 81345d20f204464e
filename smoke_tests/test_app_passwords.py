"""Programs and telephones have passwords of their own, so that they are no way around the second factor."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from deploy.people import Directory
from smoke_tests.clients.dav import Dav
from smoke_tests.clients.imap import ImapError
from smoke_tests.clients.portal import Portal
from smoke_tests.clients.waiting import wait_until
from smoke_tests.groupware import event, guests
from smoke_tests.people import Account, MailboxOf, People
from smoke_tests.target import Organisation
from smoke_tests.ways_in import CALENDAR, MAIL, MOBILE, all_ways, open_ways, with_password


@pytest.fixture(scope="module")
def people(directory: Directory, home: Organisation, seat: str) -> Iterator[People]:
    """Whoever hires people of the test's own."""
    with ExitStack() as stack:
        yield People(stack, directory, home, seat)


@pytest.fixture(scope="module")
def gijs(people: People) -> Account:
    """Somebody with several programs."""
    return people.person("gijs", "Gijs", "Proef")


@pytest.fixture(scope="module")
def agenda(people: People, gijs: Account) -> Account:
    """Gijs, as his calendar program knows him."""
    return people.let_in(gijs, "agenda", ["calendar"])


@pytest.fixture(scope="module")
def opened(people: People, gijs: Account, agenda: Account, directory: Directory) -> Mapping[str, frozenset[str]]:
    """The ways that each password opens. All at once: a server takes its time with whoever is wrong."""
    withdrawn = people.let_in(gijs, "verloren telefoon")
    connection = withdrawn.imap()
    time.sleep(1)  # changes within a third of a second count as one
    directory.remove_device(gijs.uid, "verloren telefoon")
    wait_until(lambda: not connection.alive, "the connection that it opened ends")
    passwords = {
        "everything": gijs,
        "mail": people.let_in(gijs, "laptop", ["mail"]),
        "calendar": agenda,
        "mobile": people.let_in(gijs, "telefoon", ["mobile"]),
        "portal": with_password(gijs, gijs.password),
        "withdrawn": withdrawn,
    }
    with ThreadPoolExecutor(len(passwords)) as pool:
        return dict(zip(passwords, pool.map(open_ways, passwords.values()), strict=True))


def test_one_password_can_be_for_everything(opened: Mapping[str, frozenset[str]], gijs: Account) -> None:
    assert opened["everything"] == all_ways(gijs)


@pytest.mark.requirement("MBPORTAL-02")
def test_the_portals_password_opens_no_program(home: Organisation, opened: Mapping[str, frozenset[str]]) -> None:
    if home.directory_password:
        pytest.skip("the inventory lets programs say it")
    assert opened["portal"] == frozenset()


@pytest.mark.parametrize(("use", "ways"), [("mail", MAIL), ("calendar", CALENDAR), ("mobile", MOBILE)])
def test_a_password_opens_what_it_is_for_and_nothing_else(
    opened: Mapping[str, frozenset[str]], gijs: Account, use: str, ways: frozenset[str]
) -> None:
    assert opened[use] == ways & all_ways(gijs)


def test_a_withdrawn_password_is_out_at_once(opened: Mapping[str, frozenset[str]]) -> None:
    assert opened["withdrawn"] == frozenset()


def test_the_address_is_as_good_as_the_name_for_a_calendar(home: Organisation, agenda: Account) -> None:
    dav = Dav(home.served("groupware"), agenda.address, agenda.app_password)
    assert dav.principal("caldav").rstrip("/").endswith(f"/{agenda.uid}")


def test_a_calendar_program_invites_though_it_reads_no_mail(
    home: Organisation, agenda: Account, bram: Account, mailbox_of: MailboxOf
) -> None:
    dav = Dav(home.served("groupware"), agenda.uid, agenda.app_password)
    uid = secrets.token_hex(8)
    body = event(uid, f"Overleg {uid}", more=guests(agenda, bram))
    path = f"{dav.calendar_home()}personal/{uid}.ics"
    assert dav.ask("PUT", path, body, kind="text/calendar; charset=utf-8").status == 201
    mailbox_of(bram).wait_for("SUBJECT", f'"{uid}"')


def test_somebody_makes_and_withdraws_a_password_at_the_portal(
    home: Organisation, people: People, directory: Directory
) -> None:
    hanna = people.person("hanna", "Hanna", "Proef")
    portal = Portal(home.served("sso"))
    assert portal.page("/devices").status == 302, "to the log-in page"
    portal.log_in(hanna.uid, hanna.password)

    form = {"name": "Téléfoon <1>", "for_mail": "1"}
    made = portal.page("/devices", {**form, "token": portal.page("/devices").hidden("token")})
    [password] = re.findall(r'id="device-password">([^<]+)<', made.text)
    assert "Téléfoon &lt;1&gt;" in made.text
    with_password(hanna, password).imap().close()
    assert password not in portal.page("/devices").text, "shown once"

    used = portal.page("/devices", {"name": "nog een", "for_mail": "1", "token": "0" * 64})
    assert "bswFormUsed" in used.text, "a form of somebody else's page is not taken"
    withdrawn = portal.page("/devices", {"name": "Téléfoon <1>", "withdraw": "1", "token": used.hidden("token")})
    assert "bswWithdrawn" in withdrawn.text
    assert [device.name for device in directory.devices(hanna.uid)] == ["rooktest"]
    with pytest.raises(ImapError):
        with_password(hanna, password).imap()
