"""Whoever is disabled is out at once, and back with everything when enabled."""

from __future__ import annotations

import smtplib
from contextlib import ExitStack

from deploy.people import Directory
from smoke_tests.clients import smtp
from smoke_tests.clients.imap import ImapError
from smoke_tests.clients.waiting import wait_until
from smoke_tests.people import Account, People, by_id, letter
from smoke_tests.target import Organisation, Target


def logs_in(account: Account) -> bool:
    """Whether somebody can read and send."""
    try:
        account.imap().close()
        account.hang_up()
        account.outgoing()
    except (ImapError, smtplib.SMTPAuthenticationError):
        return False
    return True


def takes_mail(account: Account, stranger: str) -> smtp.Reply:
    """What the server says to mail for somebody."""
    with smtp.connect(account.organisation.mail) as connection:
        connection.mail(stranger)
        code, text = connection.rcpt(account.address)
        return smtp.Reply(f"RCPT TO:<{account.address}>", code, text.decode())


def test_somebody_disabled_is_out_and_comes_back_with_the_mail(
    directory: Directory, home: Organisation, seat: str, bram: Account, target: Target
) -> None:
    with ExitStack() as stack:
        els = People(stack, directory, home, seat).person("els", "Els", "Proef")
        message = letter(bram.address, els.address)
        assert bram.send(message).accepted
        mailbox = els.imap()
        mailbox.wait_for(*by_id(message))
        mailbox.close()

        directory.disable(els.uid)
        wait_until(lambda: takes_mail(els, target.stranger).refused, "mail for somebody disabled is refused")
        wait_until(lambda: not logs_in(els), "somebody disabled cannot log in")

        directory.enable(els.uid)
        wait_until(lambda: takes_mail(els, target.stranger).accepted, "mail for somebody enabled is taken")
        wait_until(lambda: logs_in(els), "somebody enabled can log in with the password of before")
        mailbox = els.imap()
        assert mailbox.search(*by_id(message))
        mailbox.close()


def test_somebody_removed_is_unknown(directory: Directory, home: Organisation, seat: str, target: Target) -> None:
    with ExitStack() as stack:
        people = People(stack, directory, home, seat)
        account = people.person("fien", "Fien", "Proef")
        assert takes_mail(account, target.stranger).accepted
        assert logs_in(account)
        directory.remove(account.uid)
        wait_until(lambda: takes_mail(account, target.stranger).refused, "mail for somebody removed is refused")
        assert not logs_in(account)
