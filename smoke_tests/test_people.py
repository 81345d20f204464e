"""Whoever is disabled is out at once, and back with everything when enabled."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from deploy.inventory import Inventory, secrets
from deploy.people import Directory
from smoke_tests.clients import smtp
from smoke_tests.clients.imap import Imap, ImapError
from smoke_tests.clients.portal import Portal
from smoke_tests.clients.waiting import wait_until
from smoke_tests.groupware import Webmail
from smoke_tests.people import Account, People, by_id, letter
from smoke_tests.target import Organisation, Target
from smoke_tests.ways_in import all_ways, open_ways

SOON = 60.0
"""Seconds in which somebody disabled is out everywhere."""


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
        sending = els.outgoing()

        directory.disable(els.uid)
        wait_until(lambda: takes_mail(els, target.stranger).refused, "mail for somebody disabled is refused")
        wait_until(lambda: not mailbox.alive, "the open connection of somebody disabled ends")
        reply = smtp.offer(sending, els.address, [bram.address], letter(els.address, bram.address))
        assert not reply.accepted, "over a connection from before nothing is sent"
        els.hang_up()
        assert open_ways(els) == frozenset()

        directory.enable(els.uid)
        wait_until(lambda: takes_mail(els, target.stranger).accepted, "mail for somebody enabled is taken")
        wait_until(lambda: open_ways(els) == all_ways(els), "every way is open again, with the passwords of before",
                   seconds=SOON)  # fmt: skip
        mailbox = els.imap()
        assert mailbox.search(*by_id(message))
        mailbox.close()


def test_what_somebody_disabled_has_open_in_the_browser_ends(
    directory: Directory, home: Organisation, seat: str, inventory: Inventory
) -> None:
    client = f"https://{home.served('groupware')}/SOGo/"
    secret = secrets.read(inventory)[home.id]["lemonldap_sogo_secret"]
    with ExitStack() as stack:
        wil = People(stack, directory, home, seat).person("wil", "Wil", "Proef")
        webmail, browser = Webmail(home, wil), Portal(home.served("sso"))
        assert webmail.enter().status == 200
        browser.log_in(wil.uid, wil.password)
        token = browser.token("sogo", secret, client)
        Imap(home.mail, wil.uid, token=token).close()
        assert webmail.is_open

        directory.disable(wil.uid)
        wait_until(lambda: not browser.logged_in, "the session at the portal ends", seconds=SOON)
        wait_until(lambda: not webmail.is_open, "the webmail that was open ends", seconds=SOON)
        with pytest.raises(ImapError):
            Imap(home.mail, wil.uid, token=token)

        directory.enable(wil.uid)
        with pytest.raises(ImapError):
            Imap(home.mail, wil.uid, token=token)
        wait_until(lambda: Webmail(home, wil).enter().status == 200, "who is enabled comes in again", seconds=SOON)


def test_somebody_removed_is_unknown(directory: Directory, home: Organisation, seat: str, target: Target) -> None:
    with ExitStack() as stack:
        people = People(stack, directory, home, seat)
        account = people.person("fien", "Fien", "Proef")
        assert takes_mail(account, target.stranger).accepted
        assert open_ways(account) == all_ways(account)
        directory.remove(account.uid)
        wait_until(lambda: takes_mail(account, target.stranger).refused, "mail for somebody removed is refused")
        assert open_ways(account) == frozenset()
