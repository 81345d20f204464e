"""Calendars: as a program, as a telephone, and at the door for browsers."""

from __future__ import annotations

import datetime
import re
import secrets
from collections.abc import Callable, Iterator
from urllib.parse import urlparse

import pytest

from deploy.people import new_password
from deploy.report.evidence import Evidence
from smoke_tests.clients import http
from smoke_tests.clients.dav import Dav
from smoke_tests.clients.waiting import wait_until
from smoke_tests.people import Account, MailboxOf, Staff
from smoke_tests.target import Organisation

ONE_DAY = datetime.timedelta(1)
TOMORROW = datetime.datetime.now(datetime.UTC).replace(hour=9, minute=0, second=0, microsecond=0) + ONE_DAY


def stamp(moment: datetime.datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")


def event(uid: str, title: str, *, more: tuple[str, ...] = (), begin: datetime.datetime = TOMORROW) -> str:
    """An event of an hour (RFC 5545)."""
    return "\r\n".join((
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//rooktest//nl", "BEGIN:VEVENT", f"UID:{uid}",
        f"DTSTAMP:{stamp(datetime.datetime.now(datetime.UTC))}", f"DTSTART:{stamp(begin)}",
        f"DTEND:{stamp(begin + datetime.timedelta(hours=1))}", f"SUMMARY:{title}", *more, "END:VEVENT",
        "END:VCALENDAR", "",
    ))  # fmt: skip


Calendar = tuple[Dav, str]


@pytest.fixture(scope="module")
def calendar_of(home: Organisation) -> Iterator[Callable[[Account], Calendar]]:
    """Somebody's calendar: the connection and its path; what the tests put there goes at the end."""
    opened: dict[str, Calendar] = {}

    def of(account: Account) -> Calendar:
        if account.uid not in opened:
            dav = Dav(home.served("groupware"), account.uid, account.app_password)
            opened[account.uid] = (dav, dav.collections(dav.calendar_home(), "cal:calendar")[0])
        return opened[account.uid]

    yield of
    for dav, path in opened.values():
        for found in dav.properties(path, "d:getetag", depth="1"):
            if urlparse(found).path.endswith(".ics"):
                dav.ask("DELETE", urlparse(found).path)


@pytest.mark.requirement("MBGROUPWARE-01")
def test_an_event_is_made_read_changed_and_removed(
    calendar_of: Callable[[Account], Calendar], staff: Staff, evidence: Evidence
) -> None:
    dav, calendar = calendar_of(staff.anna)
    uid = secrets.token_hex(8)
    path = f"{calendar.rstrip('/')}/{uid}.ics"
    assert dav.ask("PUT", path, event(uid, "Proefoverleg"), kind="text/calendar; charset=utf-8").status == 201
    seen = dav.ask("GET", path)
    evidence.keep("event.ics", seen.body)
    assert "SUMMARY:Proefoverleg" in seen.text
    assert dav.ask("PUT", path, event(uid, "Verzet"), kind="text/calendar; charset=utf-8").status in (200, 204)
    window = f'<cal:time-range start="{stamp(TOMORROW - ONE_DAY)}" end="{stamp(TOMORROW + ONE_DAY)}"/>'
    found = dav.report(
        calendar, "cal:calendar-query",
        "<d:prop><d:getetag/><cal:calendar-data/></d:prop><cal:filter><cal:comp-filter name='VCALENDAR'>"
        f"<cal:comp-filter name='VEVENT'>{window}</cal:comp-filter></cal:comp-filter></cal:filter>",
    )  # fmt: skip
    texts = [one.findtext("{urn:ietf:params:xml:ns:caldav}calendar-data", "") for one in found.values()]
    assert [text for text in texts if uid in text and "SUMMARY:Verzet" in text]
    assert dav.ask("DELETE", path).status in (200, 204)
    assert dav.ask("GET", path).status == 404


@pytest.mark.requirement("MBGROUPWARE-01")
def test_a_colleague_is_invited_by_mail_and_is_then_busy(
    calendar_of: Callable[[Account], Calendar], anna: Account, bram: Account, mailbox_of: MailboxOf, evidence: Evidence
) -> None:
    calendar_of(bram)  # a calendar comes about when its owner first looks
    dav, calendar = calendar_of(anna)
    inbox = mailbox_of(bram)
    uid = secrets.token_hex(8)
    guests = (
        f"ORGANIZER;CN=Anna Proef:mailto:{anna.address}",
        f"ATTENDEE;CN=Anna Proef;PARTSTAT=ACCEPTED:mailto:{anna.address}",
        f"ATTENDEE;CN=Bram Proef;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{bram.address}",
    )
    title = f"Uitnodiging {uid}"
    path = f"{calendar.rstrip('/')}/{uid}.ics"
    written = dav.ask("PUT", path, event(uid, title, more=guests), kind="text/calendar; charset=utf-8")
    assert written.status == 201, written.status
    message = inbox.fetch(inbox.wait_for("SUBJECT", f'"{uid}"'))
    kinds = {part.get_content_type() for part in message.walk()}
    evidence.keep("invitation.txt", f"{message['From']} -> {message['To']}: {message['Subject']}\n{kinds}\n")
    assert anna.address in str(message["From"])
    assert "text/calendar" in kinds or "application/ics" in kinds

    def busy() -> bool:
        asked = (
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//rooktest//nl\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\n"
            f"UID:{secrets.token_hex(8)}\r\nDTSTAMP:{stamp(datetime.datetime.now(datetime.UTC))}\r\n"
            f"DTSTART:{stamp(TOMORROW - ONE_DAY)}\r\nDTEND:{stamp(TOMORROW + ONE_DAY)}\r\n"
            f"ORGANIZER:mailto:{bram.address}\r\nATTENDEE:mailto:{anna.address}\r\n"
            "END:VFREEBUSY\r\nEND:VCALENDAR\r\n"
        )
        other, own = calendar_of(bram)
        answer = other.ask("POST", own, asked, kind="text/calendar")
        assert answer.status == 200, answer.status
        return stamp(TOMORROW) in answer.text

    wait_until(busy, "Anna is busy at that hour")
    assert dav.ask("DELETE", path).status in (200, 204)


@pytest.mark.parametrize("path", ["/SOGo/dav/", "/Microsoft-Server-ActiveSync"])
def test_programs_need_a_password(home: Organisation, anna: Account, path: str) -> None:
    host = home.served("groupware")
    assert http.ask("PROPFIND" if "dav" in path else "OPTIONS", host, path).status == 401
    wrong = http.ask("PROPFIND" if "dav" in path else "OPTIONS", host, path, login=(anna.uid, new_password()))
    assert wrong.status == 401


@pytest.mark.requirement("MBGROUPWARE-01")
def test_a_telephone_finds_its_protocol(home: Organisation, anna: Account) -> None:
    path = "/Microsoft-Server-ActiveSync"
    response = http.ask("OPTIONS", home.served("groupware"), path, login=(anna.uid, anna.app_password))
    assert response.status == 200
    assert "14.1" in response.headers["ms-asprotocolversions"]
    assert "FolderSync" in response.headers["ms-asprotocolcommands"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://voorbeeld.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://voorbeeld.example"},
        {"Origin": "null"},
    ],
    ids=["another site", "another name of ours", "old browser", "hidden origin"],
)
def test_another_site_cannot_act_for_somebody(home: Organisation, headers: dict[str, str]) -> None:
    host = home.served("groupware")
    path = "/SOGo/so/iemand/Mail/0/folderINBOX/expunge"
    cookie = {"Cookie": "0xHIGHFLYxSOGo=x", "Content-Type": "text/plain"}
    assert http.ask("POST", host, path, "{}", headers=cookie | headers).status == 403
    own = {"Sec-Fetch-Site": "same-origin", "Origin": f"https://{host}"}
    assert http.ask("POST", host, path, "{}", headers=cookie | own).status != 403, "the counterpart: our own page may"


def test_nobody_says_at_the_door_who_they_are(home: Organisation, anna: Account) -> None:
    said = {"x-webobjects-remote-user": anna.uid}
    assert http.ask("PROPFIND", home.served("groupware"), f"/SOGo/dav/{anna.uid}/", headers=said).status == 401
    page = http.ask("GET", home.served("groupware"), f"/SOGo/so/{anna.uid}/Calendar/view", headers=said)
    assert not re.search("0xHIGHFLYxSOGo=(?!discard)", page.headers.get("set-cookie", ""))
    assert page.status != 200 or anna.name not in page.text


@pytest.mark.requirement("MBGROUPWARE-02")
def test_a_browser_is_sent_to_the_portal(home: Organisation) -> None:
    host = home.served("groupware")
    here, portal = "/SOGo/", home.served("sso")
    for _ in range(4):
        response = http.get(host, here)
        assert response.status in (301, 302, 303, 307), f"{here}: {response.status}"
        location = urlparse(response.headers["location"])
        if location.hostname == portal:
            break
        here = location.path
    assert location.hostname == portal
    assert "client_id=sogo" in location.query
    assert "state=" in location.query
