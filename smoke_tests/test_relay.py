"""The server passes on no mail for strangers, and users write under no name but their own."""

from __future__ import annotations

import smtplib

import pytest

from smoke_tests.clients import smtp
from smoke_tests.people import Account, Staff, letter
from smoke_tests.target import Organisation, Target

TRICKS = {
    "plainly": "{user}@{elsewhere}",
    "by a route": "@{home}:{user}@{elsewhere}",
    "by a percent sign": "{user}%{elsewhere}@{home}",
    "by a bang path": "{elsewhere}!{user}",
    "by a bang path at home": "{elsewhere}!{user}@{home}",
    "by a quoted address": '"{user}@{elsewhere}"',
    "by a quoted address at home": '"{user}@{elsewhere}"@{home}',
    "by a quoted percent sign": '"{user}%{elsewhere}"@{home}',
    "by two domains": "{user}@{elsewhere}@{home}",
    "by the server's name": "{user}%{elsewhere}@{mail}",
    "by an address literal": "{user}%{elsewhere}@[{address}]",
}


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS.keys())
def test_a_stranger_cannot_send_mail_on_to_elsewhere(
    stranger: smtplib.SMTP, home: Organisation, target: Target, anna: Account, trick: str
) -> None:
    recipient = trick.format(
        user="rooktest-nobody", elsewhere=target.elsewhere, home=home.domain, mail=home.mail,
        address=home.addresses[home.hosts["mail"][0]][0],
    )  # fmt: skip
    for sender in (target.stranger, anna.address, ""):
        stranger.rset()
        code, text = stranger.mail(sender)
        if code == 250:
            code, text = stranger.rcpt(recipient)
        assert 500 <= code < 600, f"MAIL FROM:<{sender}>, RCPT TO:<{recipient}>: {code} {text!r}"


def test_a_user_can_send_mail_on_to_elsewhere(anna: Account, target: Target) -> None:
    """The counterpart: the refusals above are not those of a server that sends nothing at all."""
    connection = anna.outgoing()
    assert connection.mail(anna.address)[0] == 250
    code, text = connection.rcpt(f"rooktest-nobody@{target.elsewhere}")
    connection.rset()
    assert code == 250, text


@pytest.mark.parametrize("port", [smtp.SUBMISSIONS, smtp.SUBMISSION])
def test_a_user_cannot_write_as_somebody_else(anna: Account, bram: Account, port: int) -> None:
    reply = anna.send(letter(bram.address, anna.address), sender=bram.address, port=port)
    assert reply.code == 553, reply


def test_a_user_cannot_write_under_an_address_of_nobody_or_elsewhere(anna: Account, target: Target) -> None:
    for sender in (f"rooktest-nobody@{anna.organisation.domain}", f"rooktest-nobody@{target.elsewhere}"):
        reply = anna.send(letter(sender, anna.address), sender=sender)
        assert reply.code == 553, reply


def test_a_user_cannot_put_another_name_into_the_letterhead(anna: Account, bram: Account) -> None:
    reply = anna.send(letter(bram.address, anna.address))
    assert reply.command == "DATA"
    assert reply.refused, reply


def test_a_user_may_write_under_the_own_alias(anna: Account, bram: Account) -> None:
    reply = anna.send(letter(anna.aliases[0], bram.address), sender=anna.aliases[0])
    assert reply.accepted, reply


@pytest.mark.requirement("MBGROUPWARE-07")
def test_only_the_team_writes_as_the_shared_mailbox(staff: Staff) -> None:
    address = staff.shared_address
    assert staff.anna.send(letter(address, staff.bram.address), sender=address).accepted
    reply = staff.bram.send(letter(address, staff.anna.address), sender=address)
    assert reply.code == 553, reply
