"""Webmail: from the portal into the mailbox, without a password of its own."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any
from urllib.parse import urlparse

import pytest

from smoke_tests.clients.portal import Page, Portal
from smoke_tests.people import Account, MailboxOf, Staff, by_id, letter
from smoke_tests.target import Organisation


class Webmail:
    """A browser in which somebody came from the portal to the groupware."""

    def __init__(self, home: Organisation, account: Account) -> None:
        self.account = account
        self.host = home.served("groupware")
        self.browser = Portal(self.host)  # the same kind of browser, at another name
        self.portal = Portal(home.served("sso"))

    def enter(self) -> Page:
        """Follow the way from the groupware over the portal and back."""
        self.portal.log_in(self.account.uid, self.account.password)
        browsers = {self.host: self.browser, self.portal.host: self.portal}
        here = f"https://{self.host}/SOGo/"
        for _ in range(10):
            at = urlparse(here)
            page = browsers[str(at.hostname)].page(at.path + (f"?{at.query}" if at.query else ""))
            if page.status not in (301, 302, 303, 307):
                return page
            here = page.headers["location"]
            if here.startswith("/"):
                here = f"https://{at.hostname}{here}"
        raise AssertionError(f"led around in circles, last to {urlparse(here).path}")

    def script(self, path: str, question: object = None) -> Page:
        """What the page's script asks for."""
        headers = {"Content-Type": "application/json", "Accept": "application/json", "Origin": f"https://{self.host}"}
        data = None if question is None else json.dumps(question)
        return self.browser.page(f"/SOGo/so/{self.account.uid}{path}", headers=headers, body=data)


@pytest.fixture(scope="module")
def webmail(home: Organisation, anna: Account) -> Webmail:
    """Anna, come in through the portal."""
    found = Webmail(home, anna)
    assert found.enter().status == 200
    return found


@pytest.mark.requirement("MBGROUPWARE-01")
@pytest.mark.requirement("MBGROUPWARE-02")
@pytest.mark.parametrize("page", ["Mail", "Calendar", "Contacts", "Preferences"])
def test_who_comes_from_the_portal_is_in_and_reads_dutch(webmail: Webmail, page: str) -> None:
    seen = webmail.browser.page(f"/SOGo/so/{webmail.account.uid}/{page}/view" if page != "Preferences" else
                                f"/SOGo/so/{webmail.account.uid}/Preferences")  # fmt: skip
    assert seen.status == 200
    assert 'lang="nl"' in seen.text


def test_a_page_names_no_host_but_our_own(webmail: Webmail, home: Organisation) -> None:
    seen = webmail.browser.page(f"/SOGo/so/{webmail.account.uid}/Mail/view")
    loaded = re.findall(r"""<(?:script|img|link|iframe)[^>]*?\s(?:src|href)=["'](?:https?:)?//([^/"']+)""", seen.text)
    assert set(loaded) <= {home.served("groupware")}
    assert "default-src 'self'" in seen.headers["content-security-policy"]


def test_the_session_is_for_this_site_alone(webmail: Webmail) -> None:
    [cookie] = [cookie for cookie in webmail.browser.cookies if cookie.name.startswith("0x")]
    assert cookie.secure
    assert cookie.has_nonstandard_attr("HttpOnly")
    assert cookie.get_nonstandard_attr("SameSite") == "Lax"


def test_another_site_cannot_use_the_session(webmail: Webmail) -> None:
    path = f"/SOGo/so/{webmail.account.uid}/Mail/0/folderINBOX/view"
    for foreign in ({"Origin": "https://voorbeeld.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert webmail.browser.page(path, headers=foreign, body="{}").status == 403
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
