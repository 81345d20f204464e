"""Filters and out-of-office notices, which users keep on the server themselves."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator

import pytest

from deploy.report.evidence import Evidence
from smoke_tests.clients import sieve
from smoke_tests.conftest import WrongPasswords
from smoke_tests.people import Account, MailboxOf, by_id, letter
from smoke_tests.target import Organisation

ABSENT = f"""require ["vacation"];
vacation :days 7 :handle "{secrets.token_hex(4)}" :subject "Afwezig" "Ik ben er niet; ik lees uw bericht op maandag.";
"""
FILED = """require ["fileinto", "mailbox"];
if header :contains "subject" "Nieuwsbrief" { fileinto :create "Nieuws"; }
"""


@pytest.fixture
def filters(clara: Account) -> Iterator[sieve.ManageSieve]:
    with contextlib.closing(sieve.log_in(clara.organisation.mail, clara.uid, clara.app_password)) as connection:
        yield connection
        connection.remove("rooktest")


@pytest.mark.requirement("MBGROUPWARE-08")
def test_an_absence_is_told_once_to_each_sender(
    filters: sieve.ManageSieve, clara: Account, bram: Account, mailbox_of: MailboxOf, evidence: Evidence
) -> None:
    filters.activate("rooktest", ABSENT)
    inbox, absent = mailbox_of(bram), mailbox_of(clara)
    for _ in range(2):
        message = letter(bram.address, clara.address)
        assert bram.send(message).accepted
        absent.wait_for(*by_id(message))
    uid = inbox.wait_for("SUBJECT", '"Afwezig"', "FROM", f'"{clara.address}"')
    notice = inbox.fetch(uid)
    evidence.keep("notice.eml", inbox.fetch_raw(uid))
    assert str(notice["Auto-Submitted"]).startswith("auto-replied")
    assert "maandag" in notice.get_content()
    # A mail from Clara that leaves after the second notice would have: when it is there, so is the notice.
    barrier = letter(clara.address, bram.address)
    assert clara.send(barrier).accepted
    inbox.wait_for(*by_id(barrier))
    assert inbox.search("SUBJECT", '"Afwezig"', "FROM", f'"{clara.address}"') == [uid]


def test_a_filter_sorts_mail_into_a_folder(
    filters: sieve.ManageSieve, clara: Account, bram: Account, mailbox_of: MailboxOf
) -> None:
    mailbox = mailbox_of(clara)
    mailbox.create("Nieuws")
    filters.activate("rooktest", FILED)
    message = letter(bram.address, clara.address, subject="Nieuwsbrief")
    assert bram.send(message).accepted
    mailbox.wait_for(*by_id(message), folder="Nieuws")
    assert mailbox.search(*by_id(message)) == []


def test_a_filter_with_a_mistake_is_refused(filters: sieve.ManageSieve) -> None:
    filters.activate("rooktest", FILED)
    with pytest.raises(sieve.SieveError, match=r"(?s)^PUTSCRIPT: NO.*"):
        filters.activate("rooktest", "fileinto;")
    assert filters.scripts() == ['"rooktest" ACTIVE']


def test_no_password_is_taken_before_encryption(home: Organisation, clara: Account) -> None:
    connection = sieve.ManageSieve(home.mail)
    try:
        assert connection.capabilities.get("SASL", "") == ""
        assert "STARTTLS" in connection.capabilities
        with pytest.raises(sieve.SieveError):
            connection.authenticate(clara.uid, "nobody's password")
    finally:
        connection.close()


def test_nobody_changes_filters_with_a_wrong_password(wrong_passwords: WrongPasswords) -> None:
    assert wrong_passwords["sieve"].startswith("AUTHENTICATE: NO")
