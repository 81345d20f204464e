"""Webmail: from the portal into the mailbox, without a password of its own."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

import pytest

from smoke_tests.groupware import Webmail, WebmailOf
from smoke_tests.people import Account, MailboxOf, Staff, by_id, letter
from smoke_tests.target import Organisation


@pytest.fixture(scope="module")
def webmail(webmail_of: WebmailOf, anna: Account) -> Webmail:
    """Anna, come in through the portal."""
    return webmail_of(anna)


@pytest.mark.requirement("MBGROUPWARE-01")
@pytest.mark.requirement("MBGROUPWARE-02")
@pytest.mark.parametrize("page", ["Mail", "Calendar", "Contacts", "Preferences"])
def test_who_comes_from_the_portal_is_in_and_reads_dutch(webmail: Webmail, page: str) -> None:
    seen = webmail.page("/Preferences" if page == "Preferences" else f"/{page}/view")
    assert seen.status == 200
    assert 'lang="nl"' in seen.text
    assert "Uitloggen" in seen.text


def test_a_page_names_no_host_but_our_own(webmail: Webmail, home: Organisation) -> None:
    seen = webmail.page("/Mail/view")
    loaded = re.findall(r"""<(?:script|img|link|iframe)[^>]*?\s(?:src|href)=["'](?:https?:)?//([^/"']+)""", seen.text)
    assert set(loaded) <= {home.served("groupware")}
    assert "default-src 'self'" in seen.headers["content-security-policy"]


def test_the_session_is_for_this_site_alone(webmail: Webmail) -> None:
    [cookie] = [cookie for cookie in webmail.browser.cookies if cookie.name.startswith("0x")]
    assert cookie.secure
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"


def test_another_site_cannot_use_the_session(webmail: Webmail) -> None:
    for foreign in ({"Origin": "https://voorbeeld.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert webmail.page("/Mail/0/folderINBOX/view", foreign, "{}").status == 403
    assert webmail.script("/Mail/0/folderINBOX/view", {}).status == 200, "the counterpart: our own page may"


@pytest.mark.requirement("MBGROUPWARE-09")
@pytest.mark.requirement("MBGROUPWARE-07")
def test_the_mailbox_opens_without_another_password(webmail: Webmail, staff: Staff) -> None:
    def names(folders: list[dict[str, Any]]) -> list[str]:
        return [name for one in folders for name in (one["path"], *names(one["children"]))]

    found = names(json.loads(webmail.script("/Mail/0/view").text)["mailboxes"])
    assert {"INBOX", "Drafts", "Sent", "Junk", "Trash"} <= set(found)
    assert f"shared/{staff.shared}" in found


@pytest.mark.requirement("MBGROUPWARE-01")
def test_a_mail_is_written_in_the_browser(webmail: Webmail, bram: Account, mailbox_of: MailboxOf) -> None:
    title = f"Uit de browser {secrets.token_hex(8)}"
    draft = json.loads(webmail.script("/Mail/0/compose").text)
    path = f"/Mail/{draft['accountId']}/folder{draft['mailboxPath']}/{draft['draftId']}"
    text = {"from": webmail.account.address, "to": [bram.address], "subject": title, "text": "Dag Bram, tot morgen.",
            "isHTML": 0}  # fmt: skip
    sent = webmail.script(f"{path}/send", text)
    assert sent.status == 200, sent.text[:300]
    inbox = mailbox_of(bram)
    message = inbox.fetch(inbox.wait_for("SUBJECT", f'"{title}"'))
    assert webmail.account.address in str(message["From"])
    assert "tot morgen" in message.get_content()
    waiting = json.loads(webmail.script("/Mail/0/folderSent/view", {}).text)
    assert waiting["uids"], "a copy is in the folder of what was sent"


def test_a_mail_is_read_in_the_browser(webmail: Webmail, bram: Account, mailbox_of: MailboxOf) -> None:
    message = letter(bram.address, webmail.account.address)
    assert bram.send(message).accepted
    mailbox_of(webmail.account).wait_for(*by_id(message))
    assert str(message["Subject"]) in webmail.script("/Mail/0/folderINBOX/view", {}).text


def test_without_the_portal_nobody_is_in(home: Organisation, anna: Account) -> None:
    nobody = Webmail(home, anna)
    assert "mailboxes" not in nobody.script("/Mail/0/view").text
    assert "calendars" not in nobody.script("/Calendar/calendarslist").text
