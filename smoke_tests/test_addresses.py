"""The addresses at which one person is reached, in every script."""

from __future__ import annotations

import pytest

from smoke_tests.clients import smtp
from smoke_tests.people import Account, MailboxOf, by_id, letter
from smoke_tests.target import Organisation


def test_an_alias_reaches_the_same_person(anna: Account, bram: Account, mailbox_of: MailboxOf) -> None:
    message = letter(bram.address, anna.aliases[0])
    assert bram.send(message).accepted
    mailbox_of(anna).wait_for(*by_id(message))


def test_capitals_make_no_difference(anna: Account, bram: Account, mailbox_of: MailboxOf) -> None:
    message = letter(bram.address, anna.address.upper())
    assert bram.send(message).accepted
    mailbox_of(anna).wait_for(*by_id(message))


@pytest.mark.requirement("MBGROUPWARE-09")
def test_mail_with_a_detail_goes_to_the_folder_of_that_name(
    anna: Account, bram: Account, mailbox_of: MailboxOf
) -> None:
    mailbox = mailbox_of(bram)
    mailbox.create("Project")
    local, _, domain = bram.address.partition("@")
    for detail, folder in (("Project", "Project"), ("nergens", "INBOX")):
        message = letter(anna.address, f"{local}+{detail}@{domain}")
        reply = anna.send(message)
        assert reply.accepted, reply
        mailbox.wait_for(*by_id(message), folder=folder)


def test_letters_of_every_language_arrive_in_subject_name_and_text(
    anna: Account, bram: Account, mailbox_of: MailboxOf
) -> None:
    message = letter(
        anna.address, bram.address, subject="Coördinatie é Ğ 日本", body="Één besluit: ŵ\n", name="Zoë Oğuz"
    )
    assert anna.send(message).accepted
    mailbox = mailbox_of(bram)
    received = mailbox.fetch(mailbox.wait_for(*by_id(message)))
    assert received["Subject"] == message["Subject"]
    assert received["From"].addresses[0].display_name == "Zoë Oğuz"
    assert received.get_content().strip() == "Één besluit: ŵ"


@pytest.fixture
def accented(anna: Account) -> str:
    """Anna's alias with letters outside ASCII."""
    return next(alias for alias in anna.aliases if not alias.isascii())


@pytest.mark.requirement("SOV-OPEN")
def test_mail_to_an_address_in_another_script_arrives(
    anna: Account, bram: Account, accented: str, mailbox_of: MailboxOf
) -> None:
    message = letter(bram.address, accented)
    reply = bram.send(message, accented, mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    assert reply.accepted, reply
    mailbox_of(anna).wait_for(*by_id(message))


@pytest.mark.requirement("SOV-OPEN")
def test_mail_from_an_address_in_another_script_travels(
    anna: Account, accented: str, pieter: Account, mailbox_of: MailboxOf
) -> None:
    message = letter(accented, pieter.address)
    message.replace_header("Message-ID", message["Message-ID"].replace(accented, anna.address))
    reply = anna.send(message, pieter.address, sender=accented, mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    assert reply.accepted, reply
    mailbox = mailbox_of(pieter)
    received = mailbox.fetch_raw(mailbox.wait_for(*by_id(message), seconds=30))
    assert f"\r\nFrom: {accented}\r\n".encode() in received


def test_servers_say_that_they_take_utf8_in_addresses(home: Organisation) -> None:
    for port in (smtp.RELAY, smtp.SUBMISSIONS, smtp.SUBMISSION):
        with smtp.connect(home.mail, port) as connection:
            assert connection.has_extn("smtputf8")
            assert connection.has_extn("8bitmime")
