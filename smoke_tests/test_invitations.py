"""Invitations: to colleagues, to somebody new, to another organisation and from there (RFC 5546, RFC 6047)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from email.message import EmailMessage
from urllib.parse import urlparse

import pytest

from deploy.people import Directory
from deploy.report.evidence import Evidence
from smoke_tests.clients.imap import Imap
from smoke_tests.clients.waiting import wait_until
from smoke_tests.conftest import LabHost
from smoke_tests.groupware import TOMORROW, Calendar, CalendarOf, WebmailOf, answer, answered, event, guests, lines
from smoke_tests.people import Account, MailboxOf, People, Staff, letter
from smoke_tests.target import Organisation

pytestmark = pytest.mark.requirement("MBGROUPWARE-01")


def meeting(message: EmailMessage) -> tuple[str, str]:
    """Method and text of what a mail says about a meeting (RFC 6047, 2.4)."""
    for part in message.walk():
        if part.get_content_type() == "text/calendar":
            return str(part.get_param("method")).upper(), part.get_content()
    raise AssertionError(f"no meeting in {message['Subject']!r}")


def wait_for_meeting(inbox: Imap, uid: str, method: str) -> tuple[str, str]:
    """UID of the mail with such a message about an event, and its text."""

    def find() -> tuple[str, str] | None:
        for mail in inbox.search("SUBJECT", f'"{uid}"'):
            said, text = meeting(inbox.fetch(mail))
            if said == method:
                return mail, text
        return None

    return wait_until(find, f"a mail with {method} of {uid}")


def by_mail(sender: Account, to: Account, method: str, text: str, uid: str) -> EmailMessage:
    """A message about a meeting as other calendar programs send it."""
    message = letter(sender.address, to.address, subject=f"Overleg {uid}", name=sender.name)
    parameters = {"method": method, "charset": "utf-8"}
    message.add_alternative(text.encode(), maintype="text", subtype="calendar", params=parameters, cte="base64")
    return message


def test_a_colleague_accepts_and_the_organiser_sees_it(
    calendar_of: CalendarOf, anna: Account, bram: Account, mailbox_of: MailboxOf, evidence: Evidence
) -> None:
    hers, his = calendar_of(anna), calendar_of(bram)
    uid = secrets.token_hex(8)
    assert hers.put(uid, event(uid, f"Overleg {uid}", more=guests(anna, bram))).status == 201
    message = mailbox_of(bram).fetch(wait_for_meeting(mailbox_of(bram), uid, "REQUEST")[0])
    evidence.keep(
        "invitation.txt", f"{message['From']} -> {message['To']}: {message['Subject']}\n{meeting(message)[1]}"
    )
    assert anna.address in str(message["From"])

    invited = his.wait_for(uid)
    assert answer(invited, bram.address) == "NEEDS-ACTION"
    assert his.put(uid, answered(invited, bram.address, "ACCEPTED")).status in (200, 204)
    hers.wait_for_answer(uid, bram.address, "ACCEPTED")
    wait_for_meeting(mailbox_of(anna), uid, "REPLY")

    hers.remove(uid)
    wait_for_meeting(mailbox_of(bram), uid, "CANCEL")
    wait_until(lambda: not his.find(uid), "what is cancelled is gone")


@pytest.fixture
def nina(directory: Directory, home: Organisation, seat: str, lab_host: LabHost) -> Iterator[Account]:
    """Somebody new, who has never seen the groupware."""
    # somebody of that name may have had a calendar in another run
    lab_host(home.hosts["groupware"][0], f"runuser -u sogo -- sogo-tool remove {seat}-nina", check=False)
    with ExitStack() as stack:
        yield People(stack, directory, home, seat).person("nina", "Nina", "Nieuw")


def test_who_never_logged_in_finds_the_invitation(calendar_of: CalendarOf, anna: Account, nina: Account) -> None:
    hers = calendar_of(anna)
    there = f"/SOGo/dav/{nina.uid}/Calendar/personal/"
    wait_until(lambda: hers.dav.ask("PROPFIND", there, depth="0").status == 207, "she has a calendar", seconds=5)
    uid = secrets.token_hex(8)
    assert hers.put(uid, event(uid, f"Overleg {uid}", more=guests(anna, nina))).status == 201
    assert answer(Calendar.own(nina).wait_for(uid), nina.address) == "NEEDS-ACTION"
    hers.remove(uid)


def test_another_organisation_is_invited_and_answers(
    calendar_of: CalendarOf, webmail_of: WebmailOf, anna: Account, pieter: Account, mailbox_of: MailboxOf
) -> None:
    hers = calendar_of(anna)
    uid = secrets.token_hex(8)
    assert hers.put(uid, event(uid, f"Overleg {uid}", more=guests(anna, pieter))).status == 201
    asked = wait_for_meeting(mailbox_of(pieter), uid, "REQUEST")[1]
    assert answer(asked, pieter.address) == "NEEDS-ACTION"
    assert any(line.startswith("ORGANIZER") and line.endswith(anna.address) for line in lines(asked))

    text = event(uid, f"Overleg {uid}", more=guests(anna, pieter, answer="ACCEPTED"), method="REPLY")
    assert pieter.send(by_mail(pieter, anna, "REPLY", text, uid)).accepted
    mail, _ = wait_for_meeting(mailbox_of(anna), uid, "REPLY")
    webmail_of(anna).press(mail, "updateUserStatus")
    hers.wait_for_answer(uid, pieter.address, "ACCEPTED")

    hers.remove(uid)
    wait_for_meeting(mailbox_of(pieter), uid, "CANCEL")


def test_an_invitation_from_another_organisation_is_accepted_in_the_browser(
    calendar_of: CalendarOf, webmail_of: WebmailOf, anna: Account, pieter: Account, mailbox_of: MailboxOf
) -> None:
    uid = secrets.token_hex(8)
    text = event(uid, f"Overleg {uid}", more=guests(pieter, anna), method="REQUEST")
    assert pieter.send(by_mail(pieter, anna, "REQUEST", text, uid)).accepted
    mail, _ = wait_for_meeting(mailbox_of(anna), uid, "REQUEST")
    webmail_of(anna).press(mail, "accept")
    calendar_of(anna).wait_for_answer(uid, anna.address, "ACCEPTED")
    said = wait_for_meeting(mailbox_of(pieter), uid, "REPLY")[1]
    assert answer(said, anna.address) == "ACCEPTED"


@pytest.mark.requirement("MBGROUPWARE-06")
def test_an_invitation_carries_the_link_to_a_call(
    calendar_of: CalendarOf, webmail_of: WebmailOf, staff: Staff, mailbox_of: MailboxOf, evidence: Evidence
) -> None:
    browser = webmail_of(staff.anna)
    server = json.loads(browser.script("/jsonDefaults").text).get("SOGoCalendarJitsiBaseUrl")
    if "addJitsiUrl" not in browser.page("/Calendar/UIxAppointmentEditorTemplate").text:
        pytest.skip("no server for calls is configured (sogo_meeting_url)")
    assert urlparse(server).hostname.endswith(f".{staff.anna.organisation.domain}"), f"calls go to {server}"

    link = f"{server}/SOGo_meeting/{secrets.token_hex(8)}"  # as the page makes it up
    new = json.loads(browser.script("/Calendar/personal/newguid").text)
    title = f"Bellen {secrets.token_hex(8)}"
    saved = browser.script(f"/Calendar/{new['pid']}/{new['id']}/saveAsAppointment", {
        "summary": title, "startDate": f"{TOMORROW:%Y-%m-%d}", "startTime": "15:00", "endDate": f"{TOMORROW:%Y-%m-%d}",
        "endTime": "16:00", "destinationCalendar": "personal", "attachUrls": [{"value": link}], "isTransparent": 0,
        "attendees": [{"name": staff.bram.name, "email": staff.bram.address, "uid": staff.bram.uid,
                       "partstat": "needs-action", "role": "req-participant"}],
    })  # fmt: skip
    assert saved.status == 200, saved.text[:300]
    message = mailbox_of(staff.bram).fetch(mailbox_of(staff.bram).wait_for("SUBJECT", f'"{title}"'))
    _, text = meeting(message)
    evidence.keep("invitation.ics", text)
    uid = next(line.removeprefix("UID:") for line in lines(text) if line.startswith("UID:"))
    for seen in (text, calendar_of(staff.bram).wait_for(uid)):
        assert f"ATTACH:{link}" in lines(seen)
    calendar_of(staff.anna).remove(uid)
