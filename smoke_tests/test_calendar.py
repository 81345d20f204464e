"""Calendars: as a program, as a telephone, and at the door for browsers."""

from __future__ import annotations

import datetime
import re
import secrets
from urllib.parse import urlparse

import pytest

from deploy.report.evidence import Evidence
from smoke_tests.clients import http
from smoke_tests.clients.waiting import wait_until
from smoke_tests.groupware import ONE_DAY, TOMORROW, CalendarOf, event, stamp
from smoke_tests.people import Account
from smoke_tests.target import Organisation


@pytest.mark.requirement("MBGROUPWARE-01")
def test_an_event_is_made_read_changed_and_removed(calendar_of: CalendarOf, anna: Account, evidence: Evidence) -> None:
    calendar = calendar_of(anna)
    uid = secrets.token_hex(8)
    path = f"{calendar.path}{uid}.ics"
    assert calendar.put(uid, event(uid, "Proefoverleg")).status == 201
    seen = calendar.dav.ask("GET", path)
    evidence.keep("event.ics", seen.body)
    assert "SUMMARY:Proefoverleg" in seen.text
    assert calendar.put(uid, event(uid, "Verzet")).status in (200, 204)
    window = f'<cal:time-range start="{stamp(TOMORROW - ONE_DAY)}" end="{stamp(TOMORROW + ONE_DAY)}"/>'
    texts = calendar.events(window).values()
    assert [text for text in texts if uid in text and "SUMMARY:Verzet" in text]
    calendar.remove(uid)
    assert calendar.dav.ask("GET", path).status == 404


@pytest.mark.requirement("MBGROUPWARE-01")
def test_a_colleague_sees_when_somebody_is_busy(calendar_of: CalendarOf, anna: Account, bram: Account) -> None:
    other = calendar_of(bram)
    uid = secrets.token_hex(8)
    begin = TOMORROW + 3 * ONE_DAY
    asked = "\r\n".join((
        "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//rooktest//nl", "METHOD:REQUEST", "BEGIN:VFREEBUSY", f"UID:{uid}",
        f"DTSTAMP:{stamp(datetime.datetime.now(datetime.UTC))}", f"DTSTART:{stamp(begin - ONE_DAY)}",
        f"DTEND:{stamp(begin + ONE_DAY)}", f"ORGANIZER:mailto:{bram.address}", f"ATTENDEE:mailto:{anna.address}",
        "END:VFREEBUSY", "END:VCALENDAR", "",
    ))  # fmt: skip

    def busy() -> bool:
        response = other.dav.ask("POST", other.path, asked, kind="text/calendar")
        assert response.status == 200, response.status
        return stamp(begin) in response.text

    assert not busy()
    assert calendar_of(anna).put(uid, event(uid, "Bezet", begin=begin)).status == 201
    wait_until(busy, "Anna is busy at that hour")


@pytest.mark.parametrize(("method", "path"), [("PROPFIND", "/SOGo/dav/"), ("OPTIONS", "/Microsoft-Server-ActiveSync")])
def test_programs_need_a_password(home: Organisation, method: str, path: str) -> None:
    assert http.ask(method, home.served("groupware"), path).status == 401


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
