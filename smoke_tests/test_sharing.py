"""Calendars of others: to read, to write for them; and an invitation that goes to somebody else."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping

import pytest
from playwright.sync_api import expect

from smoke_tests.clients.browser import Visitor
from smoke_tests.clients.waiting import wait_until
from smoke_tests.groupware import Calendar, CalendarOf, Webmail, WebmailOf, answer, event, guests
from smoke_tests.people import Account, MailboxOf, Staff

pytestmark = pytest.mark.requirement("MBGROUPWARE-01")

Rights = Mapping[str, str | int]
READ: Rights = {"Public": "Viewer"}
WRITE: Rights = {"Public": "Modifier", "canCreateObjects": 1, "canEraseObjects": 1}
NOTHING: Rights = {"Public": "None", "Confidential": "None", "Private": "None"}

Share = Callable[[Rights], None]


@pytest.fixture
def share(webmail_of: WebmailOf, anna: Account, bram: Account) -> Iterator[Share]:
    """Anna lets Bram into her calendar, as the page's dialog does it; for the time of the test."""

    def ask(path: str, question: object = None) -> None:
        done = webmail_of(anna).script(f"/Calendar/personal/{path}", question)
        assert done.status in (200, 204), f"{path}: {done.status} {done.text[:200]}"

    def let_in(rights: Rights) -> None:
        ask(f"addUserInAcls?uid={bram.uid}")
        ask("saveUserRights", [{"uid": bram.uid, "userClass": "normal-user", "rights": {**NOTHING, **rights}}])
        ask(f"subscribeUsers?uids={bram.uid}")

    def shut() -> None:
        ask(f"removeUserFromAcls?uid={bram.uid}")
        webmail_of(bram).script(f"/Calendar/{anna.uid}_personal/unsubscribe")

    shut()  # what a run left that was killed
    yield let_in
    shut()


def test_a_shared_calendar_is_read_but_not_written(
    calendar_of: CalendarOf, share: Share, anna: Account, bram: Account
) -> None:
    hers, his = calendar_of(anna), calendar_of(bram)
    uid = secrets.token_hex(8)
    assert hers.put(uid, event(uid, f"Overleg {uid}")).status == 201
    closed = Calendar(his.dav, hers.path).events()[f"{hers.path}{uid}.ics"]
    assert "DTSTART" in closed, "whoever may not read it sees that she is busy"
    assert uid not in closed

    def listed() -> list[str]:
        return [path for path in his.dav.collections(his.dav.calendar_home(), "cal:calendar") if anna.uid in path]

    wait_until(lambda: not listed(), "it is not among his calendars")
    share(READ)
    [beside] = wait_until(listed, "it is among his calendars")
    seen = Calendar(his.dav, beside)
    assert f"Overleg {uid}" in seen.wait_for(uid)
    assert seen.dav.ask("DELETE", f"{seen.path}{uid}.ics").status == 403
    other = secrets.token_hex(8)
    assert seen.dav.ask("PUT", f"{seen.path}{other}.ics", event(other, "Van Bram"), kind="text/calendar").status == 403


def test_a_deputy_writes_in_the_calendar(calendar_of: CalendarOf, share: Share, anna: Account, bram: Account) -> None:
    hers = calendar_of(anna)
    seen = Calendar(calendar_of(bram).dav, hers.path)
    uid = secrets.token_hex(8)
    assert seen.dav.ask("PUT", f"{seen.path}{uid}.ics", event(uid, "Van Bram"), kind="text/calendar").status == 403
    share(WRITE)
    wait_until(lambda: seen.put(uid, event(uid, "Van Bram")).status == 201, "he may write")
    assert "SUMMARY:Van Bram" in hers.wait_for(uid)
    seen.remove(uid)
    assert not hers.find(uid)


def test_an_invitation_is_passed_on(
    calendar_of: CalendarOf, webmail_of: WebmailOf, staff: Staff, mailbox_of: MailboxOf
) -> None:
    hers = calendar_of(staff.anna)
    uid = secrets.token_hex(8)
    assert hers.put(uid, event(uid, f"Overleg {uid}", more=guests(staff.anna, staff.bram))).status == 201
    mail = mailbox_of(staff.bram).wait_for("SUBJECT", f'"{uid}"')
    webmail_of(staff.bram).press(mail, "delegate", {"receiveUpdates": False, "delegatedTo": staff.clara.address})
    text = hers.wait_for_answer(uid, staff.bram.address, "DELEGATED")
    assert answer(text, staff.clara.address) == "NEEDS-ACTION"
    assert calendar_of(staff.clara).wait_for(uid)
    hers.remove(uid)


@pytest.mark.requirement("MBGROUPWARE-07")
def test_mail_is_shared_by_functional_mailboxes_only(webmail_of: WebmailOf, anna: Account, bram: Account) -> None:
    page: Webmail = webmail_of(anna)
    assert "share()" not in page.page("/Mail/view").text
    wish = [{"uid": bram.uid, "userClass": "normal-user", "rights": {"userCanReadMails": 1}}]
    assert page.script("/Mail/0/folderINBOX/saveUserRights", wish).status == 403


def test_nobody_is_offered_to_delegate_a_mailbox(visitor: Callable[[], Visitor], bram: Account) -> None:
    somebody = visitor()
    somebody.log_in(bram)
    page = somebody.open_webmail()
    page.locator(".sg-account-section md-menu md-icon").first.click()
    expect(page.get_by_role("menuitem", name="Nieuwe map")).to_be_visible()
    expect(page.get_by_text("Delegeren")).to_have_count(1)  # so the test would see it
    expect(page.get_by_text("Delegeren")).to_be_hidden()
