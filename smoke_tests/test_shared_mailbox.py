"""A functional mailbox belongs to a team: its members read and write it, nobody else sees it."""

from __future__ import annotations

import pytest

from deploy.people import Directory
from smoke_tests.clients.imap import Imap, ImapError
from smoke_tests.clients.waiting import wait_until
from smoke_tests.conftest import WrongPasswords
from smoke_tests.people import MailboxOf, Staff, by_id, letter

pytestmark = pytest.mark.requirement("MBGROUPWARE-07")


def shared_folder(mailbox: Imap, staff: Staff) -> str | None:
    """The team's folder as a member sees it."""
    return next((name for name in mailbox.folders() if name.endswith(f"/{staff.shared}")), None)


@pytest.fixture
def folder(staff: Staff, mailbox_of: MailboxOf) -> str:
    return wait_until(lambda: shared_folder(mailbox_of(staff.anna), staff), "Anna sees the mailbox of her team")


def test_a_member_reads_what_comes_to_the_team(staff: Staff, folder: str, mailbox_of: MailboxOf) -> None:
    message = letter(staff.bram.address, staff.shared_address)
    assert staff.bram.send(message).accepted
    anna = mailbox_of(staff.anna)
    uid = anna.wait_for(*by_id(message), folder=folder)
    assert anna.fetch(uid, folder)["Subject"] == message["Subject"]
    anna.flag(uid, "\\Answered", folder)
    assert anna.search("ANSWERED", *by_id(message), folder=folder) == [uid]


def test_who_is_not_in_the_team_sees_nothing(staff: Staff, folder: str, mailbox_of: MailboxOf) -> None:
    bram = mailbox_of(staff.bram)
    assert shared_folder(bram, staff) is None
    with pytest.raises(ImapError):
        bram.select(folder)


def test_a_member_sends_as_the_team(staff: Staff, mailbox_of: MailboxOf) -> None:
    message = letter(staff.shared_address, staff.bram.address, name="Proefbalie")
    reply = staff.anna.send(message, sender=staff.shared_address)
    assert reply.accepted, reply
    bram = mailbox_of(staff.bram)
    received = bram.fetch(bram.wait_for(*by_id(message)))
    assert str(received["From"]) == f"Proefbalie <{staff.shared_address}>"


def test_nobody_logs_in_to_it(wrong_passwords: WrongPasswords) -> None:
    assert "AUTHENTICATIONFAILED" in wrong_passwords["shared mailbox"]


def test_who_joins_the_team_sees_it_and_who_leaves_does_not(staff: Staff, folder: str, directory: Directory) -> None:
    def clara_sees() -> str | None:
        mailbox = staff.clara.imap()
        try:
            return shared_folder(mailbox, staff)
        finally:
            mailbox.close()

    assert not clara_sees()
    directory.set_members(staff.team, add=[staff.clara.uid])
    assert wait_until(clara_sees, "Clara sees the mailbox of her new team") == folder
    directory.set_members(staff.team, remove=[staff.clara.uid])
    wait_until(lambda: not clara_sees(), "Clara no longer sees the mailbox")


def test_mail_to_the_list_reaches_its_members(staff: Staff, mailbox_of: MailboxOf) -> None:
    message = letter(staff.bram.address, staff.list_address)
    assert staff.bram.send(message).accepted
    mailbox_of(staff.anna).wait_for(*by_id(message))
