"""Users hand over their mail: encrypted, with their password, and in no other way."""

from __future__ import annotations

import base64

import pytest

from deploy.report.evidence import Evidence
from smoke_tests.clients import smtp
from smoke_tests.conftest import WrongPasswords
from smoke_tests.people import Account, MailboxOf, by_id, letter
from smoke_tests.target import Organisation


@pytest.mark.parametrize("port", [smtp.SUBMISSIONS, smtp.SUBMISSION])
def test_mail_sent_with_the_right_password_arrives(
    anna: Account, bram: Account, mailbox_of: MailboxOf, evidence: Evidence, port: int
) -> None:
    message = letter(anna.address, bram.address)
    reply = anna.send(message, port=port)
    assert reply.accepted, reply
    inbox = mailbox_of(bram)
    received = inbox.fetch(inbox.wait_for(*by_id(message)))
    evidence.keep("received.txt", "".join(f"{k}: {v}\n" for k, v in received.items()))
    assert received["Subject"] == message["Subject"]
    assert received.get_content().strip() == message.get_content().strip()


@pytest.mark.parametrize("port", [smtp.SUBMISSIONS, smtp.SUBMISSION])
def test_a_wrong_password_is_refused(wrong_passwords: WrongPasswords, port: int) -> None:
    assert wrong_passwords[f"port {port}"].startswith("(535,")


@pytest.mark.parametrize("port", [smtp.SUBMISSIONS, smtp.SUBMISSION])
def test_nobody_sends_without_logging_in(home: Organisation, anna: Account, bram: Account, port: int) -> None:
    with smtp.connect(home.mail, port) as connection:
        reply = smtp.offer(connection, anna.address, [bram.address], letter(anna.address, bram.address))
    assert reply.refused, reply


@pytest.mark.parametrize("port", [smtp.SUBMISSION, smtp.RELAY])
def test_no_password_is_asked_for_or_taken_before_encryption(home: Organisation, clara: Account, port: int) -> None:
    with smtp.connect(home.mail, port, encrypt=False) as connection:
        assert not connection.has_extn("auth")
        # An answer about the command, not about this password, which is nobody's.
        token = base64.b64encode(f"\0{clara.uid}\0nobody's".encode()).decode()
        code, text = connection.docmd("AUTH", f"PLAIN {token}")
    assert 500 <= code < 600, text
    assert code != 535, "the server looked at a password that came in clear"


def test_servers_port_asks_nobody_for_a_password(home: Organisation) -> None:
    with smtp.connect(home.mail, smtp.RELAY) as connection:
        assert not connection.has_extn("auth")
