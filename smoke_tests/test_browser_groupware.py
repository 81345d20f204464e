"""Webmail and calendar in a real browser."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from deploy.report.evidence import Evidence
from smoke_tests.clients.browser import Visitor
from smoke_tests.clients.waiting import wait_until
from smoke_tests.groupware import CalendarOf, event
from smoke_tests.people import Account, MailboxOf, Staff, by_id, letter

_NEW_MAILBOX_SECONDS = 40


@pytest.mark.requirement("MBGROUPWARE-02")
def test_webmail_calendar_and_contacts_speak_dutch(visitor: Callable[[], Visitor], bram: Account) -> None:
    somebody = visitor()
    somebody.log_in(bram)
    page = somebody.open_webmail()
    for folder in ("Concepten", "Verzonden", "Prullenbak", "Ongewenst"):
        expect(somebody.folder(folder)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "nl")
    somebody.open_calendar()
    expect(page.get_by_role("paragraph").filter(has_text="Persoonlijke agenda").first).to_be_visible()
    expect(page.get_by_text("Woensdag", exact=True)).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "nl")
    page.get_by_role("link", name="Adresboek").click()
    expect(page.get_by_role("listitem", name="Persoonlijk adresboek")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "nl")


@pytest.mark.requirement("MBGROUPWARE-01")
def test_an_event_of_a_program_is_on_the_page(
    visitor: Callable[[], Visitor], calendar_of: CalendarOf, bram: Account
) -> None:
    uid = secrets.token_hex(8)
    assert calendar_of(bram).put(uid, event(uid, f"Van de telefoon {uid}")).status == 201
    somebody = visitor()
    somebody.log_in(bram)
    somebody.open_webmail()
    expect(somebody.open_calendar().get_by_role("button", name=f"Van de telefoon {uid}").first).to_be_visible()


@pytest.mark.requirement("MBGROUPWARE-01")
def test_an_event_made_on_the_page_is_on_the_telephone(
    visitor: Callable[[], Visitor], calendar_of: CalendarOf, bram: Account
) -> None:
    title = f"Uit de browser {secrets.token_hex(8)}"
    somebody = visitor()
    somebody.log_in(bram)
    somebody.open_webmail()
    page = somebody.open_calendar()
    page.get_by_role("button", name="Nieuwe afspraak").click()
    page.get_by_role("button", name="Maak een nieuwe afspraak").click()
    form = page.get_by_role("dialog")
    form.get_by_role("textbox", name="Titel").fill(title)
    form.get_by_role("button", name="Opslaan").click()
    expect(form).to_be_hidden()
    expect(page.get_by_role("button", name=title).first).to_be_visible()
    wait_until(lambda: any(title in text for text in calendar_of(bram).events().values()), "the event over CalDAV")


@pytest.mark.requirement("MBGROUPWARE-08")
def test_an_out_of_office_notice_is_switched_on_in_the_browser(
    visitor: Callable[[], Visitor], staff: Staff, bram: Account, mailbox_of: MailboxOf, evidence: Evidence
) -> None:
    daan, notice = staff.daan, f"Ik ben er niet {secrets.token_hex(8)}"
    somebody = visitor()
    somebody.log_in(daan)
    page = somebody.open_webmail()
    switch = somebody.open_absence().get_by_role("checkbox", name="Automatisch bericht bij afwezigheid inschakelen")
    switch.click()
    page.get_by_role("textbox", name="Automatisch eenmalig met het volgende bericht beantwoorden").fill(notice)
    somebody.save()
    evidence.keep("out of office.png", page.screenshot())
    message = letter(bram.address, daan.address)
    assert bram.send(message).accepted
    mailbox = mailbox_of(bram)
    answer = mailbox.fetch(mailbox.wait_for("HEADER", "In-Reply-To", f'"{message["Message-ID"]}"'))
    assert notice in answer.get_content()
    switch.click()
    somebody.save()


@pytest.mark.requirement("MBGROUPWARE-07")
def test_a_functional_mailbox_is_opened_in_the_browser(
    visitor: Callable[[], Visitor], staff: Staff, bram: Account, mailbox_of: MailboxOf
) -> None:
    message = letter(bram.address, staff.shared_address, subject="Vraag aan de balie")
    assert bram.send(message).accepted
    mailbox_of(staff.anna).wait_for(*by_id(message), folder=f"shared/{staff.shared}")
    somebody = visitor()
    page = somebody.log_in(staff.anna)
    others = page.get_by_role("listitem").filter(has=somebody.folder("Andere Gebruikers"))

    def listed() -> bool:
        somebody.open_webmail()
        return others.is_visible()

    wait_until(listed, "the mailboxes of others, complete again after a new one", seconds=_NEW_MAILBOX_SECONDS)
    others.get_by_role("checkbox").check()
    somebody.folder(staff.shared).click()
    page.get_by_role("button", name=str(message["Subject"])).click()
    expect(page.get_by_text("Dit bericht hoort bij een rooktest")).to_be_visible()
